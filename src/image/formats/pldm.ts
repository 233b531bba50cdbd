import { fail, succeed } from '../../lib/result.ts'
import { Fields } from '../layouts/fields.ts'
import type { ImageComponent } from '../image-format.ts'
import { type ComponentRecord, hex4, type PackageHeader, readHeader } from '../layouts/pldm-header.ts'
import { IDENTIFIER_BYTES, PRELUDE_BYTES, type Revision, revisions } from '../layouts/pldm-layout.ts'
import { type ImageBytes, type ImageFormat, type Reading, Unreadable } from '../reading.ts'

/** A vendor's signature behind the payload, of which DSP0267 says nothing. */
const SIGNATURE_MAX_BYTES = 2 ** 18
/** Components may share bytes; but every byte is digested for each, and nobody's image needs that often. */
const MAX_SHARED = 4

/** A PLDM firmware update package (DSP0267, header versions 1.0 to 1.3). */
export const pldm: ImageFormat = {
  names: revisions.map(({ format }) => format),
  recognises: (head) => revisionOf(head) !== undefined,
  read: readPackage,
}

function* readPackage(image: ImageBytes): Reading {
  const prelude = yield* image.take(PRELUDE_BYTES)
  const known = revisionOf(prelude)
  const fields = new Fields(prelude.subarray(IDENTIFIER_BYTES), 'its header')
  const revision = fields.uint8()
  if (known?.revision !== revision)
    throw new Unreadable(`its header is of another format, ${revision}, than it says`)
  const headerBytes = fields.uint16()
  if (headerBytes < PRELUDE_BYTES) throw new Unreadable('its header is too short')
  const rest = yield* image.take(headerBytes - PRELUDE_BYTES)
  const bytes = Buffer.concat([prelude, rest])
  const header = readHeader(bytes, revision)
  const end = endOf(header, headerBytes)
  const digests = header.components.map(({ start, sizeBytes }) =>
    image.digest({ start, end: start + sizeBytes, algorithm: 'sha256' }),
  )
  const payload = { start: headerBytes, end }
  const checksum = header.payloadChecksum && image.digest({ ...payload, algorithm: 'crc32' })
  const signed = image.digest({ ...payload, prefix: bytes, algorithm: 'sha256' })
  yield* image.skip(end - headerBytes)
  const tail = yield* image.takeUpTo(SIGNATURE_MAX_BYTES + 1)
  const isSigned = tail.byteLength > 0
  if (isSigned && !isStructure(tail)) throw new Unreadable('what follows its components is no signature')
  yield* image.end()
  if (checksum && checksum.hex !== header.payloadChecksum)
    return fail({ kind: 'digest-mismatch', component: 'all components' })
  return succeed({
    format: known.format,
    components: header.components.map((component, index) =>
      contentsOf(header, index, { ...component, sha256: digests[index]?.hex ?? '' }),
    ),
    signatures: isSigned
      ? [{ form: 'cms', bytes: tail, signed: { hash: 'sha256', digest: signed.hex } }]
      : [],
  })
}

function revisionOf(head: Uint8Array): Revision | undefined {
  const identifier = Buffer.from(head.subarray(0, IDENTIFIER_BYTES)).toString('hex')
  return revisions.find((one) => one.identifier === identifier)
}

/** Whether bytes are one ASN.1 sequence (X.690 §8.1), as CMS is; what is in it is for those to judge who verify it. */
function isStructure(bytes: Uint8Array): boolean {
  const [tag, first = 0] = bytes
  if (tag !== 0x30 || bytes.byteLength > SIGNATURE_MAX_BYTES) return false
  // 0x80: its end is marked, not counted.
  if (first <= 0x80) return first === 0x80 || bytes.byteLength === 2 + first
  const length = bytes.subarray(2, 2 + first - 0x80).reduce((sum, byte) => sum * 256 + byte, 0)
  return bytes.byteLength === 2 + first - 0x80 + length
}

/** Where the last component ends; throws an Unreadable where components lie as none may. */
function endOf({ components }: PackageHeader, headerBytes: number): number {
  if (components.length === 0) throw new Unreadable('it holds no components')
  const ends = new Map(components.map(({ start, sizeBytes }) => [`${start} ${sizeBytes}`, sizeBytes]))
  const end = components.reduce(
    (last, { start, sizeBytes }) => Math.max(last, start + sizeBytes),
    headerBytes,
  )
  const inHeader = components.find(({ start }) => start < headerBytes)
  if (inHeader) throw new Unreadable(`${nameOf(inHeader)} begins within the header`)
  const digested = [...ends.values()].reduce((sum, sizeBytes) => sum + sizeBytes, 0)
  if (digested > MAX_SHARED * (end - headerBytes)) throw new Unreadable('its components share too many bytes')
  return end
}

function contentsOf(
  { releaseDate, devices }: PackageHeader,
  index: number,
  { sha256, ...component }: ComponentRecord & { readonly sha256: string },
): ImageComponent {
  const { classification, identifier, ...more } = component
  const takers = devices.filter(({ takes }) => takes(index)).map(({ descriptors }) => descriptors)
  return {
    ...more,
    name: nameOf(component),
    releaseDate,
    fits: { kind: 'pldm', classification, identifier, devices: takers },
    requires: [],
    sha256,
  }
}

/** The package gives components no names. */
function nameOf({ identifier }: Pick<ComponentRecord, 'identifier'>): string {
  return `component ${hex4(identifier)}`
}
