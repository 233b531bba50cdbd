import { createHash } from 'node:crypto'
import { buffer } from 'node:stream/consumers'
import { crc32 } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import type { ComponentOrder } from '../../src/image/build/builder.ts'
import { pldmBuilder } from '../../src/image/build/pldm.ts'
import { pldm } from '../../src/image/formats/pldm.ts'
import type { ImageContents } from '../../src/image/image-format.ts'
import {
  type ComponentInImage,
  type Defect,
  imageFormatContract,
  open,
  pattern,
  readAll,
} from './image-format.ts'

const identifiers: Readonly<Record<string, number>> = { 'NIC-1': 1, BIOS: 2, CPLD: 3, 'PSU-1': 0xffff }
const descriptorsOf = (name: string) => [
  { type: 1, data: 'd97e0000' },
  { type: 0xffff, data: Buffer.concat([Buffer.of(1, 4), Buffer.from(`Name${name}`)]).toString('hex') },
]

function order(
  { name, version, firmware }: ComponentInImage,
  more: Partial<ComponentOrder> = {},
): ComponentOrder {
  const identifier = identifiers[name] ?? 0
  return {
    name,
    version,
    softwareId: name,
    identity: { pldm: { descriptors: descriptorsOf(name), classification: 10, identifier } },
    sizeBytes: firmware.length,
    bytes: () => [firmware],
    ...more,
  }
}

function build(
  components: readonly ComponentInImage[],
  options: Record<string, string> = {},
  defect?: string,
): Promise<Buffer> {
  const orders = components.map((component) => order(component))
  return buffer(pldmBuilder.build({ components: orders, options, ...(defect !== undefined && { defect }) }))
}

const nic: ComponentInImage = { name: 'NIC-1', version: '1.2.3', firmware: pattern(2_000, 1) }
const bios: ComponentInImage = { name: 'BIOS', version: '4', firmware: pattern(3_000, 2) }

const builtDefects: readonly Defect[] = Object.entries(pldmBuilder.defects).flatMap(
  ([name, { what, messages }]): Defect[] => {
    const made = { what, image: () => build([nic, bios], {}, name) }
    if (messages.includes('Redflash.ImageMalformed')) return [{ ...made, problem: 'unreadable' }]
    return messages.includes('Redflash.ImageDigestMismatch') ? [{ ...made, problem: 'digest-mismatch' }] : []
  },
)

describe.each(['1.0', '1.1', '1.2', '1.3'])('header version %s', (version) => {
  imageFormatContract(`PLDM package ${version}`, {
    format: pldm,
    build: (components) => build(components, { version }),
    // The defects are of all versions: once is enough.
    defects: version === '1.0' ? builtDefects : [],
    expected: ({ name, version: of }) => {
      const identifier = identifiers[name] ?? 0
      return {
        name: `component 0x${identifier.toString(16).padStart(4, '0')}`,
        version: of,
        releaseDate: '2026-01-01T00:00:00Z',
        fits: { kind: 'pldm', classification: 10, identifier, devices: [descriptorsOf(name)] },
        isForced: false,
        comparisonStamp: undefined,
        activation: undefined,
      }
    },
  })
})

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(/#.*|\s/g, ''), 'hex')
const uint16 = (value: number): Buffer => Buffer.of(value & 0xff, value >> 8)
const uint32 = (value: number): Buffer => Buffer.concat([uint16(value & 0xffff), uint16(value >>> 16)])

/** One device and one component of five bytes, field by field, as DSP0267 has them. */
const byHand = hex(`
  f018878ccb7d49439800a02f059aca02 # PackageHeaderIdentifier
  01 6200                          # PackageHeaderFormatRevision, PackageHeaderSize
  78 00 a0 86 01 1e 0f 0d 19 0c e507 10 # 25 December 2021, 13:15:30.1, two hours east of UTC
  0800                             # ComponentBitmapBitLength
  01 02 5031                       # PackageVersionString, ASCII
  01                               # DeviceIDRecordCount
  1b00 02 01000000 01 01 0200 01 53 # length, descriptors, options, string, package data, bitmap, string
  0000 0200 8680                   # PCI vendor
  0001 0200 3412                   # PCI device
  aabb                             # package data
  0100                             # ComponentImageCount
  0a00 6400 04030201 0300 1c00     # classification, identifier, stamp, options, activation methods
  62000000 05000000                # ComponentLocationOffset, ComponentSize
  05 04 00760031                   # ComponentVersionString, UTF-16BE
  b3a666a5                         # PackageHeaderChecksum
  0102030405
`)

/** Every field that came later: a downstream device, manifests, opaque data, the checksum of the payload. */
const byHandToo = hex(`
  7b291c996db64208801b02026e463c78
  04 b300
  00 00 00 00 00 00 00 00 00 00 0000 00 # no date
  0800
  02 02 c3a9                       # UTF-8
  01
  1a00 01 00000000 01 00 0000 02000000 02 # length … ReferenceManifestLength, bitmap: the second component
  0100 0400 d97e0000               # IANA
  cafe                             # ReferenceManifestData
  01                               # DownstreamDeviceIDRecordCount
  2e00 01 01000000 01 02 0100 03000000 03 3939 # as above; bitmap: both; SelfContainedActivationMinVersionString
  0a0b0c0d                         # its comparison stamp
  0200 1000 162023c93ec5411595f448701d49d675 # UUID
  dd                               # DownstreamDevicePackageData
  010203                           # DownstreamDeviceReferenceManifestData
  0200
  0a00 0100 ffffffff 0000 0000 b4000000 02000000 01 01 61 00000000
  ffff 0200 ffffffff 0000 2000 b3000000 03000000 04 02 6200 02000000 beef # opaque data
  bc1d2051 c2412435                # of the header, of the payload
  616263
`)

async function contentsOf(image: Buffer): Promise<ImageContents> {
  const read = await readAll(open(pldm), image)
  if (!read.ok) throw new Error(JSON.stringify(read.problem))
  return read.value
}

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')

/** The same header with its first bytes `from` as `to`, and the checksum that goes with that. */
function changed(image: Buffer, from: string, to: string, checksums = 1): Buffer {
  const copy = Buffer.from(image)
  const at = copy.indexOf(from, 'hex')
  if (at === -1 || from.length !== to.length) throw new Error(`no ${from}`)
  copy.write(to, at, 'hex')
  const end = copy.readUInt16LE(17) - 4 * checksums
  copy.set(uint32(crc32(copy.subarray(0, end))), end)
  return copy
}

/** The device record of the first of them. */
const RECORD = '1b000201000000010102000153000002008680000102003412aabb'

/** The first of them with other bytes in its header, and the sizes, offset and checksum that go with them. */
function reshaped(from: string, to: string): Buffer {
  const text = byHand.subarray(0, -9).toString('hex')
  if (!text.includes(from)) throw new Error(`no ${from}`)
  const header = Buffer.from(text.replace(from, to), 'hex')
  header.set(uint16(header.length + 4), 17)
  header.set(uint32(header.length + 4), header.length - 14)
  return Buffer.concat([header, uint32(crc32(header)), byHand.subarray(-5)])
}

describe('a package written by hand', () => {
  test('of version 1.0 is read to the last field', async () => {
    expect(await contentsOf(byHand)).toEqual({
      format: 'PLDMv1_0',
      signatures: [],
      components: [
        {
          name: 'component 0x0064',
          version: 'v1',
          releaseDate: '2021-12-25T11:15:30Z',
          fits: {
            kind: 'pldm',
            classification: 10,
            identifier: 100,
            devices: [
              [
                { type: 0, data: '8680' },
                { type: 0x100, data: '3412' },
              ],
            ],
          },
          requires: [],
          sha256: sha256(Buffer.of(1, 2, 3, 4, 5)),
          start: byHand.length - 5,
          sizeBytes: 5,
          comparisonStamp: 0x01020304,
          isForced: true,
          activation: 'medium-specific-reset',
        },
      ],
    })
  })

  test('of version 1.3 is read to the last field, whatever bytes its components share', async () => {
    const uuid = [{ type: 2, data: '162023c93ec5411595f448701d49d675' }]
    const iana = [{ type: 1, data: 'd97e0000' }]
    expect(await contentsOf(byHandToo)).toMatchObject({
      format: 'PLDMv1_3',
      components: [
        {
          version: 'a',
          releaseDate: undefined,
          sha256: sha256(Buffer.from('bc')),
          fits: { devices: [uuid] },
        },
        {
          version: 'b',
          sha256: sha256(Buffer.from('abc')),
          fits: { classification: 0xffff, devices: [iana, uuid] },
          activation: 'ac-power-cycle',
          comparisonStamp: undefined,
        },
      ],
    })
  })

  test.each<[what: string, image: Buffer]>([
    ['bitmaps that fill no bytes', changed(byHand, '0800010250', '0900010250')],
    ['no bit for every component', reshaped(`08000102503101${RECORD}`, '00000102503100')],
    ['no string type for a string', changed(byHand, '01025031', '00025031')],
    ['no ASCII in an ASCII string', changed(byHand, '01025031', '010250e9')],
    ['no UTF-8 in a UTF-8 string', changed(byHand, '01025031', '020250e9')],
    ['half a character of UTF-16', changed(byHand, '050400760031', '05040076d800')],
    ['a version that cannot be printed', changed(byHand, '050400760031', '05040076000a')],
    ['no version', changed(byHand, '050400760031', '050400000000')],
    ['a descriptor longer than its record', changed(byHand, '000102003412', '000108003412')],
    ['a descriptor longer than its type', changed(byHand, '0000020086800001', '0000060086800001')],
    ['a device of which nothing is said', reshaped(RECORD, '0f000001000000010102000153aabb')],
    [
      'a vendor’s descriptor that ends within its title',
      reshaped(RECORD, '1c000201000000010102000153000002008680ffff0300010541aabb'),
    ],
    ['a device record with more than its fields', reshaped(RECORD, `1c00${RECORD.slice(4)}cc`)],
    ['a header with more than its fields', changed(byHand, '050400760031', '050200760000')],
    ['a device record shorter than its length', changed(byHand, '1b000201', '01000201')],
    ['package data longer than its record', changed(byHand, '0101020001', '0101ffff01')],
    ['a component in the header', changed(byHand, '6200000005', '6100000005')],
    ['a component behind the end', changed(byHand, '6200000005', '6200000006')],
    ['a huge component', changed(byHand, '6200000005000000', 'ffffffffffffffff')],
    ['a manifest of 4 GiB', changed(byHandToo, '00000200000002', '0000ffffffff02', 2)],
    ['opaque data of 4 GiB', changed(byHandToo, '02000000beef', 'ffffffffbeef', 2)],
    ['no bytes for its own checksum', Buffer.concat([byHand.subarray(0, 17), uint16(19)])],
    ['a header smaller than its first fields', Buffer.concat([byHand.subarray(0, 17), uint16(0), byHand])],
    ['another version’s revision', changed(byHand, 'ca0201', 'ca0204')],
  ])('is unreadable with %s', async (_what, image) => {
    expect(await readAll(open(pldm), image)).toMatchObject({ ok: false, problem: { kind: 'unreadable' } })
  })

  test('may have a version with zeros behind it', async () => {
    const [component] = (await contentsOf(changed(byHand, '050400760031', '010476310000'))).components
    expect(component?.version).toBe('v1')
  })

  test.each([
    ['a day that there never was', '7800a086011e0f0d1e02e507'],
    ['a 13th month', '7800a086011e0f0d190de507'],
    ['a moment in the year before the first', '7800a0860100000001010000'],
    ['a moment in the year after the last', '88ffa086011e3b171f0c0f27'],
  ])('has no date where it says %s', async (_what, date) => {
    const [component] = (await contentsOf(changed(byHand, '7800a086011e0f0d190ce507', date))).components
    expect(component).toMatchObject({ version: 'v1', releaseDate: undefined })
  })
})

test('a payload of another checksum is a digest that does not match, wherever it differs', async () => {
  const image = Buffer.from(byHandToo)
  image.writeUInt8(0x7a, image.length - 3) // in one component, and not in the other
  const read = await readAll(open(pldm), image)
  expect(read).toMatchObject({ ok: false, problem: { kind: 'digest-mismatch' } })
})

test('a package without components is unreadable', async () => {
  const read = await readAll(open(pldm), await build([]))
  expect(read).toMatchObject({ ok: false, problem: { kind: 'unreadable' } })
})

test('components that would have every byte digested too often are refused', async () => {
  const many = Array.from({ length: 100 }, (_, n) => ({
    name: `C${n}`,
    version: '1',
    firmware: pattern(1_000, n),
  }))
  const image = await build(many)
  expect(await readAll(open(pldm), image)).toMatchObject({ ok: true })
  const header = image.readUInt16LE(17)
  for (let at = image.indexOf('0a000000ffffffff', 'hex'), n = 0; at !== -1; n++) {
    image.set(
      [uint32(header + n), uint32(100_000 - n)].flatMap((field) => [...field]),
      at + 12,
    )
    at = image.indexOf('0a000000ffffffff', at + 1, 'hex')
  }
  image.set(uint32(crc32(image.subarray(0, header - 4))), header - 4)
  expect(await readAll(open(pldm), image)).toMatchObject({ ok: false, problem: { kind: 'unreadable' } })
})
