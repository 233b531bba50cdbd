import * as fc from 'fast-check'
import { createHash } from 'node:crypto'
import { buffer } from 'node:stream/consumers'
import { pack } from 'tar-stream'
import { expect, test } from 'vitest'
import type { ImageContents, ImageProblem } from '../../src/image/image-format.ts'
import { inspectImage } from '../../src/image/inspect.ts'
import { createDigests } from '../../src/image/digests/stream-digests.ts'
import { systemClock } from '../../src/lib/clock.ts'
import type { Result } from '../../src/lib/result.ts'
import { startEmulator } from '../support/emulator.ts'
import { cases, CASES_MS, inPieces, mutations, pieceLengths, runs } from '../support/fuzz.ts'
import { bundleOf } from '../support/images.ts'
import { push } from '../support/multipart.ts'

const BLOCK = 512
const LONG_MS = 24 * 3_600_000
const bundle = await bundleOf({ 'NIC-1': '22.42.1000', 'PSU-1': '1.8.0.0' }, { sizeBytes: 700 })

async function inspect(
  image: Buffer,
  lengths: readonly number[] = [65_536],
): Promise<Result<ImageContents, ImageProblem>> {
  const reader = inspectImage(createDigests(systemClock))
  for (const piece of inPieces(image, lengths)) await reader.write(piece)
  return reader.end()
}

const verdicts = /^(true bundle|unknown-format|unreadable|digest-mismatch)$/

/** How an image is judged; a bundle is a true one when what is said to be in it is really there. */
async function judge(image: Buffer, lengths?: readonly number[]): Promise<string> {
  const contents = await inspect(image, lengths)
  if (!contents.ok) return contents.problem.kind
  const isTrue = contents.value.components.every(({ start, sizeBytes, sha256 }) => {
    const bytes = image.subarray(start, start + sizeBytes)
    return bytes.length === sizeBytes && createHash('sha256').update(bytes).digest('hex') === sha256
  })
  return isTrue ? 'true bundle' : 'false bundle'
}

/** A tar header, right or wrong in any field, with the checksum that goes with it unless that is wrong too. */
const tarHeaders = fc
  .record({
    name: fc.oneof(
      fc.constantFrom('manifest.json', '1-NIC-1.bin', '', '../x', '/', 'a'.repeat(100)),
      fc.string(),
    ),
    size: fc.oneof(
      fc.constantFrom(
        '0',
        '777',
        '77777777777',
        '-1',
        '',
        ' ',
        '9',
        '\x80\x00\x00\x00\x00\x00\x00\x7f\xff\xff\xff\xff',
      ),
      fc.nat(5_000).map((size) => size.toString(8)),
    ),
    type: fc.constantFrom('0', '\x00', '1', '2', '5', '7', 'x', 'g', 'L', 'K', 'S', 'Z'),
    magic: fc.constantFrom('ustar\x0000', 'ustar  \0', 'nothing\0'),
    hasChecksum: fc.boolean(),
    noise: fc.uint8Array({ minLength: 0, maxLength: 40 }),
  })
  .map(({ name, size, type, magic, hasChecksum, noise }) => {
    const header = Buffer.alloc(BLOCK)
    header.write(name, 0, 100)
    header.write(['0000644', '0000000', '0000000', ''].join('\0'), 100, 'latin1')
    header.write(size, 124, 12, 'latin1')
    header.write('00000000000\0', 136, 'latin1')
    header.write(type, 156, 1, 'latin1')
    header.write(magic, 257, 8, 'latin1')
    header.set(noise, 300)
    header.write('        ', 148, 'latin1')
    const sum = header.reduce((total, byte) => total + byte, 0)
    header.write(hasChecksum ? `${sum.toString(8).padStart(6, '0')}\0 ` : '0000000\0', 148, 'latin1')
    return header
  })

test('a bundle that is whole is read however it is cut up', async () => {
  const property = fc.asyncProperty(pieceLengths, async (lengths) => {
    expect(await inspect(bundle, lengths)).toMatchObject({ ok: true, value: { components: [{}, {}] } })
    expect(await judge(bundle, lengths)).toBe('true bundle')
  })
  await fc.assert(property, runs(100))
})

test('a bundle that was cut anywhere is no bundle', async () => {
  const lastByte = bundle.findLastIndex((byte) => byte !== 0)
  const offsets = new Set(Array.from({ length: 200 }, (_, index) => index))
  for (let block = 0; block <= bundle.length; block += BLOCK) {
    for (const offset of [-1, 0, 1, 100, 124, 148, 156, 257]) offsets.add(block + offset)
  }
  for (const offset of [...offsets].filter((one) => one >= 0 && one <= lastByte)) {
    expect(await inspect(bundle.subarray(0, offset)), `${offset} bytes`).toMatchObject({ ok: false })
  }
})

test(
  'a bundle that was changed is judged by its bytes, and by nothing else',
  async () => {
    const snippets = [
      'manifest.json\0',
      'ustar\x0000',
      '\0'.repeat(BLOCK),
      '"sha256":',
      '{',
      '}',
      '"',
      '0777777',
    ]
    const property = fc.asyncProperty(mutations(snippets), pieceLengths, async (mutate, lengths) => {
      expect(await judge(mutate(bundle), lengths)).toMatch(verdicts)
    })
    await fc.assert(property, cases(800))
  },
  CASES_MS,
)

test(
  'whatever the headers of a tar say, it is judged',
  async () => {
    const manifest = bundle.subarray(
      0,
      BLOCK * (2 + Math.floor((bundle.indexOf('\0\0\0', BLOCK) - BLOCK) / BLOCK)),
    )
    const property = fc.asyncProperty(
      fc.boolean(),
      fc.array(fc.tuple(tarHeaders, fc.uint8Array({ maxLength: 1_200 })), { maxLength: 5 }),
      pieceLengths,
      async (hasManifest, entries, lengths) => {
        const image = Buffer.concat([...(hasManifest ? [manifest] : []), ...entries.flat()])
        expect(await judge(image, lengths)).toMatch(verdicts)
      },
    )
    await fc.assert(property, cases(800))
  },
  CASES_MS,
)

test(
  'whatever a manifest says, it is judged',
  async () => {
    const component = fc.record(
      {
        name: fc.string(),
        softwareId: fc.string(),
        version: fc.oneof(fc.string(), fc.integer()),
        file: fc.constantFrom('a.bin', 'b.bin', 'manifest.json', '__proto__'),
        sha256: fc.constantFrom(createHash('sha256').update('firmware').digest('hex'), 'x', ''),
        size: fc.oneof(fc.constantFrom(8, 0, -1, 2 ** 53, 8.5), fc.integer()),
        requires: fc.oneof(
          fc.constant([]),
          fc.array(fc.record({ component: fc.string(), min: fc.string() })),
          fc.anything(),
        ),
        releaseDate: fc.oneof(fc.constantFrom('2026-01-01T00:00:00Z', 'yesterday'), fc.anything()),
      },
      { requiredKeys: [] },
    )
    const manifests = fc.oneof(
      fc.json(),
      fc
        .record({
          bundle: fc.constantFrom(1, 1, 1, 2, '1'),
          components: fc.array(component, { maxLength: 4 }),
        })
        .map((data) => JSON.stringify(data, (_, value: unknown) => (typeof value === 'bigint' ? 0 : value))),
    )
    const names = fc.uniqueArray(fc.constantFrom('a.bin', 'b.bin', '__proto__'), { maxLength: 3 })
    const property = fc.asyncProperty(manifests, names, async (text, files) => {
      const tar = pack()
      tar.entry({ name: 'manifest.json' }, text)
      for (const name of files) tar.entry({ name }, 'firmware')
      tar.finalize()
      expect(await judge(await buffer(tar))).toMatch(verdicts)
    })
    await fc.assert(property, cases(400))
  },
  CASES_MS,
)

test(
  'whatever image is pushed, its task ends and nothing stays in the spool',
  async () => {
    const emulator = await startEmulator({ speed: 'max' })
    const images = fc.oneof(
      mutations(['manifest.json\0', 'ustar']).map((mutate) => mutate(bundle)),
      fc.array(tarHeaders, { minLength: 1, maxLength: 4 }).map((headers) => Buffer.concat(headers)),
      fc.uint8Array({ minLength: 1, maxLength: 2_000 }).map((bytes) => Buffer.from(bytes)),
    )
    const property = fc.asyncProperty(images, async (image) => {
      const { status } = await push(emulator, image, { ForceUpdate: true })
      // When all of it was cut away there is no image to make a task of.
      expect(status).toBe(image.length === 0 ? 400 : 202)
      await emulator.clock.advance(60_000)
      const tasks = [...emulator.bmc.state.tasks.values()].filter(({ parent }) => parent === undefined)
      expect(tasks).toHaveLength(image.length === 0 ? 0 : 1)
      for (const { state } of tasks) expect(['Completed', 'Exception']).toContain(state)
      expect(emulator.spool.entries.size).toBe(0)
      await emulator.clock.advance(LONG_MS)
    })
    await fc.assert(property, runs(100))
    expect((await push(emulator, bundle, { ForceUpdate: true })).status).toBe(202)
  },
  CASES_MS,
)
