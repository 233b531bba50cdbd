import {
  AUTHENTICATION_BYTES,
  CERTIFICATE_HEADER_BYTES,
  CERTIFICATE_KIND,
  PAYLOAD_HEADER_BYTES,
  PAYLOAD_SIGNATURE,
  PKCS7,
  support,
  viewOf,
} from './capsule-layout.ts'
import type { PartDigest } from '../digests/digests.ts'
import { guidAt } from './guid.ts'
import type { HashName } from '../image-format.ts'
import { type ImageBytes, type Step, Unreadable } from '../reading.ts'

const MAX_SIGNATURE_BYTES = 2 ** 16
const MAX_DEPENDENCY_BYTES = 2 ** 12

/** What an image for the Firmware Management Protocol says of itself. */
export interface FmpPayload {
  readonly version?: number
  /** The lowest that may be installed after it. */
  readonly lowestVersion?: number
  readonly signature?: { readonly bytes: Uint8Array; readonly hash: HashName; readonly digest: PartDigest }
}

/** What an image begins with: authentication, dependencies, and the header with its version; all may be absent. */
export function* readPayload(image: ImageBytes, end: number, parts: bigint): Step<FmpPayload> {
  const head = yield* image.take(Math.min(AUTHENTICATION_BYTES, end - image.position))
  const hasDependencies = (parts & support.dependency) !== 0n
  const ahead = hasDependencies ? MAX_DEPENDENCY_BYTES + PAYLOAD_HEADER_BYTES : PAYLOAD_HEADER_BYTES
  // Before version 3 of its header, an image does not say whether it is signed: its bytes do.
  if (head.byteLength < AUTHENTICATION_BYTES || viewOf(head).readUInt32LE(12) !== CERTIFICATE_KIND) {
    if ((parts & support.authentication) !== 0n)
      throw new Unreadable('an image lacks the signature it announces')
    const more = Math.min(Math.max(ahead - head.byteLength, 0), end - image.position)
    const bytes = Buffer.concat([head, yield* image.take(more)])
    return versionIn(bytes, end - image.position + bytes.byteLength, hasDependencies)
  }
  const signature = yield* readSignature(image, viewOf(head), end)
  const left = end - image.position
  const bytes = viewOf(yield* image.take(Math.min(ahead, left)))
  return { ...versionIn(bytes, left, hasDependencies), signature }
}

function* readSignature(
  image: ImageBytes,
  head: Buffer,
  end: number,
): Step<NonNullable<FmpPayload['signature']>> {
  if (guidAt(head, 16) !== PKCS7) throw new Unreadable('an image is signed in a way that is not known here')
  const length = head.readUInt32LE(8) - CERTIFICATE_HEADER_BYTES
  if (length <= 0 || length >= end - image.position)
    throw new Unreadable('a signature does not lie within its image')
  if (length > MAX_SIGNATURE_BYTES)
    throw new Unreadable(`a signature has more than ${MAX_SIGNATURE_BYTES} bytes`)
  const bytes = yield* image.take(length)
  const hash = digestNameIn(bytes)
  // What is signed is the image behind the signature, and then the MonotonicCount before it.
  const suffix = head.subarray(0, 8)
  return { bytes, hash, digest: image.digest({ start: image.position, end, algorithm: hash, suffix }) }
}

/** Which digest a signature is of, as it says near its beginning; whoever verifies it finds out whether that is true. */
function digestNameIn(signature: Uint8Array): HashName {
  const at = viewOf(signature.subarray(0, 128)).indexOf(SHA_2)
  const name = at === -1 ? undefined : shaNames.get(signature[at + SHA_2.length] ?? 0)
  return name ?? 'sha256'
}

/** The object identifiers of its digests, but for the last number (RFC 5754). */
const SHA_2 = Buffer.from('06096086480165030402', 'hex')
const shaNames: ReadonlyMap<number, HashName> = new Map([
  [1, 'sha256'],
  [2, 'sha384'],
  [3, 'sha512'],
])

/** The header that EDK II, and who follows it, put before the firmware (FMP_PAYLOAD_HEADER). */
function versionIn(bytes: Buffer, sizeBytes: number, hasDependencies: boolean): FmpPayload {
  const start = hasDependencies ? dependencyBytes(bytes) : 0
  const header = bytes.subarray(start, start + PAYLOAD_HEADER_BYTES)
  if (header.byteLength < PAYLOAD_HEADER_BYTES || header.toString('latin1', 0, 4) !== PAYLOAD_SIGNATURE)
    return {}
  const headerSize = header.readUInt32LE(4)
  if (headerSize < PAYLOAD_HEADER_BYTES || headerSize > sizeBytes - start)
    throw new Unreadable('the header of a payload does not lie within it')
  return { version: header.readUInt32LE(8), lowestVersion: header.readUInt32LE(12) }
}

/** EFI_FIRMWARE_IMAGE_DEP (UEFI 2.10 §23.2): operators, some with an operand, up to one that ends them. */
function dependencyBytes(bytes: Buffer): number {
  for (let at = 0; at < Math.min(bytes.byteLength, MAX_DEPENDENCY_BYTES);) {
    const operator = bytes.readUInt8(at++)
    if (operator === 0x0d) return at
    if (operator > 0x0e) break
    if (operator === 0x02) while (at < bytes.byteLength && bytes.readUInt8(at) !== 0) at++
    at += operandBytes.get(operator) ?? 0
  }
  throw new Unreadable('the dependencies of an image have no end')
}

/** Of a GUID, a version, the zero that ends a text, and a length. */
const operandBytes: ReadonlyMap<number, number> = new Map([
  [0x00, 16],
  [0x01, 4],
  [0x02, 1],
  [0x0e, 4],
])
