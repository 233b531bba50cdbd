import * as fc from 'fast-check'
import { buffer } from 'node:stream/consumers'
import { pack } from 'tar-stream'
import { expect, test } from 'vitest'
import { type ImageBytes, type Reading, readWith, type Step } from '../../src/image/reading.ts'
import { createDigests } from '../../src/image/digests/stream-digests.ts'
import { nextFile, skipFile } from '../../src/image/layouts/tar.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { fail } from '../../src/lib/result.ts'
import { cases, CASES_MS, mutations, pieceLengths } from '../support/fuzz.ts'
import { readInPieces } from '../support/image-fuzz.ts'
import { paxHeader, tarBlock, tarEnd, tarFile } from '../support/tar-blocks.ts'

/** No length in a tar makes its reader hold more than this. */
const MAX_HELD_BYTES = 2 ** 16

interface Read {
  readonly files: readonly { readonly name: string; readonly bytes: string }[]
  readonly verdict: string
}

/** Lists the files of a tar, as a format would. */
async function list(image: Buffer, lengths: readonly number[]): Promise<Read> {
  const files: { name: string; bytes: string }[] = []
  const read = function* (bytes: ImageBytes): Reading {
    for (;;) {
      const file = yield* bounded(nextFile(bytes))
      if (file === undefined) break
      const { name, start, sizeBytes } = file
      files.push({ name, bytes: image.toString('latin1', start, start + sizeBytes) })
      yield* bounded(skipFile(bytes, file))
    }
    yield* bytes.end()
    return fail({ kind: 'unreadable', detail: 'whole' })
  }
  const reader = readWith(read, createDigests(systemClock))
  const { ok, ...end } = await readInPieces(image, lengths, reader)
  const { problem } = end as { readonly problem?: { readonly kind: string; readonly detail: string } }
  return { files, verdict: ok ? 'ok' : (problem?.detail ?? '') }
}

/** The same step, which may not ask for more than a reader should hold, nor for what is no length. */
function* bounded<T>(step: Step<T>): Step<T> {
  let given: Uint8Array = new Uint8Array()
  for (;;) {
    const next = step.next(given)
    if (next.done === true) return next.value
    const need = next.value
    if (need.kind !== 'end') {
      expect(Number.isSafeInteger(need.length) && need.length >= 0).toBe(true)
      if (need.kind !== 'skip') expect(need.length).toBeLessThanOrEqual(MAX_HELD_BYTES)
    }
    given = yield need
  }
}

const names = fc.oneof(
  fc.stringMatching(/^[a-z]{1,20}$/),
  fc.stringMatching(/^([a-z]{1,30}\/){1,9}[a-z]{1,60}$/),
  fc.stringMatching(/^[äöü€𝄞]{1,90}$/u),
)
const bodies = fc.oneof(fc.constantFrom(0, 1, 511, 512, 513, 1_024), fc.nat(3_000))

test(
  'what another program packs is what is read',
  async () => {
    const files = fc.uniqueArray(fc.tuple(names, bodies), { selector: ([name]) => name, maxLength: 6 })
    const property = fc.asyncProperty(files, pieceLengths, async (wanted, lengths) => {
      const tar = pack()
      for (const [name, size] of wanted) tar.entry({ name }, 'x'.repeat(size))
      tar.finalize()
      const read = await list(await buffer(tar as AsyncIterable<Uint8Array>), lengths)
      expect(read).toEqual({
        files: wanted.map(([name, size]) => ({ name, bytes: 'x'.repeat(size) })),
        verdict: 'whole',
      })
    })
    await fc.assert(property, cases(300))
  },
  CASES_MS,
)

/** A header, right or wrong in any field. */
const headers = fc
  .record(
    {
      name: fc.oneof(fc.constantFrom('a', '', '../x', '/', './', 'a'.repeat(100)), fc.string()),
      size: fc.oneof(
        fc.nat(2_000),
        fc.constantFrom('777', '77777777777', '-1', '', ' ', '9', 2 ** 33 - 1),
        fc.uint8Array({ minLength: 12, maxLength: 12 }).map((bytes) => Buffer.from(bytes)),
        fc.bigInt(0n, 2n ** 63n).map((size) => {
          const field = Buffer.alloc(12, 0)
          field.writeUInt8(0x80, 0)
          field.writeBigUInt64BE(size, 4)
          return field
        }),
      ),
      type: fc.constantFrom('0', '\0', '1', '2', '5', '7', 'x', 'x', 'g', 'L', 'L', 'K', 'S', 'Z'),
      magic: fc.constantFrom('ustar\x0000', 'ustar  \0', 'nothing\0'),
      prefix: fc.constantFrom('', '', '..', 'a'),
      checksum: fc.constantFrom('0000000\0', '        '),
      isSigned: fc.boolean(),
    },
    { requiredKeys: ['type'] },
  )
  .map(tarBlock)
const extensions = fc.oneof(
  fc.record(
    {
      path: fc.oneof(names, fc.string({ unit: 'binary' })),
      size: fc.oneof(fc.nat(2_000).map(String), fc.constantFrom('-1', '1e3', '99999999999999999999', '')),
      comment: fc.string({ maxLength: 300 }),
    },
    { requiredKeys: [] },
  ),
  fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
)
const blocks = fc.oneof(
  headers,
  fc
    .tuple(headers, fc.uint8Array({ maxLength: 1_200 }))
    .map(([header, body]) => Buffer.concat([header, body])),
  fc.tuple(extensions, fc.constantFrom('x', 'g')).map(([records, type]) => paxHeader(records, type)),
  fc.tuple(names, bodies).map(([name, size]) => tarFile(name, Buffer.alloc(size, 'x'))),
  fc.constantFrom(tarEnd, tarEnd.subarray(0, 512)),
)

test(
  'whatever a tar is made of, its reader comes to an end and holds little',
  async () => {
    const property = fc.asyncProperty(
      fc.array(blocks, { maxLength: 6 }),
      pieceLengths,
      async (parts, lengths) => {
        const image = Buffer.concat(parts)
        const { files, verdict } = await list(image, lengths)
        expect(verdict).toMatch(/./)
        for (const { name } of files) expect(isPlain(name)).toBe(true)
        // However it comes, it is the same.
        expect(await list(image, [65_536])).toEqual({ files, verdict })
      },
    )
    await fc.assert(property, cases(700))
  },
  CASES_MS,
)

test(
  'whatever becomes of a tar, its reader comes to an end and holds little',
  async () => {
    const long = `${'folder/'.repeat(30)}file`
    const image = Buffer.concat([
      tarFile('first', Buffer.alloc(700, 'a')),
      paxHeader({ path: long, mtime: '1.5' }),
      tarFile('second', Buffer.alloc(513, 'b')),
      tarFile('././@LongLink', Buffer.from(`${long}2\0`), { type: 'L', magic: 'ustar  \0' }),
      tarFile('third', Buffer.alloc(1, 'c'), { magic: 'ustar  \0' }),
      tarEnd,
    ])
    const snippets = ['ustar\x0000', '\0'.repeat(512), '12 path=../a\n', '\x80', '77777777777', '..', '/']
    const property = fc.asyncProperty(mutations(snippets), pieceLengths, async (mutate, lengths) => {
      const { files, verdict } = await list(mutate(image), lengths)
      expect(verdict).toMatch(/./)
      for (const { name } of files) expect(isPlain(name)).toBe(true)
    })
    await fc.assert(property, cases(1_000))
  },
  CASES_MS,
)

function isPlain(name: string): boolean {
  return name !== '' && !name.startsWith('/') && !name.split(/[/\\]/).includes('..') && !/\p{Cc}/u.test(name)
}
