import { crc32 } from 'node:zlib'
import { millisecondsOf, timestamp } from '../../lib/clock.ts'
import { Fields } from './fields.ts'
import { activationMethods, type ActivationMethod, type PldmDescriptor } from '../image-format.ts'
import { Unreadable } from '../reading.ts'
import {
  CHECKSUM_BYTES,
  descriptorBytes,
  FORCE_UPDATE,
  HAS_MIN_VERSION,
  PRELUDE_BYTES,
  since,
  stringTypes,
  USE_COMPARISON_STAMP,
  VENDOR_DEFINED,
} from './pldm-layout.ts'

/** What the header of a package says. */
export interface PackageHeader {
  readonly releaseDate: string | undefined
  /** Of firmware devices first, then of the devices downstream of them. */
  readonly devices: readonly DeviceRecord[]
  readonly components: readonly ComponentRecord[]
  /** CRC-32 of everything behind the header, in hexadecimal. */
  readonly payloadChecksum: string | undefined
}

interface DeviceRecord {
  /** A device is meant that has all of them. */
  readonly descriptors: readonly PldmDescriptor[]
  /** Whether a component, by its place in the package, is for it. */
  readonly takes: (component: number) => boolean
}

export interface ComponentRecord {
  readonly classification: number
  readonly identifier: number
  readonly comparisonStamp: number | undefined
  readonly isForced: boolean
  readonly activation: ActivationMethod | undefined
  readonly start: number
  readonly sizeBytes: number
  readonly version: string
}

interface Layout {
  readonly revision: number
  readonly bitmapBytes: number
}

/** Reads a whole header, of which the revision is known; throws an Unreadable where any of it is not as it should be. */
export function readHeader(header: Uint8Array, revision: number): PackageHeader {
  const hasPayloadChecksum = revision >= since.payloadChecksum
  const areaBytes = header.byteLength - CHECKSUM_BYTES * (hasPayloadChecksum ? 2 : 1)
  const checksums = new Fields(header.subarray(areaBytes), 'the end of its header')
  if (crc32(header.subarray(0, areaBytes)) !== checksums.uint32())
    throw new Unreadable('its header has another checksum than it says')
  const fields = new Fields(header.subarray(0, areaBytes), 'its header')
  fields.bytes(PRELUDE_BYTES)
  const releaseDate = dateIn(fields.bytes(13))
  const bitmapBits = fields.uint16()
  if (bitmapBits % 8 !== 0) throw new Unreadable(`a bitmap of ${bitmapBits} bits fills no bytes`)
  const layout = { revision, bitmapBytes: bitmapBits / 8 }
  readText(fields, 'the version of the package')
  const own = readAll(fields.uint8(), () => readDevice(fields, layout, false))
  const downstreamCount = revision >= since.downstream ? fields.uint8() : 0
  const downstream = readAll(downstreamCount, () => readDevice(fields, layout, true))
  const components = readAll(fields.uint16(), () => readComponent(fields, revision))
  fields.end()
  if (bitmapBits < components.length) throw new Unreadable('its bitmaps have not a bit for every component')
  const devices = [...own, ...downstream].map(({ descriptors, bitmap }) => {
    requireNoMore(bitmap, components.length)
    return { descriptors, takes: (component: number) => hasBit(bitmap, component) }
  })
  const payloadChecksum = hasPayloadChecksum ? checksums.uint32().toString(16).padStart(8, '0') : undefined
  return { releaseDate, devices, components, payloadChecksum }
}

interface Device {
  readonly descriptors: readonly PldmDescriptor[]
  readonly bitmap: Uint8Array
}

/** Records of downstream devices differ in what their options and their text mean, and may have a stamp beside it. */
function readDevice(fields: Fields, { revision, bitmapBytes }: Layout, isDownstream: boolean): Device {
  const record = openRecord(fields)
  const descriptorCount = record.uint8()
  const options = record.uint32()
  const textType = record.uint8()
  const textLength = record.uint8()
  const dataLength = record.uint16()
  const manifestLength = revision >= since.manifests ? record.uint32() : 0
  const bitmap = record.bytes(bitmapBytes)
  decode(textType, record.bytes(textLength), 'the version in a device record')
  if (isDownstream && (options & HAS_MIN_VERSION) !== 0) record.uint32()
  const descriptors = readDescriptors(record, descriptorCount)
  record.bytes(dataLength)
  record.bytes(manifestLength)
  record.end()
  return { descriptors, bitmap }
}

/** A record begins with its length, that of the length itself included. */
function openRecord(fields: Fields): Fields {
  const what = 'a device record'
  const length = fields.uint16()
  if (length < 2) throw new Unreadable(`${what} is too short`)
  return new Fields(fields.bytes(length - 2), what)
}

function readDescriptors(record: Fields, count: number): PldmDescriptor[] {
  // A device of which nothing is said would be any device.
  if (count === 0) throw new Unreadable('a device record describes no device')
  return readAll(count, () => {
    const type = record.uint16()
    const data = record.bytes(record.uint16())
    const length = descriptorBytes.get(type) ?? data.byteLength
    if (data.byteLength !== length || length === 0)
      throw new Unreadable(`a descriptor of type ${hex4(type)} has ${data.byteLength} bytes`)
    if (type === VENDOR_DEFINED)
      readText(new Fields(data, 'a descriptor of a vendor'), 'the title of a descriptor')
    return { type, data: Buffer.from(data).toString('hex') }
  })
}

function readComponent(fields: Fields, revision: number): ComponentRecord {
  const classification = fields.uint16()
  const identifier = fields.uint16()
  const stamp = fields.uint32()
  const options = fields.uint16()
  const methods = fields.uint16()
  const start = fields.uint32()
  const sizeBytes = fields.uint32()
  const version = readText(fields, 'the version of a component').replace(/\0+$/, '')
  if (version === '' || /\p{Cc}/u.test(version)) throw new Unreadable('a component has no readable version')
  if (revision >= since.opaqueData) fields.bytes(fields.uint32())
  return {
    classification,
    identifier,
    comparisonStamp: (options & USE_COMPARISON_STAMP) === 0 ? undefined : stamp,
    isForced: (options & FORCE_UPDATE) !== 0,
    activation: activationMethods.find((_, bit) => (methods & (1 << bit)) !== 0),
    start,
    sizeBytes,
    version,
  }
}

/** A text, after its type and its length. */
function readText(fields: Fields, what: string): string {
  const type = fields.uint8()
  return decode(type, fields.bytes(fields.uint8()), what)
}

function decode(type: number, bytes: Uint8Array, what: string): string {
  // There is no type for no text: openbmc's packager writes 0, and others that of the texts that are there.
  if (type === stringTypes.none && bytes.byteLength === 0) return ''
  const encoding = encodingOf(type, bytes)
  if (encoding === undefined) throw new Unreadable(`${what} is a text of an unknown type, ${type}`)
  if (encoding === 'ascii' && bytes.some((byte) => byte > 0x7f)) throw new Unreadable(`${what} is not ASCII`)
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes)
  } catch {
    throw new Unreadable(`${what} is not ${encoding.toUpperCase()}`)
  }
}

function encodingOf(type: number, [first, second]: Uint8Array): string | undefined {
  switch (type) {
    case stringTypes.ascii:
      return 'ascii'
    case stringTypes.utf8:
      return 'utf-8'
    case stringTypes.utf16:
      // RFC 2781: its first character may tell the order of the bytes.
      return first === 0xff && second === 0xfe ? 'utf-16le' : 'utf-16be'
    case stringTypes.utf16le:
      return 'utf-16le'
    case stringTypes.utf16be:
      return 'utf-16be'
    default:
      return undefined
  }
}

/** A timestamp104 (DSP0240): `undefined` where it is no date, as when all of it is 0. */
function dateIn(bytes: Uint8Array): string | undefined {
  const fields = new Fields(bytes, 'a date')
  const offsetMinutes = fields.int16()
  fields.bytes(3) // microseconds
  const [second = 0, minute = 0, hour = 0, day = 0, month = 0] = fields.bytes(5)
  const year = fields.uint16()
  const isOffsetKnown = fields.uint8() >= 0x10
  const two = (value: number): string => String(value).padStart(2, '0')
  const time = [hour, minute, second].map(two).join(':')
  const local = `${String(year).padStart(4, '0')}-${two(month)}-${two(day)}T${time}Z`
  const ms = millisecondsOf(local)
  // The 30th of February would be the 2nd of March.
  if (Number.isNaN(ms) || timestamp(ms) !== local) return undefined
  const utc = timestamp(ms - (isOffsetKnown ? offsetMinutes * 60_000 : 0))
  // A year before or after all that have four digits.
  return /^\d{4}-/.test(utc) ? utc : undefined
}

function requireNoMore(bitmap: Uint8Array, count: number): void {
  const last = bitmap.findLastIndex((byte) => byte !== 0)
  const highest = last === -1 ? -1 : last * 8 + 31 - Math.clz32(bitmap[last] ?? 0)
  if (highest >= count) throw new Unreadable(`a device takes component ${highest}, and there are ${count}`)
}

function hasBit(bitmap: Uint8Array, index: number): boolean {
  return ((bitmap[index >> 3] ?? 0) & (1 << (index & 7))) !== 0
}

/** One after the other; a count that is too high meets the end of the bytes. */
function readAll<T>(count: number, read: () => T): T[] {
  const all: T[] = []
  for (let n = 0; n < count; n++) all.push(read())
  return all
}

export function hex4(value: number): string {
  return `0x${value.toString(16).padStart(4, '0')}`
}
