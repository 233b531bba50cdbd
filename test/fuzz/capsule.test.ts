import * as fc from 'fast-check'
import { hash } from 'node:crypto'
import { expect, test } from 'vitest'
import { capsule } from '../../src/image/formats/capsule.ts'
import type { ImageContents } from '../../src/image/image-format.ts'
import { type ImageReader, readWith } from '../../src/image/reading.ts'
import { createDigests } from '../../src/image/digests/stream-digests.ts'
import { systemClock } from '../../src/lib/clock.ts'
import {
  authenticated,
  capsuleOf,
  CERT_TYPE_PKCS7,
  FMP,
  imageOf,
  INITIATE_RESET,
  itemsOf,
  payloadOf,
  PERSIST_ACROSS_RESET,
} from '../support/capsules.ts'
import { cases, CASES_MS, mutations, pieceLengths } from '../support/fuzz.ts'
import { isThere, judgeBy, pushProperty } from '../support/image-fuzz.ts'

/** What rackmount's BIOS and one of its NICs take. */
const BIOS = '836316da-220a-5e17-a67a-81e88c36b2e6'
const NIC = '7174b406-7708-5fdb-9031-3c60e9902d82'
/** Where SHA-384 is named at the beginning of a signature. */
const pkcs7 = Buffer.concat([Buffer.from('308006096086480165030402023080', 'hex'), Buffer.alloc(90, 7)])
const payload = payloadOf(Buffer.alloc(200, 0x5a), 0x0909_0000)
const dependencies = Buffer.from('01000000010a0d', 'hex')

const signed = imageOf(BIOS, authenticated(payload, pkcs7), { support: 1n })
const dependent = imageOf(NIC, Buffer.concat([dependencies, payload]), { support: 2n, vendor: pkcs7 })
const fmp = capsuleOf(itemsOf([signed, dependent], { drivers: [pkcs7] }), { flags: PERSIST_ACROSS_RESET })
const nested = capsuleOf(capsuleOf(itemsOf([dependent])), { guid: NIC, headerSize: 64 })
const plain = capsuleOf(payload, { guid: BIOS, headerSize: 64 })
const capsules = [fmp, nested, plain]
const anyCapsule = fc.constantFrom(...capsules)

/** Whether what is said to be in a capsule is really there. */
function isTrue(image: Buffer, { components, signatures }: ImageContents): boolean {
  let end = 28
  const areThere = components.every((component) => {
    const { start, sizeBytes, version } = component
    const isApart = start >= end && version !== ''
    end = start + sizeBytes
    return isApart && sizeBytes > 0 && isThere(image, component)
  })
  const areSigned = signatures.every(({ bytes, signed: said, component }) => {
    const { start, sizeBytes } = components.find(({ name }) => name === component) ?? {
      start: 0,
      sizeBytes: 0,
    }
    const authentication = image.subarray(start, start + 32 + bytes.byteLength)
    const covered = image.subarray(start + authentication.length, start + sizeBytes)
    const content = Buffer.concat([covered, authentication.subarray(0, 8)])
    const isOne = authentication.subarray(32).equals(bytes) && covered.length > 0
    return isOne && 'hash' in said && hash(said.hash, content) === said.digest
  })
  return components.length > 0 && areThere && areSigned
}

const judge = judgeBy(isTrue)
/** A capsule says no digests. */
const verdicts = /^(true image|unknown-format|unreadable)$/

/** Numbers that lengths, counts and offsets may have, besides the true ones. */
const sizes = fc.oneof(
  fc.constantFrom(0, 1, 15, 16, 23, 24, 27, 28, 31, 32, 48, 2 ** 16, 2 ** 31, 2 ** 32 - 1),
  fc.nat(1_000),
)
const offsets = fc.oneof(
  fc.nat(1_000).map(BigInt),
  fc.constantFrom(0n, 2n ** 31n, 2n ** 32n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n),
)
/** Mostly absent, so that most of what is wrong is alone. */
const seldom = <T>(one: fc.Arbitrary<T>) => fc.option(one, { freq: 8, nil: undefined })
const types = fc.constantFrom(BIOS, NIC, FMP, '00000000-0000-0000-0000-000000000000')
const bytes = fc.uint8Array({ maxLength: 120 }).map((some) => Buffer.from(some))

/** Leaves out what is undefined. */
function given<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>
  }
}

const payloads = fc
  .tuple(bytes, fc.nat(2 ** 32 - 1), seldom(sizes))
  .map(([some, version, headerSize]) => payloadOf(some, version, 0, headerSize))
const authentications = fc
  .tuple(
    fc.oneof(payloads, bytes),
    fc.oneof(fc.constant(pkcs7), bytes),
    fc.record({ length: seldom(sizes), certType: seldom(types) }),
  )
  .map(([some, signature, fields]) => authenticated(some, signature, given(fields)))
const withDependencies = fc
  .tuple(fc.uint8Array({ max: 0x0f, maxLength: 30 }), payloads)
  .map(([operators, some]) => Buffer.concat([operators, some]))
const images = fc
  .tuple(
    types,
    fc.oneof(payloads, authentications, withDependencies, bytes),
    fc.record({
      version: fc.constantFrom(1, 2, 3, 3, 3),
      support: fc.constantFrom(0n, 0n, 0n, 1n, 2n, 3n),
      instance: fc.constantFrom(0n, 1n, 2n ** 64n - 1n),
      vendor: seldom(bytes),
      index: seldom(fc.constantFrom(0, 255)),
      sizeBytes: seldom(sizes),
      vendorBytes: seldom(sizes),
    }),
  )
  .map(([type, image, fields]) => imageOf(type, image, given(fields)))
const lists = fc
  .tuple(
    fc.array(images, { minLength: 1, maxLength: 4 }),
    fc.record({
      version: seldom(fc.constantFrom(0, 2, 2 ** 32 - 1)),
      drivers: seldom(fc.array(bytes, { maxLength: 2 })),
      gap: seldom(fc.nat(40)),
      counts: seldom(fc.tuple(fc.nat(65_535), fc.nat(65_535))),
    }),
    seldom(fc.tuple(fc.nat(3), offsets)),
  )
  .map(([some, fields, moved]) => {
    const move = (truth: readonly bigint[]) =>
      truth.map((offset, index) => (index === moved?.[0] ? moved[1] : offset))
    return itemsOf(some, { ...given(fields), offsets: move })
  })
const headers = fc.record({
  guid: fc.constantFrom(FMP, FMP, FMP, FMP, BIOS, '3b8c8162-188c-46a4-aec9-be43f1d65697'),
  flags: fc.constantFrom(0, 0, PERSIST_ACROSS_RESET, INITIATE_RESET, 2 ** 32 - 1),
  headerSize: seldom(sizes),
  sizeBytes: seldom(sizes),
})
const built = fc.tuple(lists, headers, seldom(headers)).map(([body, fields, outer]) => {
  const inner = capsuleOf(body, given(fields))
  return outer === undefined ? inner : capsuleOf(inner, given(outer))
})

test(
  'a capsule that is whole is read however it is cut up',
  async () => {
    const property = fc.asyncProperty(anyCapsule, pieceLengths, async (image, lengths) => {
      expect(await judge(image, lengths)).toBe('true image')
    })
    await fc.assert(property, cases(100))
  },
  CASES_MS,
)

test('a capsule that was cut anywhere is no capsule', async () => {
  for (const image of capsules) {
    for (let length = 0; length < image.length; length++)
      expect(await judge(image.subarray(0, length)), `${length} bytes`).toMatch(/^un/)
  }
})

test(
  'a capsule that was changed is judged by its bytes, and by nothing else',
  async () => {
    const snippets = ['MSS1', '\xff\xff\xff\xff', '\0\0\0\0', '\0\x02\xf1\x0e', '\x01\0\0\0\0\0\0\0']
    const guids = [FMP, CERT_TYPE_PKCS7].map((guid) =>
      capsuleOf(Buffer.alloc(0), { guid }).toString('latin1', 0, 16),
    )
    const changes = mutations([...snippets, ...guids])
    const property = fc.asyncProperty(anyCapsule, changes, pieceLengths, async (image, mutate, lengths) => {
      expect(await judge(mutate(image), lengths)).toMatch(verdicts)
    })
    await fc.assert(property, cases(700))
  },
  CASES_MS,
)

test(
  'whatever the fields of a capsule say, it is judged, and no more of it is kept than 64 KiB',
  async () => {
    const seen = new Set<string>()
    let largest = 0
    const watching = (): ImageReader =>
      readWith((image) => {
        const take = (length: number) => {
          largest = Math.max(largest, length)
          return image.take(length)
        }
        // By the prototype: the position is a getter.
        return capsule.read(Object.assign(Object.create(image) as typeof image, { take }))
      }, createDigests(systemClock))
    const property = fc.asyncProperty(built, async (image) => {
      const verdict = await judge(image, [65_536], watching())
      seen.add(verdict)
      expect(verdict).toMatch(verdicts)
      expect(largest).toBeLessThanOrEqual(2 ** 16)
    })
    await fc.assert(property, cases(1_200))
    // Not all for one reason: many of them are as they should be.
    expect([...seen]).toEqual(expect.arrayContaining(['true image', 'unreadable']))
  },
  CASES_MS,
)

pushProperty(
  'capsule',
  fc.oneof(
    fc.tuple(anyCapsule, mutations(['MSS1'])).map(([image, mutate]) => mutate(image)),
    built,
  ),
)
