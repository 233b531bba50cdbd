import { type BaseBlock, Constructed, fromBER, Integer, ObjectIdentifier } from 'asn1js'
import { AlgorithmIdentifier, RSASSAPSSParams } from 'pkijs'
import { fail, type Result, succeed } from '../../lib/result.ts'
import type { HashName } from '../image-format.ts'
import type { Scheme } from './schemes.ts'

/** Bounds of a structure that somebody sends. */
export interface Bounds {
  readonly maxBytes: number
  readonly maxNodes: number
}

/** The bytes are not the structure that they should be. */
export class WrongStructureError extends Error {}

/** Reads one structure (BER) that fills the bytes, and makes something of it; whatever is wrong with it is a problem. */
export function readStructure<T>(
  bytes: Uint8Array,
  { maxBytes, maxNodes }: Bounds,
  make: (root: BaseBlock) => T,
): Result<T, string> {
  if (bytes.byteLength > maxBytes) return fail(`it has more than ${maxBytes} bytes`)
  try {
    const { offset, result } = fromBER(bytes, { maxDepth: 32, maxNodes, maxContentLength: maxBytes })
    if (offset === -1) return fail('it is not ASN.1')
    return offset === bytes.byteLength ? succeed(make(result)) : fail('bytes follow it')
  } catch (error) {
    // asn1js and pkijs throw bare Errors of all kinds where a structure is not what it should be.
    return fail(
      error instanceof WrongStructureError ? error.message : 'it has not the structure that it should',
    )
  }
}

/** Throws a WrongStructureError unless this is made of others. */
export function partsOf(block: BaseBlock | undefined): readonly BaseBlock[] {
  if (!(block instanceof Constructed)) throw new WrongStructureError('it lacks a part')
  return block.valueBlock.value
}

export function oidOf(block: BaseBlock | undefined): string | undefined {
  return block instanceof ObjectIdentifier ? block.valueBlock.toString() : undefined
}

export function isInteger(block: BaseBlock | undefined): boolean {
  return block instanceof Integer
}

/** Whether it is tagged with a number that its place gives a meaning. */
export function isTagged(block: BaseBlock | undefined, tagNumber: number): boolean {
  return block?.idBlock.tagClass === 3 && block.idBlock.tagNumber === tagNumber
}

export function hex(bytes: ArrayBuffer | Uint8Array): string {
  return Buffer.from(bytes instanceof Uint8Array ? bytes : new Uint8Array(bytes)).toString('hex')
}

const RSA_ENCRYPTION = '1.2.840.113549.1.1.1'
const RSASSA_PSS = '1.2.840.113549.1.1.10'
const MGF1 = '1.2.840.113549.1.1.8'
const ED25519 = '1.3.101.112'

/** Object identifiers of digests (RFC 5754); those that are broken have none here. */
export const hashOids: Readonly<Record<HashName, string>> = {
  sha256: '2.16.840.1.101.3.4.2.1',
  sha384: '2.16.840.1.101.3.4.2.2',
  sha512: '2.16.840.1.101.3.4.2.3',
}
const hashes = new Map(Object.entries(hashOids).map(([name, oid]) => [oid, name as HashName]))

/** Object identifiers of signatures as they are written; RSA says which digest elsewhere. */
export const schemeOids: Readonly<
  Record<Exclude<Scheme['form'], 'rsa-pss'>, Readonly<Record<HashName, string>>>
> = {
  'rsa-pkcs1': { sha256: RSA_ENCRYPTION, sha384: RSA_ENCRYPTION, sha512: RSA_ENCRYPTION },
  ecdsa: {
    sha256: '1.2.840.10045.4.3.2',
    sha384: '1.2.840.10045.4.3.3',
    sha512: '1.2.840.10045.4.3.4',
  },
  ed25519: { sha256: ED25519, sha384: ED25519, sha512: ED25519 },
}
const schemes: ReadonlyMap<string, Scheme> = new Map([
  ['1.2.840.113549.1.1.11', { form: 'rsa-pkcs1', hash: 'sha256' }],
  ['1.2.840.113549.1.1.12', { form: 'rsa-pkcs1', hash: 'sha384' }],
  ['1.2.840.113549.1.1.13', { form: 'rsa-pkcs1', hash: 'sha512' }],
  [schemeOids.ecdsa.sha256, { form: 'ecdsa', hash: 'sha256' }],
  [schemeOids.ecdsa.sha384, { form: 'ecdsa', hash: 'sha384' }],
  [schemeOids.ecdsa.sha512, { form: 'ecdsa', hash: 'sha512' }],
])

export function hashNamed({ algorithmId }: AlgorithmIdentifier): HashName | undefined {
  return hashes.get(algorithmId)
}

/** How a signature is made, as its algorithm says; `digest` is what is said beside it. Throws where that is unreadable. */
export function schemeOf(algorithm: AlgorithmIdentifier, digest?: HashName): Scheme | undefined {
  const { algorithmId, algorithmParams: parameters } = algorithm
  if (algorithmId === ED25519) return { form: 'ed25519', hash: digest ?? 'sha512' }
  if (algorithmId === RSA_ENCRYPTION) return digest && { form: 'rsa-pkcs1', hash: digest }
  return algorithmId === RSASSA_PSS ? pssScheme(parameters) : schemes.get(algorithmId)
}

/** RFC 4055 §3.1; node:crypto knows one digest for both of its purposes. */
function pssScheme(parameters: unknown): Scheme | undefined {
  const { hashAlgorithm, maskGenAlgorithm, saltLength, trailerField } = new RSASSAPSSParams({
    schema: parameters,
  })
  const hash = hashNamed(hashAlgorithm)
  if (hash === undefined || maskGenAlgorithm.algorithmId !== MGF1 || trailerField !== 1) return undefined
  const mask = new AlgorithmIdentifier({ schema: maskGenAlgorithm.algorithmParams })
  return hashNamed(mask) === hash ? { form: 'rsa-pss', hash, saltLength } : undefined
}
