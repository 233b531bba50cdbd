import * as fc from 'fast-check'
import { buffer } from 'node:stream/consumers'
import { crc32 } from 'node:zlib'
import { expect, test } from 'vitest'
import { componentOrders } from '../../src/cli/image-order.ts'
import { pldmBuilder } from '../../src/image/build/pldm.ts'
import { cases, CASES_MS, mutations, pieceLengths } from '../support/fuzz.ts'
import { isThere, judgeBy, pushProperty, verdicts } from '../support/image-fuzz.ts'

const versions = ['1.0', '1.1', '1.2', '1.3']

const wanted = ['NIC-1', 'BIOS', 'PSU-1'].map((name, place) => ({ name, version: `99.${place}` }))
const orders = componentOrders(wanted, 300, 'rackmount').map((order, place) => ({
  ...order,
  sizeBytes: order.sizeBytes + place,
}))
const packages = await Promise.all(
  versions.flatMap((version) =>
    (version === '1.0' ? ['false'] : ['false', 'true']).map((downstream) =>
      buffer(pldmBuilder.build({ components: orders, options: { version, downstream } })),
    ),
  ),
)
const anyPackage = fc.constantFrom(...packages)

/** A package is a true one when what is said to be in it is really there. */
const judge = judgeBy((image, { components }) =>
  components.every((component) => {
    const { version, fits } = component
    // A device of which nothing is said would be any device.
    const isBounded = fits.kind !== 'pldm' || fits.devices.every((descriptors) => descriptors.length > 0)
    return isThere(image, component) && isBounded && version !== ''
  }),
)

/** The image with the checksum that goes with its header, so that what the header says is looked at. */
function withChecksum(image: Buffer): Buffer {
  const copy = Buffer.from(image)
  if (copy.length < 64) return copy
  const checksums = copy.readUInt8(16) === 4 ? 8 : 4
  const end = copy.readUInt16LE(17) - checksums
  if (end > 19 && end + 4 <= copy.length) copy.writeUInt32LE(crc32(copy.subarray(0, end)), end)
  return copy
}

test(
  'a package that is whole is read however it is cut up',
  async () => {
    const property = fc.asyncProperty(anyPackage, pieceLengths, async (image, lengths) => {
      expect(await judge(image, lengths)).toBe('true image')
    })
    await fc.assert(property, cases(100))
  },
  CASES_MS,
)

test('a package that was cut anywhere is no package', async () => {
  for (const image of packages) {
    for (let length = 0; length < image.length; length += length < image.readUInt16LE(17) ? 1 : 37) {
      expect(await judge(image.subarray(0, length)), `${length} bytes`).toMatch(/^un/)
    }
  }
})

test(
  'a package that was changed is judged by its bytes, and by nothing else',
  async () => {
    const property = fc.asyncProperty(
      anyPackage,
      mutations(['\xff\xff\xff\xff', '\0\0', '\x02\0\x10\0']),
      pieceLengths,
      async (image, mutate, lengths) => {
        expect(await judge(mutate(image), lengths)).toMatch(verdicts)
      },
    )
    await fc.assert(property, cases(500))
  },
  CASES_MS,
)

test(
  'whatever the fields of a header say, it is judged',
  async () => {
    const fields = fc.array(
      fc.record({
        place: fc.noBias(fc.nat(999)),
        bytes: fc.oneof(
          fc.constantFrom('00', 'ff', '0000', 'ffff', '0100', '00000000', 'ffffffff', '00000080'),
          fc.uint8Array({ minLength: 1, maxLength: 4 }).map((bytes) => Buffer.from(bytes).toString('hex')),
        ),
      }),
      { minLength: 1, maxLength: 3 },
    )
    const seen = new Set<string>()
    const property = fc.asyncProperty(anyPackage, fields, async (image, changes) => {
      const copy = Buffer.from(image)
      const header = image.readUInt16LE(17)
      for (const { place, bytes } of changes)
        copy.write(bytes, 19 + Math.floor((place / 1_000) * (header - 27)), 'hex')
      const verdict = await judge(withChecksum(copy))
      seen.add(verdict)
      expect(verdict).toMatch(verdicts)
    })
    await fc.assert(property, cases(1_000))
    // Not all for one reason: some changes do no harm.
    expect([...seen]).toEqual(expect.arrayContaining(['true image', 'unreadable']))
  },
  CASES_MS,
)

test(
  'whatever follows the beginning of a header, it is judged',
  async () => {
    const noise = fc.uint8Array({ minLength: 20, maxLength: 400 }).map((bytes) => Buffer.from(bytes))
    const property = fc.asyncProperty(anyPackage, noise, fc.nat(80), async (image, bytes, kept) => {
      const whole = Buffer.concat([image.subarray(0, 19 + kept), bytes])
      whole.writeUInt16LE(whole.length, 17)
      expect(await judge(withChecksum(whole))).toMatch(verdicts)
    })
    await fc.assert(property, cases(400))
  },
  CASES_MS,
)

pushProperty(
  'package',
  fc.tuple(anyPackage, mutations(['\0\0'])).map(([image, mutate]) => withChecksum(mutate(image))),
)
