import { crc32 } from 'node:zlib'
import { millisecondsOf, timestamp } from '../../lib/clock.ts'
import {
  CHECKSUM_BYTES,
  FORCE_UPDATE,
  type Revision,
  since,
  stringTypes,
  USE_COMPARISON_STAMP,
} from '../layouts/pldm-layout.ts'
import { activationMethods, type ActivationMethod, type PldmDescriptor } from '../image-format.ts'

/** What is to stand in the header of a PLDM package, right or wrong. */
export interface Package extends Revision {
  readonly version: string
  readonly releaseDate: string
  readonly devices: readonly PackageDevice[]
  /** Whether the devices are behind others. */
  readonly isDownstream: boolean
  readonly components: readonly PackageComponent[]
  readonly payloadChecksum: number
  /** By how much numbers are wrong. */
  readonly off?: { readonly headerChecksum?: number; readonly componentCount?: number }
}

export interface PackageDevice {
  readonly descriptors: readonly PldmDescriptor[]
  /** Which components are for it, by their place. */
  readonly takes: readonly number[]
  /** By how much its length is wrong. */
  readonly off?: number
}

export interface PackageComponent {
  readonly classification: number
  readonly identifier: number
  readonly comparisonStamp: number | undefined
  readonly isForced: boolean
  readonly activation: ActivationMethod | undefined
  /** Where its bytes begin behind the header. */
  readonly offset: number
  readonly sizeBytes: number
  readonly version: string
  readonly versionType?: number
}

const NO_STAMP = 0xffff_ffff
const MAX_HEADER_BYTES = 0xffff
const MAX_TEXT_BYTES = 0xff
const HAS_NON_ASCII = /[^\0-\x7f]/

/** The header, its checksums included. Throws an Error that says what does not fit into one. */
export function writeHeader(whole: Package): Buffer {
  const hasPayloadChecksum = whole.revision >= since.payloadChecksum
  const checksumBytes = CHECKSUM_BYTES * (hasPayloadChecksum ? 2 : 1)
  const size = areas(whole, 0).byteLength + checksumBytes
  if (size > MAX_HEADER_BYTES)
    throw new Error('the header of a PLDM package has no room for so many components')
  const bytes = areas(whole, size)
  const checksum = crc32(bytes) ^ (whole.off?.headerChecksum ?? 0)
  return Buffer.concat([
    bytes,
    uint32(checksum),
    ...(hasPayloadChecksum ? [uint32(whole.payloadChecksum)] : []),
  ])
}

function areas(whole: Package, headerSize: number): Buffer {
  const { identifier, revision, devices, isDownstream, components, off } = whole
  // One bit more than is needed, so that a bitmap can say too much.
  const bitmapBytes = Math.floor(components.length / 8) + 1
  const records = devices.map((device) => deviceRecord(device, bitmapBytes, revision))
  const own = isDownstream ? [] : records
  const downstream = isDownstream ? records : []
  return Buffer.concat([
    Buffer.from(identifier, 'hex'),
    Buffer.of(revision),
    uint16(headerSize),
    timestamp104(whole.releaseDate),
    uint16(bitmapBytes * 8),
    text(whole.version),
    Buffer.of(own.length),
    ...own,
    ...(revision >= since.downstream ? [Buffer.of(downstream.length), ...downstream] : []),
    uint16(components.length + (off?.componentCount ?? 0)),
    ...components.map((component) => componentRecord(component, headerSize, revision)),
  ])
}

function deviceRecord(
  { descriptors, takes, off = 0 }: PackageDevice,
  bitmapBytes: number,
  revision: number,
): Buffer {
  const bitmap = Buffer.alloc(bitmapBytes)
  for (const place of takes) bitmap[place >> 3] = (bitmap[place >> 3] ?? 0) | (1 << (place & 7))
  const record = Buffer.concat([
    Buffer.of(descriptors.length),
    uint32(0), // no options
    Buffer.of(stringTypes.ascii, 1),
    uint16(0), // no package data
    ...(revision >= since.manifests ? [uint32(0)] : []),
    bitmap,
    Buffer.from('1'), // the version of the set
    ...descriptors.flatMap(({ type, data }) => [
      uint16(type),
      uint16(data.length / 2),
      Buffer.from(data, 'hex'),
    ]),
  ])
  return Buffer.concat([uint16(2 + record.byteLength + off), record])
}

function componentRecord(component: PackageComponent, headerSize: number, revision: number): Buffer {
  const { comparisonStamp, isForced, activation, versionType } = component
  const options = (isForced ? FORCE_UPDATE : 0) | (comparisonStamp === undefined ? 0 : USE_COMPARISON_STAMP)
  const version = text(component.version)
  if (versionType !== undefined) version[0] = versionType
  return Buffer.concat([
    uint16(component.classification),
    uint16(component.identifier),
    uint32(comparisonStamp ?? NO_STAMP),
    uint16(options),
    uint16(activation === undefined ? 0 : 1 << activationMethods.indexOf(activation)),
    uint32(headerSize + component.offset),
    uint32(component.sizeBytes),
    version,
    ...(revision >= since.opaqueData ? [uint32(0)] : []),
  ])
}

/** A text after its type and its length. */
function text(value: string): Buffer {
  const bytes = Buffer.from(value)
  if (bytes.byteLength > MAX_TEXT_BYTES) throw new Error(`${value} is too long for a PLDM package`)
  const type = HAS_NON_ASCII.test(value) ? stringTypes.utf8 : stringTypes.ascii
  return Buffer.concat([Buffer.of(type, bytes.byteLength), bytes])
}

/** A timestamp104 (DSP0240) in UTC, to the second. */
function timestamp104(dateTime: string): Buffer {
  const ms = millisecondsOf(dateTime)
  if (Number.isNaN(ms)) throw new Error(`${dateTime} is no date`)
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = timestamp(ms)
    .split(/\D/)
    .map(Number)
  const resolution = 0x16 // of the offset: a minute; of the time: a second
  return Buffer.concat([
    Buffer.of(0, 0, 0, 0, 0, second, minute, hour, day, month),
    uint16(year),
    Buffer.of(resolution),
  ])
}

function uint16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16LE(value)
  return bytes
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value >>> 0)
  return bytes
}
