import type { MessageKey } from '../../redfish/messages/message.ts'
import { capsuleFlags, FMP_HEADER_BYTES } from '../layouts/capsule-layout.ts'
import type { ComponentOrder, Defect } from './builder.ts'

/** A capsule before it is written, in the order of its bytes: what a defect may change. */
export interface Layout {
  readonly capsule: Buffer
  readonly fmp: Buffer
  readonly items: readonly Item[]
  /** How many bytes are left out at the end. */
  cut: number
  tail: Buffer
}

export interface Item {
  readonly header: Buffer
  readonly authentication: Buffer
  readonly payloadHeader: Buffer
  readonly firmware: NonNullable<ComponentOrder['bytes']>
  readonly sizeBytes: number
}

export interface CapsuleDefect extends Defect {
  readonly break: (layout: Layout) => void
}

const malformed: readonly MessageKey[] = ['Update.VerificationFailed', 'Redflash.ImageMalformed']
const forNobody: readonly MessageKey[] = ['Update.NoTargetsDetermined']
const forged: readonly MessageKey[] = ['Update.VerificationFailed', 'Redflash.SignatureInvalid']

/** What can be wrong with a capsule: of several images, with the first. */
export const capsuleDefects: Readonly<Record<string, CapsuleDefect>> = {
  truncate: {
    what: 'the last byte is missing',
    messages: malformed,
    break: (layout) => {
      layout.cut = 1
    },
  },
  trailing: {
    what: 'a byte follows',
    messages: malformed,
    break: (layout) => {
      layout.tail = Buffer.alloc(1)
    },
  },
  size: {
    what: 'CapsuleImageSize is one too many',
    messages: malformed,
    break: ({ capsule }) => add(capsule, 24, 1),
  },
  'header-size': {
    what: 'the header of the capsule is larger than the capsule',
    messages: malformed,
    break: ({ capsule }) => capsule.writeUInt32LE(capsule.readUInt32LE(24) + 4, 16),
  },
  flags: {
    what: 'a reset is to be initiated that the capsule does not outlast',
    messages: malformed,
    break: ({ capsule }) => capsule.writeUInt32LE(capsuleFlags.initiateReset, 20),
  },
  version: {
    what: 'the header of the images has a version that nobody knows',
    messages: malformed,
    break: ({ fmp }) => fmp.writeUInt32LE(2, 0),
  },
  'item-count': {
    what: 'one image more is announced than there is',
    messages: malformed,
    break: ({ fmp }) => fmp.writeUInt16LE(fmp.readUInt16LE(6) + 1, 6),
  },
  'no-items': {
    what: 'no image is announced',
    messages: malformed,
    break: ({ fmp }) => fmp.writeUInt16LE(0, 6),
  },
  'item-offset': {
    what: 'an image begins behind the end',
    messages: malformed,
    break: ({ capsule, fmp }) => fmp.writeBigUInt64LE(BigInt(capsule.readUInt32LE(24)), FMP_HEADER_BYTES),
  },
  'item-overlap': {
    what: 'an image begins within the list of images',
    messages: malformed,
    break: ({ fmp }) => fmp.writeBigUInt64LE(BigInt(fmp.byteLength - 1), FMP_HEADER_BYTES),
  },
  'image-version': {
    what: 'the header of an image has a version that nobody knows',
    messages: malformed,
    break: ({ items }) => first(items).header.writeUInt32LE(4, 0),
  },
  'image-size': {
    what: 'an image is a byte shorter than its header says',
    messages: malformed,
    break: ({ items }) => add(first(items).header, 24, 1),
  },
  'image-index': {
    what: 'an image has the index 0',
    messages: malformed,
    break: ({ items }) => first(items).header.writeUInt8(0, 20),
  },
  'payload-header': {
    what: 'the header of a payload is larger than the payload',
    messages: malformed,
    break: ({ items }) => payloadHeader(first(items)).writeUInt32LE(0xffff_ffff, 4),
  },
  guid: {
    what: 'an image is of a type that nobody here has',
    messages: forNobody,
    break: ({ items }) => first(items).header.fill(0xee, 4, 20),
  },
  'certificate-length': {
    what: 'a signature is longer than its image',
    messages: malformed,
    needsSignature: true,
    break: ({ items }) => first(items).authentication.writeUInt32LE(0xffff_ffff, 8),
  },
  'certificate-type': {
    what: 'a signature is of a kind that nobody knows',
    messages: malformed,
    needsSignature: true,
    break: ({ items }) => first(items).authentication.fill(0xee, 16, 32),
  },
  signature: {
    what: 'a signature is that of other bytes',
    messages: forged,
    needsSignature: true,
    break: ({ items }) => flip(first(items).authentication, -1),
  },
  'monotonic-count': {
    what: 'the count that is signed with an image is another',
    messages: forged,
    needsSignature: true,
    break: ({ items }) => flip(first(items).authentication, 0),
  },
}

function first(items: readonly Item[]): Item {
  const [item] = items
  if (item === undefined) throw new Error('a capsule holds at least one image')
  return item
}

function payloadHeader(item: Item): Buffer {
  if (item.payloadHeader.length === 0) throw new Error('the capsule has no payload header')
  return item.payloadHeader
}

function add(header: Buffer, at: number, number: number): void {
  header.writeUInt32LE(header.readUInt32LE(at) + number, at)
}

function flip(bytes: Buffer, at: number): void {
  const index = at < 0 ? bytes.length + at : at
  bytes.writeUInt8(bytes.readUInt8(index) ^ 1, index)
}
