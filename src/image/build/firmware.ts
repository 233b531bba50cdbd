import { createCipheriv, createHash } from 'node:crypto'

const CHUNK_BYTES = 2 ** 18

/** Bytes that look like firmware (do not compress, differ by version) and are the same every time. */
export function* firmware(name: string, version: string, sizeBytes: number): Iterable<Buffer> {
  const key = createHash('sha256').update(`${name}\0${version}`).digest()
  const cipher = createCipheriv('aes-128-ctr', key.subarray(0, 16), key.subarray(16))
  const zeros = Buffer.alloc(Math.min(CHUNK_BYTES, sizeBytes))
  for (let left = sizeBytes; left > 0; left -= zeros.length) {
    yield cipher.update(left < zeros.length ? zeros.subarray(0, left) : zeros)
  }
}
