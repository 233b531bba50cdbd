import { succeed } from '../../lib/result.ts'
import {
  CAPSULE_HEADER_BYTES,
  capsuleFlags,
  FMP_CAPSULE,
  FMP_HEADER_BYTES,
  imageHeaderBytes,
  MAX_ITEMS,
  viewOf,
} from '../layouts/capsule-layout.ts'
import type { PartDigest } from '../digests/digests.ts'
import { type FmpPayload, readPayload } from '../layouts/fmp-payload.ts'
import { guidAt } from '../layouts/guid.ts'
import type { ImageComponent, ImageSignature } from '../image-format.ts'
import { type ImageBytes, type Reading, type Step, Unreadable, type ImageFormat } from '../reading.ts'
import { versionText } from '../layouts/version-number.ts'

/** What an image says that has no header with a version. */
const UNKNOWN_VERSION = 'unknown'

/** A plain capsule has nothing else to be known by than that its header makes sense. */
const MAX_HEADER_BYTES = 2 ** 16
const NO_GUID = '00000000-0000-0000-0000-000000000000'
const ALL_FLAGS = 0x7_ffff

/** Capsules that hold no firmware. */
const others: ReadonlyMap<string, string> = new Map([
  ['3b8c8162-188c-46a4-aec9-be43f1d65697', 'a picture to be shown'],
  ['67d6f4cd-d6b8-4573-bf4a-de5e252d61ae', 'a configuration'],
  ['0c996046-bcc0-4d04-85ec-e1fcedf1c6f8', 'the consent to what was installed'],
  ['acd58b4b-c0e8-475f-99b5-6b3f7e07aaf0', 'the wish to go back to what was installed before'],
])

interface CapsuleHeader {
  readonly guid: string
  readonly headerSize: number
  readonly flags: number
  readonly sizeBytes: number
}

interface Item {
  readonly name: string
  readonly imageTypeId: string
  readonly hardwareInstance: bigint
  readonly start: number
  readonly sizeBytes: number
  readonly sha256: PartDigest
  readonly payload?: FmpPayload
}

/**
 * UEFI capsules (UEFI 2.10 §8.5.3 and §23): those of the Firmware Management Protocol; others, whose GUID is that of
 * the firmware itself (ESRT, FwClass), are one component; so is the FMP capsule that such a one may hold.
 * A component's bytes are what SetImage is given: the image with its authentication, without the vendor's code.
 */
export const capsule: ImageFormat = {
  names: ['UEFICapsule'],
  recognises: (head) => {
    if (head.byteLength < CAPSULE_HEADER_BYTES) return false
    const header = headerIn(head)
    return header.guid === FMP_CAPSULE || isPlausible(header)
  },
  read: readCapsule,
}

function* readCapsule(image: ImageBytes): Reading {
  const header = checked(headerIn(yield* image.take(CAPSULE_HEADER_BYTES)))
  yield* image.skip(header.headerSize - CAPSULE_HEADER_BYTES)
  const end = header.sizeBytes
  const items = header.guid === FMP_CAPSULE ? yield* readItems(image, end) : yield* readPlain(image, header)
  yield* image.end()
  if (image.position !== end) throw new Unreadable(`${image.position - end} bytes follow it`)
  requireDifferent(items)
  const activation = (header.flags & capsuleFlags.persistAcrossReset) === 0 ? undefined : 'system-reboot'
  return succeed({
    format: 'UEFICapsule',
    components: items.map((item) => ({ ...componentOf(item), activation })),
    signatures: items.flatMap(signaturesOf),
  })
}

function headerIn(bytes: Uint8Array): CapsuleHeader {
  const view = viewOf(bytes)
  return {
    guid: guidAt(bytes),
    headerSize: view.readUInt32LE(16),
    flags: view.readUInt32LE(20),
    sizeBytes: view.readUInt32LE(24),
  }
}

function isPlausible({ guid, headerSize, flags, sizeBytes }: CapsuleHeader): boolean {
  const isSized = headerSize >= CAPSULE_HEADER_BYTES && headerSize <= MAX_HEADER_BYTES && headerSize % 4 === 0
  return isSized && guid !== NO_GUID && sizeBytes >= headerSize && (flags & ~ALL_FLAGS) === 0
}

function checked(header: CapsuleHeader): CapsuleHeader {
  const { guid, headerSize, sizeBytes } = header
  const other = others.get(guid)
  if (other !== undefined) throw new Unreadable(`it is a capsule with ${other}, no firmware`)
  if (headerSize < CAPSULE_HEADER_BYTES) throw new Unreadable(`its header has no ${headerSize} bytes`)
  if (headerSize >= sizeBytes) throw new Unreadable('its header fills it')
  const { persistAcrossReset, populateSystemTable, initiateReset } = capsuleFlags
  const isLasting = (header.flags & persistAcrossReset) !== 0
  if (!isLasting && (header.flags & (populateSystemTable | initiateReset)) !== 0)
    throw new Unreadable('its flags speak of a reset that it would not outlast')
  return header
}

/** A capsule that is of one firmware throughout, or holds a capsule for FMP after all. */
function* readPlain(image: ImageBytes, { guid, sizeBytes: end }: CapsuleHeader): Step<readonly Item[]> {
  const start = image.position
  const sha256 = image.digest({ start, end, algorithm: 'sha256' })
  const head = yield* image.take(Math.min(end - start, CAPSULE_HEADER_BYTES))
  if (head.byteLength === CAPSULE_HEADER_BYTES && guidAt(head) === FMP_CAPSULE) {
    const inner = checked(headerIn(head))
    if (start + inner.sizeBytes !== end) throw new Unreadable('the capsule in it does not fill it')
    yield* image.skip(inner.headerSize - CAPSULE_HEADER_BYTES)
    return yield* readItems(image, end)
  }
  yield* image.skip(end - image.position)
  const sizeBytes = end - start
  return [{ name: `ESRT ${guid}`, imageTypeId: guid, hardwareInstance: 0n, start, sizeBytes, sha256 }]
}

/** EFI_FIRMWARE_MANAGEMENT_CAPSULE_HEADER, and all that it lists. */
function* readItems(image: ImageBytes, end: number): Step<readonly Item[]> {
  const base = image.position
  if (end - base < FMP_HEADER_BYTES) throw new Unreadable('it has no room for the header of its images')
  const head = viewOf(yield* image.take(FMP_HEADER_BYTES))
  const version = head.readUInt32LE(0)
  if (version !== 1) throw new Unreadable(`version ${version} of its header is not known here`)
  const drivers = head.readUInt16LE(4)
  const count = drivers + head.readUInt16LE(6)
  if (count === drivers) throw new Unreadable('it holds no image')
  if (count > MAX_ITEMS) throw new Unreadable(`it holds more than ${MAX_ITEMS} items`)
  if (end - image.position < count * 8) throw new Unreadable('it has no room for the list of its images')
  const list = viewOf(yield* image.take(count * 8))
  const starts = startsIn(list, base, end)
  const items: Item[] = []
  for (const [index, start] of starts.entries()) {
    yield* image.skip(start - image.position)
    // Drivers to be run on the host are nothing to a service.
    if (index >= drivers) items.push(yield* readItem(image, starts[index + 1] ?? end))
  }
  return items
}

/** Where the items begin: one after the other, behind the list. */
function startsIn(list: Buffer, base: number, end: number): readonly number[] {
  let previous = BigInt(FMP_HEADER_BYTES + list.byteLength) - 1n
  return Array.from({ length: list.byteLength / 8 }, (_, index) => {
    const offset = list.readBigUInt64LE(index * 8)
    if (offset <= previous) throw new Unreadable(`its item ${index + 1} begins within what is before it`)
    if (offset >= BigInt(end - base)) throw new Unreadable(`its item ${index + 1} begins behind its end`)
    previous = offset
    return base + Number(offset)
  })
}

/** EFI_FIRMWARE_MANAGEMENT_CAPSULE_IMAGE_HEADER, the image, and what its vendor adds: all up to `end`. */
function* readItem(image: ImageBytes, end: number): Step<Item> {
  const room = end - image.position
  if (room < 4) throw new Unreadable('an image has no room for its header')
  const version = viewOf(yield* image.take(4)).readUInt32LE(0)
  const headerSize = imageHeaderBytes[version] ?? 0
  if (headerSize === 0) throw new Unreadable(`version ${version} of an image's header is not known here`)
  if (room < headerSize) throw new Unreadable('an image has no room for its header')
  // From here on, places are 4 less than the specification's.
  const header = viewOf(yield* image.take(headerSize - 4))
  const [imageTypeId, sizeBytes, vendorBytes] = [
    guidAt(header),
    header.readUInt32LE(20),
    header.readUInt32LE(24),
  ]
  if (header.readUInt8(16) === 0) throw new Unreadable(`the image ${imageTypeId} has no index`)
  if (sizeBytes === 0) throw new Unreadable(`the image ${imageTypeId} is empty`)
  if (headerSize + sizeBytes + vendorBytes !== room)
    throw new Unreadable(`the image ${imageTypeId} has another size than its header says`)
  const hardwareInstance = version >= 2 ? header.readBigUInt64LE(28) : 0n
  const parts = version >= 3 ? header.readBigUInt64LE(36) : 0n
  const start = image.position
  const sha256 = image.digest({ start, end: start + sizeBytes, algorithm: 'sha256' })
  const payload = yield* readPayload(image, start + sizeBytes, parts)
  yield* image.skip(end - image.position)
  const name = `FMP ${imageTypeId}${hardwareInstance === 0n ? '' : `/${hardwareInstance}`}`
  return { name, imageTypeId, hardwareInstance, start, sizeBytes, sha256, payload }
}

/** Two images for one device would leave open which of them it gets. */
function requireDifferent(items: readonly Item[]): void {
  for (const [index, { imageTypeId, hardwareInstance }] of items.entries()) {
    const isTwin = items.slice(0, index).some((other) => {
      const instances = [other.hardwareInstance, hardwareInstance]
      const isSame = instances[0] === instances[1] || instances.includes(0n)
      return isSame && other.imageTypeId === imageTypeId
    })
    if (isTwin) throw new Unreadable(`two of its images are for ${imageTypeId}`)
  }
}

function componentOf({ name, start, sizeBytes, sha256, payload = {}, ...item }: Item): ImageComponent {
  const { version, lowestVersion } = payload
  return {
    name,
    version: version === undefined ? UNKNOWN_VERSION : versionText(version),
    releaseDate: undefined,
    fits: { kind: 'capsule', imageTypeId: item.imageTypeId, hardwareInstance: item.hardwareInstance },
    requires: [],
    sha256: sha256.hex,
    start,
    sizeBytes,
    lowestVersion: lowestVersion === undefined ? undefined : versionText(lowestVersion),
  }
}

function signaturesOf({ name, payload }: Item): ImageSignature[] {
  if (payload?.signature === undefined) return []
  const { bytes, hash, digest } = payload.signature
  return [{ form: 'cms', bytes, signed: { hash, digest: digest.hex }, component: name }]
}
