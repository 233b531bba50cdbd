import { BitString, IA5String, PrintableString, Utf8String } from 'asn1js'
import { createPrivateKey, webcrypto, X509Certificate } from 'node:crypto'
import {
  AttributeTypeAndValue,
  Attribute,
  Certificate,
  CertificationRequest,
  type Extension,
  Extensions,
  ExtKeyUsage,
  GeneralNames,
} from 'pkijs'
import {
  COMMON_NAME,
  EXTENDED_KEY_USAGE,
  extension,
  generalName,
  pem,
  SUBJECT_ALT_NAME,
  useNodeCrypto,
} from './certificate.ts'
import { keyPurposes, usageBits } from '../bmc/key-usages.ts'

const KEY_USAGE = '2.5.29.15'
const EXTENSION_REQUEST = '1.2.840.113549.1.9.14'
const CHALLENGE_PASSWORD = '1.2.840.113549.1.9.7'
const UNSTRUCTURED_NAME = '1.2.840.113549.1.9.2'
const EMAIL = '1.2.840.113549.1.9.1'
const COUNTRY = '2.5.4.6'

export type KeyKind =
  | { readonly algorithm: 'ECDSA'; readonly curve: string }
  | { readonly algorithm: 'RSA'; readonly bits: number }

/** Whom a signing request is for, as the parameters of CertificateService.GenerateCSR name it. */
export interface SigningSubject {
  readonly CommonName: string
  readonly AlternativeNames?: readonly string[]
  readonly Organization?: string
  readonly OrganizationalUnit?: string
  readonly City?: string
  readonly State?: string
  readonly Country?: string
  readonly Email?: string
  readonly Surname?: string
  readonly GivenName?: string
  readonly Initials?: string
  readonly KeyUsage?: readonly string[]
  readonly ChallengePassword?: string
  readonly UnstructuredName?: string
}

/** Names in a subject (RFC 5280 §4.1.2.4, RFC 2985), from the widest to the narrowest. */
const nameTypes = {
  Country: COUNTRY,
  State: '2.5.4.8',
  City: '2.5.4.7',
  Organization: '2.5.4.10',
  OrganizationalUnit: '2.5.4.11',
  CommonName: COMMON_NAME,
  Surname: '2.5.4.4',
  GivenName: '2.5.4.42',
  Initials: '2.5.4.43',
  Email: EMAIL,
} as const

const ecdsa = (namedCurve: string) => ({ name: 'ECDSA', namedCurve })
const rsa = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }

/** A new private key (PEM). */
export async function makeKey(kind: KeyKind): Promise<string> {
  const algorithm =
    kind.algorithm === 'RSA'
      ? { ...rsa, modulusLength: kind.bits, publicExponent: Uint8Array.of(1, 0, 1) }
      : ecdsa(kind.curve)
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  if (!('privateKey' in keys)) throw new Error(`${kind.algorithm} made no pair of keys`)
  return pem('PRIVATE KEY', await webcrypto.subtle.exportKey('pkcs8', keys.privateKey))
}

/** A certificate signing request (PKCS #10, PEM) for this subject, signed by the key (PEM). */
export async function requestFor(subject: SigningSubject, key: string): Promise<string> {
  const request = new CertificationRequest()
  request.subject.typesAndValues.push(
    ...Object.entries(nameTypes).flatMap(([name, type]) => {
      const value = subject[name as keyof typeof nameTypes]
      return value === undefined ? [] : [new AttributeTypeAndValue({ type, value: nameValue(type, value) })]
    }),
  )
  const { CommonName, AlternativeNames = [], KeyUsage = [] } = subject
  const names = [...new Set([CommonName, ...AlternativeNames])]
  const bits = usageBits.map((usage) => KeyUsage.includes(usage))
  const purposes = KeyUsage.flatMap((usage) => keyPurposes[usage] ?? [])
  const extensions = [
    extension(SUBJECT_ALT_NAME, false, new GeneralNames({ names: names.map(generalName) }).toSchema()),
    ...(bits.includes(true) ? [extension(KEY_USAGE, true, bitString(bits))] : []),
    ...(purposes.length === 0
      ? []
      : [extension(EXTENDED_KEY_USAGE, false, new ExtKeyUsage({ keyPurposes: purposes }).toSchema())]),
  ]
  const { ChallengePassword: challenge, UnstructuredName: name } = subject
  const attributes = [
    ...(challenge === undefined ? [] : [textAttribute(CHALLENGE_PASSWORD, challenge)]),
    ...(name === undefined ? [] : [textAttribute(UNSTRUCTURED_NAME, name)]),
  ]
  return signed(request, key, extensions, attributes)
}

/** A request for a certificate (PEM) like this one, for the key (PEM). */
export async function requestLike(certificate: string, key: string, challenge?: string): Promise<string> {
  const { raw } = new X509Certificate(certificate)
  const old = Certificate.fromBER(Uint8Array.from(raw))
  const request = new CertificationRequest()
  request.subject = old.subject
  const wanted = [SUBJECT_ALT_NAME, KEY_USAGE, EXTENDED_KEY_USAGE]
  const extensions = (old.extensions ?? []).filter(({ extnID }) => wanted.includes(extnID))
  const attributes = challenge === undefined ? [] : [textAttribute(CHALLENGE_PASSWORD, challenge)]
  return signed(request, key, extensions, attributes)
}

async function signed(
  request: CertificationRequest,
  key: string,
  extensions: Extension[],
  attributes: Attribute[],
): Promise<string> {
  useNodeCrypto()
  const { privateKey, publicKey } = await importKey(key)
  request.attributes = [
    new Attribute({ type: EXTENSION_REQUEST, values: [new Extensions({ extensions }).toSchema()] }),
    ...attributes,
  ]
  await request.subjectPublicKeyInfo.importKey(publicKey)
  await request.sign(privateKey, 'SHA-256')
  return pem('CERTIFICATE REQUEST', request.toSchema().toBER())
}

/** Both halves of a private key, as webcrypto wants them. */
async function importKey(key: string) {
  const { subtle } = webcrypto
  const parsed = createPrivateKey(key)
  const curve = parsed.asymmetricKeyDetails?.namedCurve ?? ''
  const curves: Readonly<Record<string, string>> = {
    prime256v1: 'P-256',
    secp384r1: 'P-384',
    secp521r1: 'P-521',
  }
  const algorithm = parsed.asymmetricKeyType === 'rsa' ? rsa : ecdsa(curves[curve] ?? curve)
  const pkcs8 = parsed.export({ type: 'pkcs8', format: 'der' })
  const privateKey = await subtle.importKey('pkcs8', pkcs8, algorithm, true, ['sign'])
  const {
    d: _d,
    p: _p,
    q: _q,
    dp: _dp,
    dq: _dq,
    qi: _qi,
    key_ops: _ops,
    ...open
  } = await subtle.exportKey('jwk', privateKey)
  return { privateKey, publicKey: await subtle.importKey('jwk', open, algorithm, true, ['verify']) }
}

function nameValue(type: string, value: string): PrintableString | IA5String | Utf8String {
  if (type === COUNTRY) return new PrintableString({ value })
  return type === EMAIL ? new IA5String({ value }) : new Utf8String({ value })
}

function textAttribute(type: string, value: string): Attribute {
  return new Attribute({ type, values: [new Utf8String({ value })] })
}

/** A DER bit string without trailing zeros, as named bits are written. */
function bitString(bits: readonly boolean[]): BitString {
  const used = bits.lastIndexOf(true) + 1
  const bytes = new Uint8Array(Math.ceil(used / 8))
  bits.forEach((isSet, index) => {
    if (isSet) bytes[index >> 3] = (bytes[index >> 3] ?? 0) | (0x80 >> (index & 7))
  })
  return new BitString({ valueHex: bytes.buffer, unusedBits: bytes.length * 8 - used })
}
