import { Integer, OctetString, Utf8String } from 'asn1js'
import { randomBytes, webcrypto } from 'node:crypto'
import { isIP } from 'node:net'
import {
  AttributeTypeAndValue,
  BasicConstraints,
  Certificate,
  CryptoEngine,
  Extension,
  ExtKeyUsage,
  GeneralName,
  GeneralNames,
  setEngine,
} from 'pkijs'
import type { Clock } from '../lib/clock.ts'

const DAY_MS = 86_400_000
const VALID_DAYS = 365
export const COMMON_NAME = '2.5.4.3'
const BASIC_CONSTRAINTS = '2.5.29.19'
export const SUBJECT_ALT_NAME = '2.5.29.17'
export const EXTENDED_KEY_USAGE = '2.5.29.37'
const SERVER_AUTH = '1.3.6.1.5.5.7.3.1'
/** DSP0274: the key is an SPDM responder's. */
export const RESPONDER_AUTH = '1.3.6.1.4.1.412.274.3'

/** Tells pkijs whose cryptography to use. */
export function useNodeCrypto(): void {
  setEngine('node', new CryptoEngine({ name: 'node', crypto: webcrypto }))
}

export interface KeyPair {
  readonly cert: string
  readonly key: string
}

/** A self-signed certificate (ECDSA P-256, X.509 v3) for these DNS names and addresses, kept in memory only. */
export async function makeCertificate(
  names: readonly string[],
  clock: Clock,
  purpose = SERVER_AUTH,
): Promise<KeyPair> {
  useNodeCrypto()
  const keys = await webcrypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, [
    'sign',
    'verify',
  ])
  const certificate = new Certificate()
  certificate.version = 2
  // A serial number is positive: its first bit is clear.
  certificate.serialNumber = new Integer({ valueHex: randomBytes(16).fill(0x40, 0, 1).buffer.slice(0) })
  const name = new AttributeTypeAndValue({
    type: COMMON_NAME,
    value: new Utf8String({ value: names[0] ?? 'redflash' }),
  })
  certificate.subject.typesAndValues.push(name)
  certificate.issuer.typesAndValues.push(name)
  certificate.notBefore.value = new Date(clock.now() - DAY_MS)
  certificate.notAfter.value = new Date(clock.now() + VALID_DAYS * DAY_MS)
  certificate.extensions = [
    extension(BASIC_CONSTRAINTS, true, new BasicConstraints({ cA: false }).toSchema()),
    extension(EXTENDED_KEY_USAGE, false, new ExtKeyUsage({ keyPurposes: [purpose] }).toSchema()),
    extension(SUBJECT_ALT_NAME, false, new GeneralNames({ names: names.map(generalName) }).toSchema()),
  ]
  await certificate.subjectPublicKeyInfo.importKey(keys.publicKey)
  await certificate.sign(keys.privateKey, 'SHA-256')
  return {
    cert: pem('CERTIFICATE', certificate.toSchema().toBER()),
    key: pem('PRIVATE KEY', await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)),
  }
}

export function extension(extnID: string, critical: boolean, value: { toBER(): ArrayBuffer }): Extension {
  return new Extension({ extnID, critical, extnValue: value.toBER() })
}

/** RFC 5280 §4.2.1.6: an address stands as its bytes (tag 7), a DNS name as text (tag 2). */
export function generalName(name: string): GeneralName {
  if (isIP(name) !== 4) return new GeneralName({ type: 2, value: name })
  return new GeneralName({
    type: 7,
    value: new OctetString({ valueHex: Uint8Array.from(name.split('.').map(Number)).buffer }),
  })
}

export function pem(label: string, der: ArrayBuffer): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? []
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n')
}
