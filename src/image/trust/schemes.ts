import { constants, hash, type KeyObject, publicDecrypt, verify } from 'node:crypto'
import type { HashName, ImageSignature } from '../image-format.ts'

/** How a bare signature is made. */
export interface Scheme {
  readonly form: Exclude<ImageSignature['form'], 'cms'>
  /** Of no meaning to Ed25519, which has its own. */
  readonly hash: HashName
  /** Of RSA-PSS; unless said, as long as the digest where we sign, and any where we verify. */
  readonly saltLength?: number | undefined
}

export const hashNames: readonly HashName[] = ['sha256', 'sha384', 'sha512']

const CURVES: readonly string[] = ['prime256v1', 'secp384r1', 'secp521r1']
const MIN_RSA_BITS = 2_048
/** The effort grows with the square, and the one who signs chooses. */
const MAX_RSA_BITS = 8_192

/** What a key may be used for; nothing where it is weak or of a kind that is not known here. */
export function formsOf(key: KeyObject): readonly Scheme['form'][] {
  const { modulusLength = 0, namedCurve = '' } = key.asymmetricKeyDetails ?? {}
  const forms = kinds[key.asymmetricKeyType ?? ''] ?? []
  const isRsaFit = modulusLength >= MIN_RSA_BITS && modulusLength <= MAX_RSA_BITS
  return forms.filter((form) =>
    form === 'ecdsa' ? CURVES.includes(namedCurve) : form === 'ed25519' || isRsaFit,
  )
}

const kinds: Readonly<Record<string, readonly Scheme['form'][]>> = {
  rsa: ['rsa-pkcs1', 'rsa-pss'],
  'rsa-pss': ['rsa-pss'],
  ec: ['ecdsa'],
  ed25519: ['ed25519'],
}

/** How node:crypto is told of it, when it signs and when it verifies. */
export function cryptoOptions({ form, saltLength = constants.RSA_PSS_SALTLEN_DIGEST }: Scheme) {
  if (form === 'rsa-pss') return { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength }
  return form === 'rsa-pkcs1' ? { padding: constants.RSA_PKCS1_PADDING } : {}
}

/** Whether the signature is the key's, over these bytes. */
export function isSignatureOf(
  key: KeyObject,
  scheme: Scheme,
  content: Uint8Array,
  signature: Uint8Array,
): boolean {
  if (!formsOf(key).includes(scheme.form)) return false
  const algorithm = scheme.form === 'ed25519' ? null : scheme.hash
  const { saltLength = constants.RSA_PSS_SALTLEN_AUTO } = scheme
  try {
    return verify(algorithm, content, { key, ...cryptoOptions({ ...scheme, saltLength }) }, signature)
  } catch {
    return false // OpenSSL refuses what cannot be a signature by this key
  }
}

/** Whether an RSA PKCS#1 v1.5 signature is the key's, over bytes of which only the digest is here. */
export function isSignatureOfDigest(
  key: KeyObject,
  name: HashName,
  digest: string,
  signature: Uint8Array,
): boolean {
  if (!formsOf(key).includes('rsa-pkcs1')) return false
  try {
    const signed = publicDecrypt({ key, padding: constants.RSA_PKCS1_PADDING }, signature)
    return signed.equals(digestInfo(name, digest))
  } catch {
    return false // not of the key's size, or not padded
  }
}

/** What RSA PKCS#1 v1.5 signs (RFC 8017 §9.2): a digest and the name of its kind, in DER. */
export function digestInfo(name: HashName, digest: string): Buffer {
  return Buffer.from(`${digestInfoHeads[name]}${digest}`, 'hex')
}

const digestInfoHeads: Readonly<Record<HashName, string>> = {
  sha256: '3031300d060960864801650304020105000420',
  sha384: '3041300d060960864801650304020205000430',
  sha512: '3051300d060960864801650304020305000440',
}

/** The digest in hexadecimal. */
export function digestOf(name: HashName, content: Uint8Array): string {
  return hash(name, content, 'hex')
}
