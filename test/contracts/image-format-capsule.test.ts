import { hash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { capsule } from '../../src/image/formats/capsule.ts'
import type { ImageContents } from '../../src/image/image-format.ts'
import {
  authenticated,
  capsuleOf,
  imageOf,
  INITIATE_RESET,
  itemsOf,
  payloadOf,
  PERSIST_ACROSS_RESET,
} from '../support/capsules.ts'
import { type Defect, imageFormatContract, open, pattern, readAll } from './image-format.ts'

const BIOS = '836316da-220a-5e17-a67a-81e88c36b2e6'
const NIC = '00063bf5-2250-5d9b-977d-59cf8e4b9bb0'
const firmware = pattern(40_000, 5)
const image = imageOf(BIOS, firmware)
const pkcs7 = pattern(700, 3)

/** An image type for every name. */
const typeOf = (name: string): string =>
  hash('sha256', name).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12}).*$/, '$1-$2-$3-$4-$5')

const unreadable: readonly (readonly [string, () => Buffer])[] = [
  ['its header has 27 bytes', () => capsuleOf(itemsOf([image]), { headerSize: 27 })],
  ['its header fills it', () => capsuleOf(Buffer.alloc(0))],
  ['its header is larger than it', () => capsuleOf(itemsOf([image]), { headerSize: 2 ** 31 })],
  ['it says that it is a byte shorter', () => withSize(-1)],
  ['it says that it is a byte longer', () => withSize(1)],
  ['a reset is initiated that it does not outlast', () => withFlags(INITIATE_RESET)],
  ['the header of its images has version 0', () => capsuleOf(itemsOf([image], { version: 0 }))],
  ['the header of its images has version 2', () => capsuleOf(itemsOf([image], { version: 2 }))],
  ['the header of its images is cut', () => capsuleOf(itemsOf([image]).subarray(0, 7))],
  ['the list of its images is cut', () => capsuleOf(itemsOf([image]).subarray(0, 15))],
  ['it holds no image', () => capsuleOf(itemsOf([]))],
  ['it holds a driver only', () => capsuleOf(itemsOf([], { drivers: [firmware] }))],
  ['it says that it holds an image more', () => capsuleOf(itemsOf([image], { counts: [0, 2] }))],
  ['it says that it holds 65,535 images', () => capsuleOf(itemsOf([image], { counts: [0, 65_535] }))],
  ['it holds 257 images', () => capsuleOf(itemsOf(images(257)))],
  ['an image begins within the list', () => withOffsets(([first = 0n]) => [first - 1n])],
  ['an image begins at 0', () => withOffsets(() => [0n])],
  ['an image begins behind the end', () => withOffsets(() => [BigInt(itemsOf([image]).length)])],
  ['an image begins 2⁶³ bytes on', () => withOffsets(() => [2n ** 63n])],
  ['an image begins 2⁶⁴ - 1 bytes on', () => withOffsets(() => [2n ** 64n - 1n])],
  ['the images are in no order', () => withTwo((offsets) => offsets.toReversed())],
  ['two images begin at one place', () => withTwo(([first = 0n]) => [first, first])],
  ['an image has no room for its header', () => capsuleOf(itemsOf([image.subarray(0, 47)]))],
  ['an image has no room for a version', () => capsuleOf(itemsOf([image.subarray(0, 3)]))],
  ['the header of an image has version 0', () => one({ version: 0 })],
  ['the header of an image has version 4', () => one({ version: 4 })],
  ['an image has the index 0', () => one({ index: 0 })],
  ['an image is a byte longer than it says', () => one({ sizeBytes: firmware.length - 1 })],
  ['an image is a byte shorter than it says', () => one({ sizeBytes: firmware.length + 1 })],
  ['an image has 4 GiB', () => one({ sizeBytes: 2 ** 32 - 1 })],
  ['the code of a vendor is missing', () => one({ vendorBytes: 1 })],
  ['sizes come to the right sum only in 32 bits', () => one({ sizeBytes: 2 ** 32 - 1, vendorBytes: 40_001 })],
  ['an image is empty', () => capsuleOf(itemsOf([imageOf(BIOS, Buffer.alloc(0))]))],
  ['an image lacks the signature that it announces', () => one({ support: 1n })],
  ['an image is too small for the signature that it announces', () => tiny({ support: 1n })],
  ['a signature is empty', () => signed({ length: 24 })],
  ['a signature has a negative length', () => signed({ length: 23 })],
  ['a signature leaves no payload', () => signed({ length: 24 + pkcs7.length + firmware.length })],
  ['a signature is longer than its image', () => signed({ length: 2 ** 32 - 1 })],
  ['a signature has more than 64 KiB', () => authenticatedBy(pattern(2 ** 16 + 1, 2))],
  ['a signature is of another kind', () => signed({ certType: NIC })],
  ['the header of a payload has 15 bytes', () => withPayload(payloadOf(firmware, 1, 0, 15))],
  ['the header of a payload is larger than it', () => withPayload(payloadOf(firmware, 1, 0, 40_017))],
  ['dependencies have no end', () => dependent(Buffer.alloc(5_000, 0x06))],
  ['dependencies have an operator that nobody knows', () => dependent(Buffer.from([0x0f, 0x0d]))],
  ['an operand of a dependency is cut', () => dependent(Buffer.from([0x00, 0x0d]), 10)],
  ['two images are for one device', () => capsuleOf(itemsOf([image, image]))],
  ['an image is for any device, and one for one of them', () => twoInstances(0n, 1n)],
  ['the capsule in it is a byte shorter', () => capsuleOf(nested(-1), { guid: NIC })],
  ['the capsule in it has a wrong header', () => capsuleOf(nested(0, 27), { guid: NIC })],
  ['it is a picture', () => other('3b8c8162-188c-46a4-aec9-be43f1d65697')],
  ['it is a configuration', () => other('67d6f4cd-d6b8-4573-bf4a-de5e252d61ae')],
  ['it only accepts what was installed', () => other('0c996046-bcc0-4d04-85ec-e1fcedf1c6f8')],
  ['it only rejects what was installed', () => other('acd58b4b-c0e8-475f-99b5-6b3f7e07aaf0')],
]

imageFormatContract('UEFI capsule', {
  format: capsule,
  build: (components) => {
    const built = components.map((component) => imageOf(typeOf(component.name), component.firmware))
    return Promise.resolve(capsuleOf(itemsOf(built)))
  },
  expected: ({ name }) => ({
    name: `FMP ${typeOf(name)}`,
    version: 'unknown',
    fits: { kind: 'capsule', imageTypeId: typeOf(name), hardwareInstance: 0n },
  }),
  defects: unreadable.map(([what, make]): Defect => ({ what, image: make, problem: 'unreadable' })),
})

describe('a capsule', () => {
  test('begins with the GUID of the protocol, as its bytes are published', () => {
    expect(capsuleOf(itemsOf([image])).toString('hex', 0, 16)).toBe('edd5cb6d2de8444cbda17194199ad92a')
  })

  test.each([
    [1, 0n],
    [2, 7n],
    [3, 7n],
  ])('whose images have headers of version %d is read', async (version, hardwareInstance) => {
    const contents = await read(capsuleOf(itemsOf([imageOf(BIOS, firmware, { version, instance: 7n })])))
    expect(contents.components).toMatchObject([
      { fits: { imageTypeId: BIOS, hardwareInstance }, sizeBytes: firmware.length },
    ])
    expect(contents.components[0]?.name).toBe(`FMP ${BIOS}${version === 1 ? '' : '/7'}`)
  })

  test.each([
    ['drivers before the images', itemsOf([image], { drivers: [pattern(100, 1), pattern(1, 2)] })],
    ['a gap behind the list', itemsOf([image], { gap: 9 })],
    ['code of a vendor behind the image', itemsOf([imageOf(BIOS, firmware, { vendor: pattern(99, 4) })])],
  ])('may hold %s', async (_what, body) => {
    const made = capsuleOf(body)
    const { components } = await read(made)
    expect(components).toMatchObject([{ sizeBytes: firmware.length, sha256: hash('sha256', firmware) }])
    const [{ start, sizeBytes } = { start: 0, sizeBytes: 0 }] = components
    expect(made.subarray(start, start + sizeBytes).equals(firmware)).toBe(true)
  })

  test.each([
    ['32 bytes', 32],
    ['a page', 4_096],
  ])('may have a header of %s', async (_what, headerSize) => {
    const { components } = await read(capsuleOf(itemsOf([image]), { headerSize }))
    expect(components).toMatchObject([{ start: headerSize + 16 + 48, sha256: hash('sha256', firmware) }])
  })

  test('may hold 256 images, and images for two of a kind', async () => {
    expect((await read(capsuleOf(itemsOf(images(256))))).components).toHaveLength(256)
    expect((await read(twoInstances(1n, 2n))).components).toHaveLength(2)
  })

  test.each([
    [0, undefined],
    [PERSIST_ACROSS_RESET, 'system-reboot'],
    [PERSIST_ACROSS_RESET | INITIATE_RESET, 'system-reboot'],
  ])('with the flags %d runs by: %s', async (flags, activation) => {
    const { components } = await read(withFlags(flags))
    expect(components.map((component) => component.activation)).toEqual([activation])
  })

  test('whose GUID is that of the firmware is one component', async () => {
    const contents = await read(capsuleOf(firmware, { guid: NIC, headerSize: 4_096 }))
    expect(contents).toMatchObject({
      components: [
        {
          name: `ESRT ${NIC}`,
          version: 'unknown',
          fits: { imageTypeId: NIC, hardwareInstance: 0n },
          start: 4_096,
          sizeBytes: firmware.length,
          sha256: hash('sha256', firmware),
        },
      ],
      signatures: [],
    })
  })

  test('whose GUID is that of the firmware may hold one for the protocol', async () => {
    const { components } = await read(capsuleOf(nested(), { guid: NIC, headerSize: 4_096 }))
    expect(components).toMatchObject([
      { fits: { imageTypeId: BIOS }, start: 4_096 + 28 + 16 + 48, sha256: hash('sha256', firmware) },
    ])
  })
})

test.each<[string, boolean, Parameters<typeof capsuleOf>[1]]>([
  ['a GUID, and a header that makes sense', true, {}],
  ['no GUID', false, { guid: '00000000-0000-0000-0000-000000000000' }],
  ['a header of 64 KiB', true, { headerSize: 2 ** 16, sizeBytes: 2 ** 20 }],
  ['a header of 64 KiB and a word', false, { headerSize: 2 ** 16 + 4, sizeBytes: 2 ** 20 }],
  ['a header of 30 bytes', false, { headerSize: 30 }],
  ['a header of 24 bytes', false, { headerSize: 24 }],
  ['a size below that of its header', false, { headerSize: 64, sizeBytes: 63 }],
  ['all flags that there are', true, { flags: 0x7_ffff }],
  ['a flag that there is not', false, { flags: 0x8_0000 }],
])('%s: whether bytes are taken for a capsule of one firmware: %s', (_what, isTaken, fields) => {
  expect(capsule.recognises(capsuleOf(firmware, { guid: NIC, ...fields }))).toBe(isTaken)
})

describe('the version of an image', () => {
  const dependencies = Buffer.concat([
    Buffer.from([0x0e, 9, 0, 0, 0, 0x02]),
    Buffer.from('a text, whose \x0d is no end\0', 'latin1'),
    Buffer.from([0x01, 1, 0, 0, 0, 0x00]),
    Buffer.alloc(16, 0x0d),
    Buffer.from([0x0a, 0x06, 0x03, 0x0d]),
  ])
  const payload = payloadOf(firmware, 0x0102_03ff, 0xffff_ffff)

  test.each([
    ['alone', capsuleOf(itemsOf([imageOf(BIOS, payload)]))],
    ['behind a signature', capsuleOf(itemsOf([imageOf(BIOS, authenticated(payload, pkcs7))]))],
    ['behind dependencies', dependent(dependencies, Infinity, payload)],
    [
      'behind both',
      capsuleOf(
        itemsOf([
          imageOf(BIOS, authenticated(Buffer.concat([dependencies, payload]), pkcs7), { support: 3n }),
        ]),
      ),
    ],
  ])('is found in the header of its payload, %s', async (_what, made) => {
    const { components } = await read(made)
    expect(components).toMatchObject([{ version: '1.2.3.255', lowestVersion: '255.255.255.255' }])
  })

  test.each([
    ['15 bytes', payload.subarray(0, 15)],
    ['16 bytes without that header', pattern(16, 1)],
  ])('is unknown where the image has %s', async (_what, bytes) => {
    const { components } = await read(capsuleOf(itemsOf([imageOf(BIOS, bytes)])))
    expect(components).toMatchObject([{ version: 'unknown' }])
    expect(components[0]?.lowestVersion).toBeUndefined()
  })
})

async function read(made: Buffer): Promise<ImageContents> {
  const result = await readAll(open(capsule), made, 1_000)
  if (!result.ok) throw new Error(JSON.stringify(result.problem))
  return result.value
}

function images(count: number): Buffer[] {
  return Array.from({ length: count }, (_, index) => imageOf(typeOf(String(index)), pattern(40, index)))
}

function one(fields: Parameters<typeof imageOf>[2]): Buffer {
  return capsuleOf(itemsOf([imageOf(BIOS, firmware, fields)]))
}

function tiny(fields: Parameters<typeof imageOf>[2]): Buffer {
  return capsuleOf(itemsOf([imageOf(BIOS, firmware.subarray(0, 31), fields)]))
}

function twoInstances(first: bigint, second: bigint): Buffer {
  const made = [first, second].map((instance) => imageOf(BIOS, firmware, { instance }))
  return capsuleOf(itemsOf(made))
}

function signed(fields: Parameters<typeof authenticated>[2]): Buffer {
  return capsuleOf(itemsOf([imageOf(BIOS, authenticated(firmware, pkcs7, fields))]))
}

function authenticatedBy(signature: Buffer): Buffer {
  return capsuleOf(itemsOf([imageOf(BIOS, authenticated(firmware, signature))]))
}

function withPayload(payload: Buffer): Buffer {
  return capsuleOf(itemsOf([imageOf(BIOS, payload)]))
}

/** An image with dependencies, of which no more than so many bytes are there. */
function dependent(dependencies: Buffer, length = Infinity, payload = firmware): Buffer {
  const whole = Buffer.concat([dependencies, payload]).subarray(0, length)
  return capsuleOf(itemsOf([imageOf(BIOS, whole, { support: 2n })]))
}

function withFlags(flags: number): Buffer {
  return capsuleOf(itemsOf([image]), { flags })
}

function withSize(difference: number): Buffer {
  const body = itemsOf([image])
  return capsuleOf(body, { sizeBytes: 28 + body.length + difference })
}

function withOffsets(offsets: (truth: readonly bigint[]) => readonly bigint[]): Buffer {
  return capsuleOf(itemsOf([image], { offsets }))
}

function withTwo(offsets: (truth: readonly bigint[]) => readonly bigint[]): Buffer {
  return capsuleOf(itemsOf([image, imageOf(NIC, firmware)], { offsets }))
}

/** A capsule for the protocol that a capsule of another GUID holds. */
function nested(difference = 0, headerSize = 28): Buffer {
  const body = itemsOf([image])
  return capsuleOf(body, { headerSize, sizeBytes: 28 + body.length + difference })
}

function other(guid: string): Buffer {
  return capsuleOf(pattern(100, 1), { guid })
}
