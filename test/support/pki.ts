import { BitString, GeneralizedTime, Integer, Null, OctetString, Utf8String } from 'asn1js'
import { createPrivateKey, createPublicKey, generateKeyPairSync, hash, randomBytes, sign } from 'node:crypto'
import {
  AlgorithmIdentifier,
  AttributeTypeAndValue,
  BasicConstraints,
  Certificate,
  CertificateRevocationList,
  Extension,
  Extensions,
  ExtKeyUsage,
  PublicKeyInfo,
  RevokedCertificate,
  Time,
} from 'pkijs'
import { usageBits } from '../../src/bmc/key-usages.ts'
import { COMMON_NAME, extension, pem } from '../../src/http/certificate.ts'
import type { Trust } from '../../src/image/trust/trust.ts'

/** When signatures are judged, and when certificates are valid unless a test says otherwise. */
export const NOW = Date.UTC(2026, 5, 1)
const FROM = Date.UTC(2025, 0, 1)
const TO = Date.UTC(2035, 0, 1)

export const CODE_SIGNING = '1.3.6.1.5.5.7.3.3'
export const SERVER_AUTHENTICATION = '1.3.6.1.5.5.7.3.1'

/** Somebody with a key and a certificate of it (PEM). */
export interface Party {
  readonly name: string
  readonly key: string
  readonly certificate: string
}

export type KeyKind = 'rsa' | 'rsa-1024' | 'P-256' | 'P-384' | 'P-521' | 'secp256k1' | 'ed25519'

/** A key pair of a kind (PEM); those that take long to make are made once. */
const slow = new Map<KeyKind, string>()
export function makeKey(kind: KeyKind): string {
  const made = slow.get(kind) ?? generate(kind)
  if (kind.startsWith('rsa')) slow.set(kind, made)
  return made
}

function generate(kind: KeyKind): string {
  if (kind === 'ed25519') return pkcs8(generateKeyPairSync('ed25519').privateKey)
  if (kind === 'rsa') return pkcs8(generateKeyPairSync('rsa', { modulusLength: 2_048 }).privateKey)
  if (kind === 'rsa-1024') return pkcs8(generateKeyPairSync('rsa', { modulusLength: 1_024 }).privateKey)
  return pkcs8(generateKeyPairSync('ec', { namedCurve: kind }).privateKey)
}

function pkcs8(key: ReturnType<typeof createPrivateKey>): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString()
}

export function publicKeyOf(key: string): string {
  return createPublicKey(key).export({ type: 'spki', format: 'pem' }).toString()
}

export interface Certifying {
  readonly name: string
  readonly key?: string
  /** Itself unless given. */
  readonly issuer?: Pick<Party, 'name' | 'key'>
  readonly isAuthority?: boolean
  readonly pathLength?: number
  /** As `usageBits` has them; none of its own where absent. */
  readonly usages?: readonly string[]
  readonly purposes?: readonly string[]
  readonly from?: number
  readonly to?: number
  readonly more?: readonly Extension[]
  /** Signed by SHA-1. */
  readonly isBroken?: boolean
}

/** A certificate with what a test wants in it, wrong or right. */
export function certify(wanted: Certifying): Party {
  const { name, key = makeKey('P-256'), issuer = { name, key }, isAuthority = false, pathLength } = wanted
  const { usages, purposes, from = FROM, to = TO, more = [] } = wanted
  const certificate = new Certificate()
  const spki = createPublicKey(key).export({ type: 'spki', format: 'der' })
  certificate.version = 2
  certificate.serialNumber = new Integer({ valueHex: randomBytes(8).fill(0x40, 0, 1).buffer.slice(0, 8) })
  certificate.subject.typesAndValues.push(commonName(name))
  certificate.issuer.typesAndValues.push(commonName(issuer.name))
  certificate.notBefore.value = new Date(from)
  certificate.notAfter.value = new Date(to)
  certificate.subjectPublicKeyInfo = PublicKeyInfo.fromBER(Uint8Array.from(spki))
  const constraints = { cA: isAuthority, ...(pathLength !== undefined && { pathLenConstraint: pathLength }) }
  const keyId = Buffer.from(hash('sha1', spki, 'hex'), 'hex')
  certificate.extensions = [
    extension('2.5.29.19', true, new BasicConstraints(constraints).toSchema()),
    extension('2.5.29.14', false, new OctetString({ valueHex: Uint8Array.from(keyId) })),
    ...(usages ? [usageOf(usages)] : []),
    ...(purposes
      ? [extension('2.5.29.37', false, new ExtKeyUsage({ keyPurposes: [...purposes] }).toSchema())]
      : []),
    ...more,
  ]
  signIt(certificate, issuer.key, wanted.isBroken)
  return { name, key, certificate: pem('CERTIFICATE', certificate.toSchema().toBER()) }
}

export function usageOf(usages: readonly string[]): Extension {
  return extension('2.5.29.15', true, bits(usages))
}

/** A list of revoked certificates in DER; `signer` signs it, in the name of the issuer. */
export function revoke(
  issuer: Party,
  revoked: readonly Party[],
  { signer = issuer, extensions = [] as Extension[] } = {},
): Uint8Array {
  const list = new CertificateRevocationList()
  list.version = 1
  list.issuer = read(issuer).subject
  list.thisUpdate = new Time({ type: 0, value: new Date(NOW) })
  list.revokedCertificates = revoked.map(
    (party) =>
      new RevokedCertificate({
        userCertificate: read(party).serialNumber,
        revocationDate: new Time({ type: 0, value: new Date(NOW) }),
      }),
  )
  if (extensions.length > 0) list.crlExtensions = new Extensions({ extensions })
  signIt(list, signer.key)
  return new Uint8Array(list.toSchema(true).toBER())
}

/** A critical extension that nobody has heard of. */
export const unheardOf = new Extension({
  extnID: '1.3.6.1.4.1.99999.1',
  critical: true,
  extnValue: new GeneralizedTime({ valueDate: new Date(NOW) }).toBER(),
})

export function fingerprintOf({ certificate }: Pick<Party, 'certificate'>): string {
  return hash('sha256', derOf(certificate), 'hex')
}

/** What a text of PEM holds. */
export function derOf(text: string): Buffer {
  return Buffer.from(text.replaceAll(/-----[^-]+-----|\s/g, ''), 'base64')
}

function read({ certificate }: Party): Certificate {
  return Certificate.fromBER(Uint8Array.from(derOf(certificate)))
}

function commonName(name: string): AttributeTypeAndValue {
  return new AttributeTypeAndValue({ type: COMMON_NAME, value: new Utf8String({ value: name }) })
}

function signIt(what: Certificate | CertificateRevocationList, key: string, isBroken = false): void {
  const kind = isBroken ? 'broken' : (createPrivateKey(key).asymmetricKeyType ?? '')
  const [algorithmId = '', algorithm = null] = algorithms[kind] ?? []
  const parameters = kind === 'rsa' ? { algorithmParams: new Null() } : {}
  what.signature = new AlgorithmIdentifier({ algorithmId, ...parameters })
  what.signatureAlgorithm = what.signature
  const [signed] = what.toSchema(true).valueBlock.value
  what.tbsView = new Uint8Array(signed?.toBER() ?? [])
  what.signatureValue = new BitString({
    valueHex: Uint8Array.from(sign(algorithm, what.tbsView, key)).buffer,
  })
}

const algorithms: Readonly<Record<string, readonly [oid: string, hash: string | null]>> = {
  rsa: ['1.2.840.113549.1.1.11', 'sha256'],
  ec: ['1.2.840.10045.4.3.2', 'sha256'],
  ed25519: ['1.3.101.112', null],
  broken: ['1.2.840.10045.4.1', 'sha1'],
}

function bits(usages: readonly string[]): BitString {
  const bytes = new Uint8Array(2)
  for (const usage of usages) {
    const index = usageBits.indexOf(usage)
    bytes[index >> 3] = (bytes[index >> 3] ?? 0) | (0x80 >> (index & 7))
  }
  return new BitString({ valueHex: bytes.buffer })
}

/** A root, who certified an authority, who certified somebody who signs images. */
export function createPki(kind: KeyKind = 'P-256') {
  const authority = { isAuthority: true, usages: ['KeyCertSign', 'CRLSigning'] }
  const root = certify({ name: 'Root', ...authority })
  const intermediate = certify({ name: 'Intermediate', issuer: root, ...authority, pathLength: 0 })
  const signer = certify({
    name: 'Signer',
    key: makeKey(kind),
    issuer: intermediate,
    usages: ['DigitalSignature'],
    purposes: [CODE_SIGNING],
  })
  return { root, intermediate, signer }
}

/** Trust in these, and in nobody else. */
export function trusting(
  anchors: readonly Party[],
  more: Partial<Omit<Trust, 'anchors' | 'intermediates'>> & {
    readonly intermediates?: readonly Party[]
  } = {},
): Trust {
  const pems = (parties: readonly Party[]) => parties.map(({ certificate }) => certificate)
  return {
    crls: [],
    keys: new Map(),
    revokedDigests: new Set(),
    ...more,
    anchors: pems(anchors),
    intermediates: pems(more.intermediates ?? []),
  }
}
