import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import {
  AUTHENTICATION_BYTES,
  CAPSULE_HEADER_BYTES,
  capsuleFlags,
  CERTIFICATE_HEADER_BYTES,
  CERTIFICATE_KIND,
  FMP_CAPSULE,
  FMP_HEADER_BYTES,
  imageHeaderBytes,
  MAX_ITEMS,
  PAYLOAD_HEADER_BYTES,
  PAYLOAD_SIGNATURE,
  PKCS7,
  support,
} from '../layouts/capsule-layout.ts'
import { guidBytes } from '../layouts/guid.ts'
import { versionNumber } from '../layouts/version-number.ts'
import {
  type ComponentOrder,
  type ImageBuilder,
  type ImageOrder,
  orderedDefect,
  type Sign,
} from './builder.ts'
import { capsuleDefects, type Item, type Layout } from './capsule-defects.ts'
import { firmwareOf } from './firmware.ts'

const MAX_BYTES = 2 ** 32 - 1
const optionNames = ['header-version', 'monotonic-count', 'payload-header']

/** What an order says, judged. */
interface Plan {
  readonly headerVersion: number
  readonly hasPayloadHeader: boolean
  readonly monotonicCount: bigint
  readonly sign: Sign | undefined
}

/**
 * Capsules for the Firmware Management Protocol (UEFI 2.10 §23). A version is 32 bits, as the component's data says
 * (`versionFormat`, as a quad otherwise): 1.2.3 is 0x01020300. A security version is the lowest that is supported.
 * What a capsule cannot say of a component (requirements, its date) is left out.
 */
export const capsuleBuilder: ImageBuilder = {
  maxComponents: MAX_ITEMS,
  signedBy: ['certificate'],
  says: ['lowestVersion', 'activation'],
  optionNames,
  defects: capsuleDefects,
  build: (order) => {
    const { components } = order
    const defect = orderedDefect(capsuleDefects, order.defect, order.sign)
    if (order.key !== undefined) throw new Error('a capsule is signed with a certificate')
    if (components.length === 0 || components.length > MAX_ITEMS)
      throw new Error(`a capsule holds 1 to ${MAX_ITEMS} images`)
    const other = components.find(({ activation = 'system-reboot' }) => activation !== 'system-reboot')
    if (other !== undefined) throw new Error('a capsule knows no activation but system-reboot')
    const plan = planOf(order)
    const parts = components.map((component) => partOf(component, plan))
    const isLasting = components.some(({ activation }) => activation === 'system-reboot')
    return Readable.from(
      written(async () => {
        const layout = layoutOf(await Promise.all(parts.map((part) => itemOf(part, plan))), isLasting)
        defect?.break(layout)
        return layout
      }),
    )
  },
}

/** What an image is made of, its signature apart. */
interface Part extends Omit<Item, 'header' | 'authentication'> {
  readonly imageTypeId: string
  readonly hardwareInstance: bigint
}

function partOf(order: ComponentOrder, { hasPayloadHeader }: Plan): Part {
  const { name, version, sizeBytes } = order
  const { imageTypeId, hardwareInstance = 0, versionFormat } = order.identity?.capsule ?? {}
  if (imageTypeId === undefined)
    throw new Error(`the machine's data does not say which capsules ${name} takes`)
  const number = versionNumber(version, versionFormat)
  if (number === undefined && hasPayloadHeader)
    throw new Error(`32 bits do not hold the version ${version} of ${name} as a ${versionFormat ?? 'quad'}`)
  if (sizeBytes < 1 || sizeBytes > MAX_BYTES)
    throw new Error(`no capsule holds ${sizeBytes} bytes for ${name}`)
  const payloadHeader = Buffer.alloc(hasPayloadHeader ? PAYLOAD_HEADER_BYTES : 0)
  if (hasPayloadHeader) {
    payloadHeader.write(PAYLOAD_SIGNATURE, 0, 'latin1')
    payloadHeader.writeUInt32LE(PAYLOAD_HEADER_BYTES, 4)
    payloadHeader.writeUInt32LE(number ?? 0, 8)
    payloadHeader.writeUInt32LE(versionNumber(order.lowestVersion ?? '0', versionFormat) ?? 0, 12)
  }
  return {
    imageTypeId,
    hardwareInstance: BigInt(hardwareInstance),
    payloadHeader,
    firmware: () => firmwareOf(order),
    sizeBytes,
  }
}

async function itemOf(part: Part, plan: Plan): Promise<Item> {
  const { imageTypeId, hardwareInstance, payloadHeader, sizeBytes } = part
  const authentication = await authenticationOf(part, plan)
  const header = Buffer.alloc(imageHeaderBytes[plan.headerVersion] ?? 0)
  header.writeUInt32LE(plan.headerVersion, 0)
  header.set(guidBytes(imageTypeId), 4)
  header.writeUInt8(1, 20)
  header.writeUInt32LE(authentication.length + payloadHeader.length + sizeBytes, 24)
  if (plan.headerVersion >= 2) header.writeBigUInt64LE(hardwareInstance, 32)
  if (plan.headerVersion >= 3 && plan.sign) header.writeBigUInt64LE(support.authentication, 40)
  return { ...part, header, authentication }
}

/** EFI_FIRMWARE_IMAGE_AUTHENTICATION: over all that follows it, and then its MonotonicCount. */
async function authenticationOf(part: Part, { sign, monotonicCount }: Plan): Promise<Buffer> {
  if (sign === undefined) return Buffer.alloc(0)
  const count = Buffer.alloc(8)
  count.writeBigUInt64LE(monotonicCount)
  const hash = createHash('sha256').update(part.payloadHeader)
  for await (const chunk of part.firmware()) hash.update(chunk)
  const signature = await sign({ sha256: hash.update(count).digest('hex') })
  const head = Buffer.alloc(AUTHENTICATION_BYTES)
  head.set(count)
  head.writeUInt32LE(CERTIFICATE_HEADER_BYTES + signature.byteLength, 8)
  head.writeUInt32LE(CERTIFICATE_KIND, 12)
  head.set(guidBytes(PKCS7), 16)
  return Buffer.concat([head, signature])
}

function layoutOf(items: readonly Item[], isLasting: boolean): Layout {
  const fmp = Buffer.alloc(FMP_HEADER_BYTES + items.length * 8)
  fmp.writeUInt32LE(1, 0)
  fmp.writeUInt16LE(items.length, 6)
  let offset = fmp.length
  for (const [index, { header, ...item }] of items.entries()) {
    fmp.writeBigUInt64LE(BigInt(offset), FMP_HEADER_BYTES + index * 8)
    offset += header.length + item.authentication.length + item.payloadHeader.length + item.sizeBytes
  }
  const sizeBytes = CAPSULE_HEADER_BYTES + offset
  if (sizeBytes > MAX_BYTES) throw new Error(`no capsule has ${sizeBytes} bytes`)
  const capsule = Buffer.alloc(CAPSULE_HEADER_BYTES)
  capsule.set(guidBytes(FMP_CAPSULE))
  capsule.writeUInt32LE(CAPSULE_HEADER_BYTES, 16)
  const { persistAcrossReset, initiateReset } = capsuleFlags
  capsule.writeUInt32LE(isLasting ? persistAcrossReset | initiateReset : 0, 20)
  capsule.writeUInt32LE(sizeBytes, 24)
  return { capsule, fmp, items, cut: 0, tail: Buffer.alloc(0) }
}

/** The bytes in their order; how many they are is known before, so that the last ones can be left out. */
async function* written(made: () => Promise<Layout>): AsyncIterable<Uint8Array> {
  const layout = await made()
  const pieces = piecesOf(layout)
  let previous: Uint8Array = new Uint8Array()
  for await (const piece of pieces) {
    if (previous.byteLength > 0) yield previous
    previous = piece
  }
  yield previous.subarray(0, previous.byteLength - layout.cut)
}

async function* piecesOf({ capsule, fmp, items, tail }: Layout): AsyncIterable<Uint8Array> {
  yield capsule
  yield fmp
  for (const item of items) {
    yield Buffer.concat([item.header, item.authentication, item.payloadHeader])
    yield* item.firmware()
  }
  if (tail.length > 0) yield tail
}

function planOf({ options = {}, sign }: ImageOrder): Plan {
  const stranger = Object.keys(options).find((name) => !optionNames.includes(name))
  if (stranger !== undefined)
    throw new Error(`capsules have no option ${stranger}; they have ${optionNames.join(', ')}`)
  const {
    'header-version': headerVersion = '3',
    'monotonic-count': count = '1',
    'payload-header': payloadHeader = 'yes',
  } = options
  if (!/^[123]$/.test(headerVersion)) throw new Error('header-version is 1, 2 or 3')
  if (!/^\d{1,19}$/.test(count)) throw new Error('monotonic-count is a number')
  if (!/^(yes|no)$/.test(payloadHeader)) throw new Error('payload-header is yes or no')
  return {
    headerVersion: Number(headerVersion),
    hasPayloadHeader: payloadHeader === 'yes',
    monotonicCount: BigInt(count),
    sign,
  }
}
