import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { Digest } from '../src/image/digest.ts'
import { systemClock } from '../src/lib/clock.ts'

/** What fits is hashed at once; for more, a thread is started. */
const RING_BYTES = 4 * 2 ** 20

/** Bytes that differ everywhere, so that none of them may be lost or doubled unseen. */
function bytesOf(sizeBytes: number): Buffer {
  const words = new Uint32Array(Math.ceil(sizeBytes / 4)).map((_, index) => Math.imul(index, 2_654_435_761))
  return Buffer.from(words.buffer, 0, sizeBytes)
}

async function digestOf(image: Buffer, chunkBytes: number): Promise<string> {
  const digest = new Digest(systemClock)
  for (let at = 0; at < image.length; at += chunkBytes) {
    await digest.update(image.subarray(at, at + chunkBytes))
  }
  return digest.finish()
}

describe('the digest of an image', () => {
  test.each([
    ['nothing', 0, 1],
    ['one byte', 1, 1],
    ['as much as fits', RING_BYTES, 65_536],
    ['a byte more', RING_BYTES + 1, 65_536],
    ['several times as much, in chunks that end nowhere in particular', 5 * RING_BYTES + 7, 65_521],
    ['a chunk larger than what fits', 3 * RING_BYTES + 3, 3 * RING_BYTES + 3],
  ])('of %s is its SHA-256', async (_name, sizeBytes, chunkBytes) => {
    const image = bytesOf(sizeBytes)
    expect(await digestOf(image, chunkBytes)).toBe(createHash('sha256').update(image).digest('hex'))
  })

  test('that is given up in the middle does not keep its thread', async () => {
    const digest = new Digest(systemClock)
    await digest.update(bytesOf(2 * RING_BYTES))
    await digest.abandon()
    await digest.abandon()
    expect(process.getActiveResourcesInfo()).not.toContain('MessagePort')
  })
})
