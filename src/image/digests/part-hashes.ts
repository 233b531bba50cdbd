import { createHash, type Hash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import type { Part } from './digests.ts'

interface Running {
  readonly part: Part
  readonly state: Hash | { crc: number }
}

/** Hashes parts of an image as its bytes come, in whatever thread it is called. */
export class PartHashes {
  readonly #running: Running[] = []
  #position = 0

  /** A part of which nothing has come yet. */
  add(part: Part): void {
    const one = { part, state: part.algorithm === 'crc32' ? { crc: 0 } : createHash(part.algorithm) }
    if (part.prefix) feed(one, part.prefix)
    this.#running.push(one)
  }

  update(bytes: Uint8Array): void {
    for (const one of this.#running) {
      const from = Math.max(0, one.part.start - this.#position)
      const to = Math.min(bytes.byteLength, (one.part.end ?? Infinity) - this.#position)
      if (from < to) feed(one, bytes.subarray(from, to))
    }
    this.#position += bytes.byteLength
  }

  /** The digests in hexadecimal, in the order in which their parts were added. */
  finish(): readonly string[] {
    return this.#running.map((one) => {
      if (one.part.suffix) feed(one, one.part.suffix)
      return 'crc' in one.state ? one.state.crc.toString(16).padStart(8, '0') : one.state.digest('hex')
    })
  }
}

function feed({ state }: Running, bytes: Uint8Array): void {
  if ('crc' in state) state.crc = crc32(bytes, state.crc)
  else state.update(bytes)
}
