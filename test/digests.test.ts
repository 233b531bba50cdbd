import * as fc from 'fast-check'
import { createHash } from 'node:crypto'
import { MessagePort } from 'node:worker_threads'
import { crc32 } from 'node:zlib'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import type { Digests, Part } from '../src/image/digests/digests.ts'
import { createDigests } from '../src/image/digests/stream-digests.ts'
import { systemClock } from '../src/lib/clock.ts'
import { runs } from './support/fuzz.ts'

/** What fits into it is hashed at once; for more, there is a thread. */
const BLOCK_BYTES = 2 ** 19
/** More than is ever on its way to the thread. */
const LARGE_BYTES = 6 * BLOCK_BYTES + 7

const image = bytesOf(LARGE_BYTES)

/** Bytes that differ everywhere, so that none of them may be lost or doubled unseen. */
function bytesOf(sizeBytes: number): Buffer<ArrayBuffer> {
  const words = new Uint32Array(Math.ceil(sizeBytes / 4)).map((_, index) => Math.imul(index, 2_654_435_761))
  return Buffer.from(words.buffer, 0, sizeBytes)
}

function expected({ start, end, algorithm, prefix, suffix }: Part, of: Buffer): string {
  const bytes = Buffer.concat([prefix ?? Buffer.of(), of.subarray(start, end), suffix ?? Buffer.of()])
  return algorithm === 'crc32'
    ? crc32(bytes).toString(16).padStart(8, '0')
    : createHash(algorithm).update(bytes).digest('hex')
}

/** Whether the process stays alive for a thread. */
const isHeld = (): boolean => process.getActiveResourcesInfo().includes('MessagePort')

/** What the digests of these parts are when all of them are asked for first. */
async function digestsOf(parts: readonly Part[], of: Buffer, chunkBytes: number): Promise<readonly string[]> {
  const digests = createDigests(systemClock)
  const results = parts.map((part) => digests.want(part))
  for (let at = 0; at < of.length; at += chunkBytes) await digests.update(of.subarray(at, at + chunkBytes))
  await digests.finish()
  return results.map(({ hex }) => hex)
}

const whole: Part = { start: 0, algorithm: 'sha256' }

describe('the digest of an image', () => {
  test.each([
    ['nothing', 0, 1],
    ['one byte', 1, 1],
    ['a byte less than a block', BLOCK_BYTES - 1, 65_536],
    ['a block', BLOCK_BYTES, 65_536],
    ['a byte more than a block', BLOCK_BYTES + 1, 65_536],
    ['two blocks', 2 * BLOCK_BYTES, BLOCK_BYTES],
    ['many blocks, in chunks that end nowhere in particular', LARGE_BYTES, 65_521],
    ['a chunk of many blocks', LARGE_BYTES, LARGE_BYTES],
  ])('of %s is its SHA-256', async (_name, sizeBytes, chunkBytes) => {
    const bytes = image.subarray(0, sizeBytes)
    expect(await digestsOf([whole], bytes, chunkBytes)).toEqual([expected(whole, bytes)])
  })

  test('does not depend on what becomes of a chunk that was taken', async () => {
    const digests = createDigests(systemClock)
    const { hex: none } = digests.want(whole)
    expect(none).toBe('')
    const result = digests.want(whole)
    const chunk = Buffer.alloc(65_536)
    for (let at = 0; at < image.length; at += chunk.length) {
      const length = image.copy(chunk, 0, at)
      await digests.update(chunk.subarray(0, length))
    }
    chunk.fill(0)
    await digests.finish()
    expect(result.hex).toBe(expected(whole, image))
  })
})

const parts: readonly (Part & { readonly name: string })[] = [
  { name: 'the whole', ...whole },
  { name: 'the whole, by its end', start: 0, end: LARGE_BYTES, algorithm: 'sha256' },
  { name: 'nothing at its beginning', start: 0, end: 0, algorithm: 'sha256' },
  { name: 'nothing at its end', start: LARGE_BYTES, algorithm: 'sha512' },
  { name: 'nothing inside', start: 5_000, end: 5_000, algorithm: 'crc32' },
  { name: 'a byte', start: 5_000, end: 5_001, algorithm: 'sha384' },
  { name: 'its first block', start: 0, end: BLOCK_BYTES, algorithm: 'sha512' },
  { name: 'its second block', start: BLOCK_BYTES, end: 2 * BLOCK_BYTES, algorithm: 'sha256' },
  { name: 'bytes around a border', start: BLOCK_BYTES - 1, end: BLOCK_BYTES + 1, algorithm: 'sha256' },
  { name: 'a range over several', start: 1_000, end: 3 * BLOCK_BYTES + 1, algorithm: 'crc32' },
  { name: 'a range that overlaps it', start: 900, end: 2 * BLOCK_BYTES + 1, algorithm: 'crc32' },
  { name: 'a range to the end', start: BLOCK_BYTES + 77, algorithm: 'sha384' },
  { name: 'more than there is', start: 10, end: LARGE_BYTES + 1_000, algorithm: 'sha256' },
  { name: 'a range with a suffix', start: 4, end: 900, algorithm: 'sha256', suffix: Buffer.from('end') },
  { name: 'the same with another', start: 4, end: 900, algorithm: 'sha256', suffix: Buffer.from('End') },
  { name: 'the same with it before', start: 4, end: 900, algorithm: 'sha256', prefix: Buffer.from('end') },
  { name: 'both, and nothing', start: 7, end: 7, algorithm: 'crc32', prefix: image, suffix: image },
]

describe('parts of an image', () => {
  test.each([
    ['that comes in small chunks', 65_521],
    ['that comes at once', LARGE_BYTES],
  ])('%s all have their digests', async (_how, chunkBytes) => {
    const digests = await digestsOf(parts, image, chunkBytes)
    const named = (all: readonly string[]) => parts.map(({ name }, index) => [name, all[index]])
    expect(named(digests)).toEqual(named(parts.map((part) => expected(part, image))))
  })

  test('of less than a block have the same digests', async () => {
    const small = image.subarray(0, 10_000)
    expect(await digestsOf(parts, small, 999)).toEqual(parts.map((part) => expected(part, small)))
  })

  test('may be asked for until their first byte comes, and not later', async () => {
    const digests = createDigests(systemClock)
    const chunkBytes = 100_000
    const late: { readonly part: Part; readonly hex: () => string }[] = []
    for (let at = 0; at < image.length; at += chunkBytes) {
      const part: Part = { start: at, end: at + 2 * chunkBytes, algorithm: 'sha256' }
      const result = digests.want(part)
      late.push({ part, hex: () => result.hex })
      await digests.update(image.subarray(at, at + chunkBytes))
      expect(() => digests.want({ ...part, algorithm: 'crc32' })).toThrow(String(at))
    }
    await digests.finish()
    expect(late.map(({ hex }) => hex())).toEqual(late.map(({ part }) => expected(part, image)))
  })

  test('are computed once, however often they are asked for', async () => {
    const digests = createDigests(systemClock)
    const one = digests.want({ start: 5, end: 9, algorithm: 'sha256', suffix: Buffer.of(0) })
    expect(digests.want({ start: 5, end: 9, algorithm: 'sha256', suffix: Buffer.of(0) })).toBe(one)
    for (const other of [
      { start: 5, end: 9, algorithm: 'sha256' },
      { start: 5, end: 9, algorithm: 'sha256', prefix: Buffer.of(0) },
      { start: 5, end: 9, algorithm: 'sha512', suffix: Buffer.of(0) },
      { start: 5, algorithm: 'sha256', suffix: Buffer.of(0) },
      { start: 6, end: 9, algorithm: 'sha256', suffix: Buffer.of(0) },
    ] as const) {
      expect(digests.want(other)).not.toBe(one)
    }
    await digests.update(image)
    await Promise.all([digests.finish(), digests.finish()])
    await digests.finish()
    expect(one.hex).toBe(
      createHash('sha256')
        .update(Buffer.concat([image.subarray(5, 9), Buffer.of(0)]))
        .digest('hex'),
    )
  })

  test('have the same digests whatever they are and however the bytes are cut up', async () => {
    const sizes = fc.oneof(fc.nat(2_000), fc.integer({ min: BLOCK_BYTES - 2, max: 3 * BLOCK_BYTES }))
    const aPart = fc.record(
      {
        start: fc.nat(2 * BLOCK_BYTES),
        end: fc.nat(3 * BLOCK_BYTES),
        algorithm: fc.constantFrom('sha256', 'sha384', 'sha512', 'crc32'),
        suffix: fc.uint8Array({ maxLength: 3 }),
      },
      { requiredKeys: ['start', 'algorithm'] },
    )
    const property = fc.asyncProperty(
      sizes,
      fc.integer({ min: 1_000, max: 2 * BLOCK_BYTES }),
      fc.array(aPart, { maxLength: 5 }),
      async (sizeBytes, chunkBytes, wanted) => {
        const bytes = image.subarray(0, sizeBytes)
        expect(await digestsOf(wanted, bytes, chunkBytes)).toEqual(
          wanted.map((part) => expected(part, bytes)),
        )
      },
    )
    await fc.assert(property, runs(50))
  })
})

describe('several images at once', () => {
  test('do not disturb each other, whether they are hashed to their ends or given up', async () => {
    const hash = async (index: number): Promise<void> => {
      const bytes = image.subarray(index)
      expect(await digestsOf([whole], bytes, 100_000 + index)).toEqual([expected(whole, bytes)])
    }
    const giveUp = async (index: number): Promise<void> => {
      const digests = createDigests(systemClock)
      digests.want(whole)
      await digests.update(image.subarray(0, (index * LARGE_BYTES) / 8))
      digests.abandon()
    }
    await Promise.all(Array.from({ length: 8 }, (_, index) => Promise.all([hash(index), giveUp(index)])))
  })
})

describe('digests that are given up', () => {
  test.each([0, 1, BLOCK_BYTES, BLOCK_BYTES + 1, LARGE_BYTES])(
    'after %i bytes hold nothing, as often as they are',
    async (sizeBytes) => {
      const digests = createDigests(systemClock)
      await digests.update(image.subarray(0, sizeBytes))
      digests.abandon()
      digests.abandon()
      await expect.poll(isHeld).toBe(false)
    },
  )

  test('before their end close their way to the thread', async () => {
    const close = vi.spyOn(MessagePort.prototype, 'close')
    onTestFinished(() => close.mockRestore())
    const digests = createDigests(systemClock)
    await digests.update(image)
    digests.abandon()
    expect(close).toHaveBeenCalledOnce()
  })

  test('while they wait take nothing more', async () => {
    const digests = createDigests(systemClock)
    const updated = digests.update(image)
    digests.abandon()
    await expect(updated).rejects.toThrow('given up')
    await expect(digests.finish()).rejects.toThrow('given up')
    await expect.poll(isHeld).toBe(false)
  })

  test('at their end may have come to it', async () => {
    const digests = createDigests(systemClock)
    const result = digests.want(whole)
    await digests.update(image)
    await digests.finish()
    digests.abandon()
    expect(result.hex).toBe(expected(whole, image))
  })
})

test('digests that are neither finished nor given up keep no process alive', async () => {
  await createDigests(systemClock).update(image)
  await expect.poll(isHeld).toBe(false)
})

test('a thread that ends fails those who wait for it, and the next image gets another', async () => {
  const unusable = { start: 0, algorithm: 'sha257' } as unknown as Part // what no caller can say
  const broken = createDigests(systemClock)
  broken.want(unusable)
  const bystander = createDigests(systemClock)
  const take = async (digests: Digests): Promise<void> => {
    await digests.update(image)
    await digests.finish()
  }
  await Promise.all([broken, bystander].map((digests) => expect(take(digests)).rejects.toThrow('the thread')))
  await expect(take(broken)).rejects.toThrow('the thread')
  await expect
    .poll(() => digestsOf([whole], image, 65_536).catch(() => 'ended'))
    .toEqual([expected(whole, image)])
})
