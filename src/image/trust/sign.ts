import {
  type BaseBlock,
  Constructed,
  fromBER,
  GeneralizedTime,
  Integer,
  Null,
  ObjectIdentifier,
  OctetString,
  Sequence,
  Set as SetOf,
  UTCTime,
} from 'asn1js'
import {
  constants,
  createPrivateKey,
  createPublicKey,
  privateEncrypt,
  sign,
  X509Certificate,
} from 'node:crypto'
import type { HashName, ImageSignature } from '../image-format.ts'
import { hashOids, schemeOids } from './asn1.ts'
import { CONTENT_TYPE, DATA, MESSAGE_DIGEST, SIGNED_DATA } from './cms.ts'
import { cryptoOptions, digestInfo, digestOf, formsOf, type Scheme } from './schemes.ts'

const SIGNING_TIME = '1.2.840.113549.1.9.5'
/** Before it, times are written with two digits for the year (RFC 5280 §4.1.2.5). */
const YEAR_2050 = 2_524_608_000_000

/** What is signed, and by whose key (PEM). */
export interface KeySigning {
  readonly signed: ImageSignature['signed']
  readonly key: string
  /** SHA-256 unless given; where a digest is signed, its own. */
  readonly hash?: HashName | undefined
}

export interface CmsSigning extends KeySigning {
  /** PEM: the signer's, then those that lead from it to an anchor. */
  readonly certificates: readonly string[]
  /** In milliseconds since the epoch: given, so that the same image comes out every time. */
  readonly signingTime: number
  /** `none`: the content itself is signed, and nothing beside it. */
  readonly attributes?: 'none' | undefined
}

/** Whether something can be signed with this key (PEM). */
export function isPrivateKey(pem: string): boolean {
  try {
    return createPrivateKey(pem).type === 'private'
  } catch {
    return false
  }
}

/** A bare signature. Throws an Error where the key cannot make one of this form. */
export function signWithKey(
  form: Scheme['form'],
  { signed, key: pem, hash = 'sha256' }: KeySigning,
): Uint8Array {
  const key = createPrivateKey(pem)
  if (!formsOf(createPublicKey(key)).includes(form)) throw new Error(`the key is none for ${form}`)
  if ('digest' in signed) {
    if (form !== 'rsa-pkcs1') throw new Error(`${form} signs content, not its digest`)
    const padding = constants.RSA_PKCS1_PADDING
    return privateEncrypt({ key, padding }, digestInfo(signed.hash, signed.digest))
  }
  const algorithm = form === 'ed25519' ? null : hash
  return sign(algorithm, signed.content, { key, ...cryptoOptions({ form, hash }) })
}

/** A detached CMS signature (RFC 5652 §5) in DER. Throws an Error where key and certificate do not go together. */
export function signCms({ signed, certificates, signingTime, ...signing }: CmsSigning): Uint8Array {
  const chain = certificates.map((pem) => new X509Certificate(pem))
  const form = cmsForm(signing.key, chain[0])
  const hash = 'digest' in signed ? signed.hash : (signing.hash ?? 'sha256')
  const attributes =
    signing.attributes === 'none'
      ? undefined
      : inOrder([
          attribute(CONTENT_TYPE, new ObjectIdentifier({ value: DATA })),
          attribute(SIGNING_TIME, time(signingTime)),
          attribute(
            MESSAGE_DIGEST,
            octets('digest' in signed ? signed.digest : digestOf(hash, signed.content)),
          ),
        ])
  const content = attributes && new Uint8Array(new SetOf({ value: attributes }).toBER())
  const signature = signWithKey(form, { key: signing.key, hash, signed: content ? { content } : signed })
  const signer = new Sequence({
    value: [
      new Integer({ value: 1 }),
      ...chain.slice(0, 1).map(({ raw }) => issuerAndSerial(raw)),
      algorithmOf(hashOids[hash], []),
      ...(attributes ? [tagged(attributes)] : []),
      algorithmOf(schemeOids[form][hash], form === 'rsa-pkcs1' ? [new Null()] : []),
      octets(Buffer.from(signature).toString('hex')),
    ],
  })
  const signedData = new Sequence({
    value: [
      new Integer({ value: 1 }),
      new SetOf({ value: [algorithmOf(hashOids[hash], [])] }),
      new Sequence({ value: [new ObjectIdentifier({ value: DATA })] }),
      tagged(inOrder(chain.map(({ raw }) => parsed(raw)))),
      new SetOf({ value: [signer] }),
    ],
  })
  const cms = new Sequence({ value: [new ObjectIdentifier({ value: SIGNED_DATA }), tagged([signedData])] })
  return new Uint8Array(cms.toBER())
}

function cmsForm(key: string, signer: X509Certificate | undefined): keyof typeof schemeOids {
  const form = signer && formsOf(signer.publicKey)[0]
  if (signer === undefined || form === undefined || form === 'rsa-pss') {
    throw new Error('the first certificate has no key that signs')
  }
  if (!signer.checkPrivateKey(createPrivateKey(key)))
    throw new Error('the key is not that of the first certificate')
  return form
}

function issuerAndSerial(certificate: Uint8Array): Sequence {
  const [tbs] = parsed(certificate).valueBlock.value
  if (!(tbs instanceof Sequence)) throw new Error('a certificate begins with what is signed of it')
  const fields = tbs.valueBlock.value
  const serial = fields.findIndex((field) => field instanceof Integer)
  // Between them stands the algorithm (RFC 5280 §4.1).
  return new Sequence({
    value: [fields[serial], fields[serial + 2]].filter((field) => field !== undefined).toReversed(),
  })
}

function parsed(der: Uint8Array): Sequence {
  const { result } = fromBER(der)
  if (!(result instanceof Sequence)) throw new Error('a certificate is a sequence')
  return result
}

function attribute(type: string, value: BaseBlock): Sequence {
  return new Sequence({ value: [new ObjectIdentifier({ value: type }), new SetOf({ value: [value] })] })
}

function algorithmOf(oid: string, parameters: readonly BaseBlock[]): Sequence {
  return new Sequence({ value: [new ObjectIdentifier({ value: oid }), ...parameters] })
}

function octets(hex: string): OctetString {
  return new OctetString({ valueHex: Uint8Array.from(Buffer.from(hex, 'hex')) })
}

function tagged(value: BaseBlock[]): Constructed {
  return new Constructed({ idBlock: { tagClass: 3, tagNumber: 0 }, value })
}

function time(ms: number): BaseBlock {
  const valueDate = new Date(Math.floor(ms / 1_000) * 1_000)
  return ms < YEAR_2050 ? new UTCTime({ valueDate }) : new GeneralizedTime({ valueDate })
}

/** As DER orders the members of a set (X.690 §11.6). */
function inOrder(blocks: readonly BaseBlock[]): BaseBlock[] {
  return blocks
    .map((block) => ({ block, der: Buffer.from(block.toBER()) }))
    .toSorted((one, other) => Buffer.compare(one.der, other.der))
    .map(({ block }) => block)
}
