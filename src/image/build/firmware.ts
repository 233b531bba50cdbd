import { createCipheriv, createHash } from 'node:crypto'
import type { ComponentOrder } from './builder.ts'

const CHUNK_BYTES = 2 ** 18

/** The bytes of a component: those that were given, or made up. */
export function firmwareOf({
  bytes,
  softwareId,
  version,
  sizeBytes,
}: ComponentOrder): Iterable<Uint8Array> | AsyncIterable<Uint8Array> {
  return bytes?.() ?? firmware(softwareId, version, sizeBytes)
}

/** Bytes that look like firmware (do not compress, differ by version) and are the same every time. */
function* firmware(name: string, version: string, sizeBytes: number): Iterable<Buffer> {
  const key = createHash('sha256').update(`${name}\0${version}`).digest()
  const cipher = createCipheriv('aes-128-ctr', key.subarray(0, 16), key.subarray(16))
  const zeros = Buffer.alloc(Math.min(CHUNK_BYTES, sizeBytes))
  for (let left = sizeBytes; left > 0; left -= zeros.length) {
    yield cipher.update(left < zeros.length ? zeros.subarray(0, left) : zeros)
  }
}
