import { guidBytes } from '../../src/image/layouts/guid.ts'

export const FMP = '6dcbd5ed-e82d-4c44-bda1-7194199ad92a'
export const CERT_TYPE_PKCS7 = '4aafd29d-68df-49ee-8aa9-347d375665a7'
export const PERSIST_ACROSS_RESET = 0x1_0000
export const INITIATE_RESET = 0x4_0000

interface CapsuleFields {
  readonly guid?: string
  readonly headerSize?: number
  readonly flags?: number
  /** What it says how long it is; the truth unless given. */
  readonly sizeBytes?: number
}

/** A capsule (UEFI 2.10 §8.5.3), byte by byte; any field may be wrong. */
export function capsuleOf(body: Buffer, fields: CapsuleFields = {}): Buffer {
  const { guid = FMP, headerSize = 28, flags = 0 } = fields
  const header = Buffer.alloc(Math.min(Math.max(headerSize, 28), 2 ** 16))
  header.set(guidBytes(guid))
  header.writeUInt32LE(headerSize, 16)
  header.writeUInt32LE(flags, 20)
  header.writeUInt32LE(fields.sizeBytes ?? header.length + body.length, 24)
  return Buffer.concat([header, body])
}

interface ListFields {
  readonly version?: number
  readonly drivers?: readonly Buffer[]
  /** Bytes between the list and the first item. */
  readonly gap?: number
  /** Where the items begin; the truth unless given. */
  readonly offsets?: (truth: readonly bigint[]) => readonly bigint[]
  /** How many drivers and images it says there are. */
  readonly counts?: readonly [number, number]
}

/** What an FMP capsule holds (§23.2): a list of items, and the items. */
export function itemsOf(images: readonly Buffer[], fields: ListFields = {}): Buffer {
  const { version = 1, drivers = [], gap = 0, counts = [drivers.length, images.length] } = fields
  const items = [...drivers, ...images]
  const begins = 8 + items.length * 8 + gap
  const truth = items.map((_, index) =>
    BigInt(items.slice(0, index).reduce((sum, { length }) => sum + length, begins)),
  )
  const list = Buffer.alloc(begins)
  list.writeUInt32LE(version, 0)
  list.writeUInt16LE(counts[0], 4)
  list.writeUInt16LE(counts[1], 6)
  for (const [index, offset] of (fields.offsets?.(truth) ?? truth).entries())
    list.writeBigUInt64LE(BigInt.asUintN(64, offset), 8 + index * 8)
  return Buffer.concat([list, ...items])
}

interface ImageFields {
  readonly version?: number
  readonly index?: number
  readonly instance?: bigint
  /** ImageCapsuleSupport: 1 is signed, 2 has dependencies. */
  readonly support?: bigint
  readonly vendor?: Buffer
  readonly sizeBytes?: number
  readonly vendorBytes?: number
}

/** An image with its header. */
export function imageOf(imageTypeId: string, image: Buffer, fields: ImageFields = {}): Buffer {
  const { version = 3, index = 1, instance = 0n, support = 0n, vendor = Buffer.alloc(0) } = fields
  const header = Buffer.alloc(48)
  header.writeUInt32LE(version, 0)
  header.set(guidBytes(imageTypeId), 4)
  header.writeUInt8(index, 20)
  header.writeUInt32LE(fields.sizeBytes ?? image.length, 24)
  header.writeUInt32LE(fields.vendorBytes ?? vendor.length, 28)
  header.writeBigUInt64LE(instance, 32)
  header.writeBigUInt64LE(support, 40)
  return Buffer.concat([header.subarray(0, [0, 32, 40][version] ?? 48), image, vendor])
}

/** Firmware behind EDK II's header with its version. */
export function payloadOf(firmware: Buffer, version: number, lowest = 0, headerSize = 16): Buffer {
  const header = Buffer.alloc(16)
  header.write('MSS1')
  header.writeUInt32LE(headerSize, 4)
  header.writeUInt32LE(version, 8)
  header.writeUInt32LE(lowest, 12)
  return Buffer.concat([header, firmware])
}

interface AuthenticationFields {
  readonly count?: bigint
  readonly length?: number
  readonly certType?: string
}

/** A payload behind its signature (EFI_FIRMWARE_IMAGE_AUTHENTICATION). */
export function authenticated(payload: Buffer, pkcs7: Buffer, fields: AuthenticationFields = {}): Buffer {
  const { count = 1n, length = 24 + pkcs7.length, certType = CERT_TYPE_PKCS7 } = fields
  const header = Buffer.alloc(32)
  header.writeBigUInt64LE(count, 0)
  header.writeUInt32LE(length, 8)
  header.writeUInt16LE(0x200, 12)
  header.writeUInt16LE(0xef1, 14)
  header.set(guidBytes(certType), 16)
  return Buffer.concat([header, pkcs7, payload])
}
