import { randomBytes, sign } from 'node:crypto'
import { digest, type Measured } from '../../bmc/measurements.ts'

// SPDM 1.2 (DSP0274) as far as measurements ask for it: what a requester and a responder say to each other.

/** What a measurement is of (DMTF measurement specification), with the number of that kind. */
const kinds = {
  MutableFirmware: 1,
  MutableFirmwareVersion: 6,
  MutableFirmwareSecurityVersionNumber: 7,
} as const
const RAW = 0x80
const DMTF = 1
const [V1_0, V1_2] = [0x10, 0x12]

/** Every measurement, and how many there are: what GET_MEASUREMENTS may ask for beside one of them. */
export const ALL = 255
export const COUNT = 0
export const HASH = 'TPM_ALG_SHA_256'
export const SIGNATURE = 'TPM_ALG_ECDSA_ECC_NIST_P256'

/** One measurement of a responder. */
export interface Measurement {
  readonly index: number
  readonly kind: keyof typeof kinds
  /** The digest, of what is raw as well. */
  readonly sha256: Buffer
  /** As it stands in a MEASUREMENTS response. */
  readonly block: Buffer
}

/** What a responder measures. */
export function spdmMeasurements({ firmware, version, securityVersion }: Measured): readonly Measurement[] {
  const svn = Buffer.alloc(8)
  svn.writeBigUInt64LE(BigInt(securityVersion))
  return [
    { index: 1, kind: 'MutableFirmware', sha256: firmware, block: block(1, kinds.MutableFirmware, firmware) },
    rawMeasurement(2, 'MutableFirmwareVersion', Buffer.from(version)),
    rawMeasurement(3, 'MutableFirmwareSecurityVersionNumber', svn),
  ]
}

function rawMeasurement(index: number, kind: keyof typeof kinds, value: Buffer): Measurement {
  return { index, kind, sha256: digest(value), block: block(index, RAW | kinds[kind], value) }
}

/** Index, specification, size; then type, size and value. */
function block(index: number, type: number, value: Buffer): Buffer {
  const head = Buffer.from([index, DMTF, 0, 0, type, 0, 0])
  head.writeUInt16LE(value.length + 3, 2)
  head.writeUInt16LE(value.length, 5)
  return Buffer.concat([head, value])
}

/**
 * The talk in which a responder tells these measurements and signs the last answer: its first messages (VCA), then a
 * request and a response for each index.
 */
export function signedMeasurements(
  all: readonly Measurement[],
  indices: readonly number[],
  nonce: Buffer,
  privateKey: string,
): Buffer {
  const talk = indices.flatMap((index, at) => {
    const isLast = at === indices.length - 1
    const request = Buffer.from([V1_2, 0xe0, isLast ? 1 : 0, index])
    return [request, ...(isLast ? [nonce, Buffer.from([0])] : []), response(all, index)]
  })
  const signed = Buffer.concat([...vca, ...talk])
  const data = Buffer.concat([context, digest(signed)])
  return Buffer.concat([signed, sign('sha256', data, { key: privateKey, dsaEncoding: 'ieee-p1363' })])
}

/** A MEASUREMENTS response without its signature. */
function response(all: readonly Measurement[], asked: number): Buffer {
  const told = all.filter(({ index }) => asked === ALL || asked === index)
  const record = Buffer.concat(told.map((one) => one.block))
  const head = Buffer.from([V1_2, 0x60, asked === COUNT ? all.length : 0, 0, told.length, 0, 0, 0])
  head.writeUIntLE(record.length, 5, 3)
  // A nonce, and no opaque data.
  return Buffer.concat([head, record, randomBytes(32), Buffer.alloc(2)])
}

/** What is signed begins with this (DSP0274 1.2 §15, combined_spdm_prefix). */
const context = Buffer.concat([
  Buffer.from('dmtf-spdm-v1.2.*'.repeat(4)),
  Buffer.from('responder-measurements signing'.padStart(36, '\0')),
])

const none = (bytes: number): number[] => Array<number>(bytes).fill(0)
/** Little-endian. */
const u16 = (value: number): number[] => [value & 0xff, value >> 8]
const u32 = (value: number): number[] => [...u16(value & 0xffff), ...u16(value >>> 16)]
const sizes = [...u32(0x1000), ...u32(0x1000)]
const [SHA_256, ECDSA_P256, MEASUREMENT_SHA_256] = [1, 0x10, 2]
/** CERT_CAP, and MEAS_CAP with signatures. */
const CAPABILITIES = 0x12

/** VCA: version, capabilities and algorithms, agreed on by request and response. */
const vca = [
  [V1_0, 0x84, 0, 0],
  [V1_0, 0x04, 0, 0, 0, 1, ...u16(0x1200)],
  [V1_2, 0xe1, 0, 0, ...none(4), ...u32(0), ...sizes],
  [V1_2, 0x61, 0, 0, ...none(4), ...u32(CAPABILITIES), ...sizes],
  [V1_2, 0xe3, 0, 0, ...u16(32), DMTF, 0, ...u32(ECDSA_P256), ...u32(SHA_256), ...none(16)],
  [V1_2, 0x63, 0, 0, ...u16(36), DMTF, 0]
    .concat(u32(MEASUREMENT_SHA_256), u32(ECDSA_P256), u32(SHA_256))
    .concat(none(16)),
].map((bytes) => Buffer.from(bytes))
