import * as fc from 'fast-check'
import { createHash } from 'node:crypto'
import { buffer } from 'node:stream/consumers'
import { crc32 } from 'node:zlib'
import { expect, test } from 'vitest'
import type { ComponentOrder } from '../../src/image/build/builder.ts'
import { pldmBuilder } from '../../src/image/build/pldm.ts'
import { inspectImage } from '../../src/image/inspect.ts'
import { createDigests } from '../../src/image/digests/stream-digests.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { startEmulator } from '../support/emulator.ts'
import { inPieces, mutations, pieceLengths, runs } from '../support/fuzz.ts'
import { push } from '../support/multipart.ts'

const LONG_MS = 24 * 3_600_000
/** 2,000 cases in all for the parser, and 200,000 before an issue is resolved. */
const often = (usual: number): { readonly numRuns: number } => ({
  numRuns: process.env['PROOF'] === undefined ? usual : 100 * usual,
})
const PATIENCE_MS = 600_000
const versions = ['1.0', '1.1', '1.2', '1.3']

function order(name: string, place: number): ComponentOrder {
  const descriptors = [
    { type: 0, data: '8680' },
    { type: 0x100, data: `${place}${place}00` },
  ]
  const identity = { pldm: { descriptors, classification: 10, identifier: place } }
  return { name, version: `1.${place}`, softwareId: name, identity, sizeBytes: 300 + place }
}

const orders = ['NIC-1', 'BIOS', 'PSU-1'].map(order)
const packages = await Promise.all(
  versions.flatMap((version) =>
    (version === '1.0' ? ['false'] : ['false', 'true']).map((downstream) =>
      buffer(pldmBuilder.build({ components: orders, options: { version, downstream } })),
    ),
  ),
)
const anyPackage = fc.constantFrom(...packages)

/** How an image is judged; a package is a true one when what is said to be in it is really there. */
async function judge(image: Buffer, lengths: readonly number[] = [65_536]): Promise<string> {
  const reader = inspectImage(createDigests(systemClock))
  for (const piece of inPieces(image, lengths)) await reader.write(piece)
  const contents = await reader.end()
  if (!contents.ok) return contents.problem.kind
  const isTrue = contents.value.components.every(({ start, sizeBytes, sha256, version, fits }) => {
    const bytes = image.subarray(start, start + sizeBytes)
    const isThere = bytes.length === sizeBytes && createHash('sha256').update(bytes).digest('hex') === sha256
    // A device of which nothing is said would be any device.
    const isBounded = fits.kind !== 'pldm' || fits.devices.every((descriptors) => descriptors.length > 0)
    return isThere && isBounded && version !== ''
  })
  return isTrue ? 'true package' : 'false package'
}

const verdicts = /^(true package|unknown-format|unreadable|digest-mismatch)$/

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
      expect(await judge(image, lengths)).toBe('true package')
    })
    await fc.assert(property, often(100))
  },
  PATIENCE_MS,
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
    await fc.assert(property, often(500))
  },
  PATIENCE_MS,
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
    await fc.assert(property, often(1_000))
    // Not all for one reason: some changes do no harm.
    expect([...seen]).toEqual(expect.arrayContaining(['true package', 'unreadable']))
  },
  PATIENCE_MS,
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
    await fc.assert(property, often(400))
  },
  PATIENCE_MS,
)

test(
  'whatever package is pushed, its task ends and nothing stays in the spool',
  async () => {
    const emulator = await startEmulator({ speed: 'max' })
    const images = fc
      .tuple(anyPackage, mutations(['\0\0']))
      .map(([image, mutate]) => withChecksum(mutate(image)))
    const property = fc.asyncProperty(images, async (image) => {
      const { status } = await push(emulator, image, { ForceUpdate: true })
      expect(status).toBe(image.length === 0 ? 400 : 202)
      await emulator.clock.advance(60_000)
      for (const { state } of emulator.bmc.state.tasks.values())
        expect(['Completed', 'Exception']).toContain(state)
      expect(emulator.spool.entries.size).toBe(0)
      await emulator.clock.advance(LONG_MS)
    })
    await fc.assert(property, runs(50))
  },
  PATIENCE_MS,
)
