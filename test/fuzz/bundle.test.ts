import * as fc from 'fast-check'
import { hash } from 'node:crypto'
import { buffer } from 'node:stream/consumers'
import { pack } from 'tar-stream'
import { expect, test } from 'vitest'
import { cases, CASES_MS, mutations, pieceLengths, runs } from '../support/fuzz.ts'
import { isThere, judgeBy, pushProperty, readInPieces, verdicts } from '../support/image-fuzz.ts'
import { bundleOf } from '../support/images.ts'
import { tarBlock } from '../support/tar-blocks.ts'

const BLOCK = 512
const bundle = await bundleOf({ 'NIC-1': '22.42.1000', 'PSU-1': '1.8.0.0' }, { sizeBytes: 700 })

/** A bundle is a true one when what is said to be in it is really there. */
const judge = judgeBy((image, { components }) => components.every((one) => isThere(image, one)))

/** A tar header, right or wrong in any field, with the checksum that goes with it unless that is wrong too. */
const tarHeaders = fc
  .record(
    {
      name: fc.oneof(
        fc.constantFrom('manifest.json', '1-NIC-1.bin', '', '../x', '/', 'a'.repeat(100)),
        fc.string(),
      ),
      size: fc.oneof(
        fc.constantFrom('777', '77777777777', '-1', '', ' ', '9'),
        fc.constant(Buffer.from('80000000000000007fffffff', 'hex')),
        fc.nat(5_000),
      ),
      type: fc.constantFrom('0', '\x00', '1', '2', '5', '7', 'x', 'g', 'L', 'K', 'S', 'Z'),
      magic: fc.constantFrom('ustar\x0000', 'ustar  \0', 'nothing\0'),
      checksum: fc.constant('0000000\0'),
    },
    { requiredKeys: ['name', 'size', 'type', 'magic'] },
  )
  .map(tarBlock)

test('a bundle that is whole is read however it is cut up', async () => {
  const property = fc.asyncProperty(pieceLengths, async (lengths) => {
    expect(await readInPieces(bundle, lengths)).toMatchObject({ ok: true, value: { components: [{}, {}] } })
    expect(await judge(bundle, lengths)).toBe('true image')
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
    expect(await readInPieces(bundle.subarray(0, offset)), `${offset} bytes`).toMatchObject({ ok: false })
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
        sha256: fc.constantFrom(hash('sha256', 'firmware'), 'x', ''),
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

pushProperty(
  'image',
  fc.oneof(
    mutations(['manifest.json\0', 'ustar']).map((mutate) => mutate(bundle)),
    fc.array(tarHeaders, { minLength: 1, maxLength: 4 }).map((headers) => Buffer.concat(headers)),
    fc.uint8Array({ minLength: 1, maxLength: 2_000 }).map((bytes) => Buffer.from(bytes)),
  ),
)
