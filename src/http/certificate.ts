import { BitString, Integer, OctetString, Utf8String } from 'asn1js'
import { createPrivateKey, createPublicKey, randomBytes, webcrypto } from 'node:crypto'
import { isIP } from 'node:net'
import {
  AttributeTypeAndValue,
  AuthorityKeyIdentifier,
  BasicConstraints,
  Certificate,
  CryptoEngine,
  Extension,
  ExtKeyUsage,
  GeneralName,
  GeneralNames,
  RelativeDistinguishedNames,
  setEngine,
} from 'pkijs'
import type { Clock } from '../lib/clock.ts'

const DAY_MS = 86_400_000
const VALID_DAYS = 365
export const COMMON_NAME = '2.5.4.3'
const BASIC_CONSTRAINTS = '2.5.29.19'
export const SUBJECT_ALT_NAME = '2.5.29.17'
const KEY_USAGE = '2.5.29.15'
const SUBJECT_KEY_ID = '2.5.29.14'
const AUTHORITY_KEY_ID = '2.5.29.35'
/** Signs certificates and their revocation lists (RFC 5280 §4.2.1.3). */
const KEY_CERT_SIGN = Uint8Array.of(0b0000_0110)
const AUTHORITY_NAME = 'redflash fleet'
const KEY_TYPE = { name: 'ECDSA', namedCurve: 'P-256' }
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

/** A self-signed certificate (ECDSA P-256, X.509 v3) for these DNS names and addresses. */
export async function makeCertificate(
  names: readonly string[],
  clock: Clock,
  purpose = SERVER_AUTH,
): Promise<KeyPair> {
  const keys = await makeKeys()
  const extensions = [...leafExtensions(purpose), namesExtension(names)]
  const certificate = await draft(names[0], clock, { publicKey: keys.publicKey, extensions })
  return { cert: await signed(certificate, keys.privateKey), key: await pemOfKey(keys.privateKey) }
}

/** Who certifies many, with the key that they share: as text, to be kept. */
export interface Authority extends KeyPair {
  readonly leafKey: string
}

/** Somebody whom clients can trust once for all BMCs. */
export async function makeAuthority(clock: Clock): Promise<Authority> {
  const [keys, leafKeys] = await Promise.all([makeKeys(), makeKeys()])
  const keyId = await keyIdOf(keys.publicKey)
  const extensions = [
    extension(BASIC_CONSTRAINTS, true, new BasicConstraints({ cA: true }).toSchema()),
    extension(KEY_USAGE, true, new BitString({ valueHex: KEY_CERT_SIGN.buffer, unusedBits: 1 })),
    extension(SUBJECT_KEY_ID, false, new OctetString({ valueHex: keyId })),
  ]
  const certificate = await draft(AUTHORITY_NAME, clock, { publicKey: keys.publicKey, extensions })
  return {
    cert: await signed(certificate, keys.privateKey),
    key: await pemOfKey(keys.privateKey),
    leafKey: await pemOfKey(leafKeys.privateKey),
  }
}

/** A certificate for these names, followed by that of its authority. */
export async function issueCertificate(
  authority: Authority,
  names: readonly string[],
  clock: Clock,
): Promise<KeyPair> {
  const [privateKey, authorityKey, publicKey] = await Promise.all([
    privateKeyOf(authority.key),
    publicKeyOf(authority.key),
    publicKeyOf(authority.leafKey),
  ])
  const keyIdentifier = new OctetString({ valueHex: await keyIdOf(authorityKey) })
  const extensions = [
    ...leafExtensions(SERVER_AUTH),
    extension(AUTHORITY_KEY_ID, false, new AuthorityKeyIdentifier({ keyIdentifier }).toSchema()),
    namesExtension(names),
  ]
  const certificate = await draft(names[0], clock, { publicKey, issuer: AUTHORITY_NAME, extensions })
  return { cert: `${await signed(certificate, privateKey)}${authority.cert}`, key: authority.leafKey }
}

interface Draft {
  readonly publicKey: webcrypto.CryptoKey
  readonly extensions: Extension[]
  /** Itself, unless given. */
  readonly issuer?: string
}

/** All of a certificate but its signature. */
async function draft(subject: string | undefined, clock: Clock, given: Draft): Promise<Certificate> {
  useNodeCrypto()
  const certificate = new Certificate()
  certificate.version = 2
  // A serial number is positive: its first bit is clear.
  certificate.serialNumber = new Integer({ valueHex: randomBytes(16).fill(0x40, 0, 1).buffer.slice(0) })
  certificate.subject = commonName(subject ?? 'redflash')
  certificate.issuer = given.issuer === undefined ? certificate.subject : commonName(given.issuer)
  certificate.notBefore.value = new Date(clock.now() - DAY_MS)
  certificate.notAfter.value = new Date(clock.now() + VALID_DAYS * DAY_MS)
  certificate.extensions = given.extensions
  await certificate.subjectPublicKeyInfo.importKey(given.publicKey)
  return certificate
}

function commonName(name: string): RelativeDistinguishedNames {
  const value = new Utf8String({ value: name })
  return new RelativeDistinguishedNames({
    typesAndValues: [new AttributeTypeAndValue({ type: COMMON_NAME, value })],
  })
}

async function signed(certificate: Certificate, privateKey: webcrypto.CryptoKey): Promise<string> {
  await certificate.sign(privateKey, 'SHA-256')
  return pem('CERTIFICATE', certificate.toSchema().toBER())
}

function makeKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(KEY_TYPE, true, ['sign', 'verify'])
}

/** What `pemOfKey` gave. */
function privateKeyOf(key: string): Promise<webcrypto.CryptoKey> {
  const pkcs8 = createPrivateKey(key).export({ type: 'pkcs8', format: 'der' })
  return webcrypto.subtle.importKey('pkcs8', pkcs8, KEY_TYPE, false, ['sign'])
}

function publicKeyOf(key: string): Promise<webcrypto.CryptoKey> {
  const spki = createPublicKey(key).export({ type: 'spki', format: 'der' })
  return webcrypto.subtle.importKey('spki', spki, KEY_TYPE, true, ['verify'])
}

async function pemOfKey(key: webcrypto.CryptoKey): Promise<string> {
  return pem('PRIVATE KEY', await webcrypto.subtle.exportKey('pkcs8', key))
}

/** Any digest will do that tells keys apart (RFC 7093 §2). */
async function keyIdOf(key: webcrypto.CryptoKey): Promise<ArrayBuffer> {
  const digest = await webcrypto.subtle.digest('SHA-256', await webcrypto.subtle.exportKey('spki', key))
  return digest.slice(0, 20)
}

function leafExtensions(purpose: string): Extension[] {
  return [
    extension(BASIC_CONSTRAINTS, true, new BasicConstraints({ cA: false }).toSchema()),
    extension(EXTENDED_KEY_USAGE, false, new ExtKeyUsage({ keyPurposes: [purpose] }).toSchema()),
  ]
}

function namesExtension(names: readonly string[]): Extension {
  const value = new GeneralNames({ names: names.map(generalName) })
  return extension(SUBJECT_ALT_NAME, false, value.toSchema())
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
