import { type BaseBlock, Constructed, OctetString, Primitive } from 'asn1js'
import { type Attribute, IssuerAndSerialNumber, SignerInfo } from 'pkijs'
import type { Result } from '../../lib/result.ts'
import type { HashName } from '../image-format.ts'
import {
  type Bounds,
  hashNamed,
  hex,
  isInteger,
  isTagged,
  oidOf,
  partsOf,
  readStructure,
  schemeOf,
  WrongStructureError,
} from './asn1.ts'
import type { Scheme } from './schemes.ts'

/** A detached CMS or PKCS#7 signature (RFC 5652 §5), read but not believed. */
export interface Cms {
  /** DER, as they came. */
  readonly certificates: readonly Uint8Array[]
  readonly signers: readonly CmsSigner[]
}

export interface CmsSigner {
  readonly by: SignerId
  /** Of what was signed. */
  readonly hash: HashName
  readonly scheme: Scheme
  readonly signature: Uint8Array
  /** What was really signed, in DER; the content itself where absent. */
  readonly attributes?: { readonly signed: Uint8Array; readonly digest: string } | undefined
}

/** Which certificate is the signer's; all in hexadecimal, names as their DER. */
export type SignerId =
  | { readonly kind: 'serial'; readonly issuer: string; readonly serialNumber: string }
  | { readonly kind: 'key-id'; readonly keyId: string }

export const SIGNED_DATA = '1.2.840.113549.1.7.2'
export const DATA = '1.2.840.113549.1.7.1'
export const CONTENT_TYPE = '1.2.840.113549.1.9.3'
export const MESSAGE_DIGEST = '1.2.840.113549.1.9.4'

const BOUNDS: Bounds = { maxBytes: 256 * 1_024, maxNodes: 10_000 }
const MAX_CERTIFICATES = 32
const MAX_SIGNERS = 8

export function readCms(bytes: Uint8Array): Result<Cms, string> {
  return readStructure(bytes, BOUNDS, cmsOf)
}

function cmsOf(root: BaseBlock): Cms {
  const [, , content, ...others] = partsOf(signedData(root))
  const [type, detached] = partsOf(content)
  if (detached !== undefined) throw new WrongStructureError('it holds what it signs, which should be apart')
  const certificates = others.filter((part) => isTagged(part, 0)).flatMap(partsOf)
  const signers = partsOf(others.at(-1))
  if (certificates.length > MAX_CERTIFICATES) {
    throw new WrongStructureError(`it has more than ${MAX_CERTIFICATES} certificates`)
  }
  if (signers.length === 0 || signers.length > MAX_SIGNERS) {
    throw new WrongStructureError(`it has ${signers.length} signers`)
  }
  return {
    // Others than X.509 certificates are tagged.
    certificates: certificates
      .filter(({ idBlock }) => idBlock.tagClass === 1)
      .map((certificate) => certificate.valueBeforeDecodeView),
    signers: signers.map((signer) => signerOf(signer, oidOf(type) ?? '')),
  }
}

/** UEFI firmware takes a SignedData without what says that it is one, too. */
function signedData(root: BaseBlock): BaseBlock | undefined {
  const [first, second] = partsOf(root)
  if (isInteger(first)) return root
  if (oidOf(first) !== SIGNED_DATA) throw new WrongStructureError('it is no SignedData')
  return partsOf(second)[0]
}

function signerOf(block: BaseBlock, contentType: string): CmsSigner {
  const { sid, digestAlgorithm, signedAttrs, signatureAlgorithm, signature } = new SignerInfo({
    schema: block,
  })
  const hash = hashNamed(digestAlgorithm)
  const scheme = hash && schemeOf(signatureAlgorithm, hash)
  if (hash === undefined || scheme?.hash !== hash) {
    throw new WrongStructureError('it is signed by an algorithm that is not taken here')
  }
  if (signedAttrs === undefined && contentType !== DATA) {
    throw new WrongStructureError('it says nowhere of what type its content is')
  }
  return {
    by: signerId(sid),
    hash,
    scheme,
    signature: new Uint8Array(signature.getValue()),
    attributes: signedAttrs && {
      signed: new Uint8Array(signedAttrs.encodedValue),
      digest: signedDigest(signedAttrs.attributes, contentType),
    },
  }
}

function signerId(sid: unknown): SignerId {
  if (sid instanceof IssuerAndSerialNumber) {
    const { issuer, serialNumber } = sid
    return {
      kind: 'serial',
      issuer: hex(issuer.valueBeforeDecode),
      serialNumber: hex(serialNumber.valueBlock.valueHexView),
    }
  }
  if (sid instanceof Primitive) return { kind: 'key-id', keyId: hex(sid.valueBlock.valueHexView) }
  throw new WrongStructureError('it does not say by whom it is')
}

/** The digest among the signed attributes, which must speak of this type of content (RFC 5652 §11.1 and §11.2). */
function signedDigest(attributes: readonly Attribute[], contentType: string): string {
  const only = (type: string): BaseBlock | undefined => {
    const values: readonly BaseBlock[] = attributes
      .filter((attribute) => attribute.type === type)
      .flatMap((attribute) => attribute.values as BaseBlock[]) // pkijs keeps what asn1js read
    if (values.length !== 1)
      throw new WrongStructureError('its signed attributes are not what they should be')
    return values[0]
  }
  if (oidOf(only(CONTENT_TYPE)) !== contentType) throw new WrongStructureError('its types of content differ')
  const digest = only(MESSAGE_DIGEST)
  if (!(digest instanceof OctetString) || digest instanceof Constructed) {
    throw new WrongStructureError('its digest is none')
  }
  return hex(digest.getValue())
}
