import { randomUUID } from 'node:crypto'
import { createReadStream, createWriteStream, type WriteStream } from 'node:fs'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { finished } from 'node:stream/promises'
import type { Clock } from '../lib/clock.ts'
import { shareable, type Spool, SpoolFullError, type StoredBytes } from './spool.ts'

const BUFFER_BYTES = 2 ** 20

/**
 * A spool of files in a folder of its own below `parent` (default: the system's temporary folder), which is made when
 * the first image comes and removed at the end. Files are created exclusively, readable by their owner only.
 */
export function createFileSpool(clock: Clock, parent = tmpdir()): Spool {
  const entries = new Set<SpoolFile>()
  let folder: Promise<string> | undefined
  const makeFolder = async (): Promise<string> => {
    await mkdir(parent, { recursive: true })
    return mkdtemp(join(parent, 'redflash-'))
  }
  return {
    create: async () => {
      folder ??= makeFolder()
      const entry = new SpoolFile(join(await folder, randomUUID()), clock, () => entries.delete(entry))
      entries.add(entry)
      return shareable(entry)
    },
    close: async () => {
      await Promise.all([...entries].map((entry) => entry.discard()))
      if (folder) await rm(await folder, { recursive: true, force: true })
    },
  }
}

class SpoolFile implements StoredBytes {
  readonly #path: string
  readonly #clock: Clock
  readonly #forget: () => void
  readonly #file: WriteStream
  /** Reaches the one who appends; without a listener it would end the process. */
  #failure: Error | undefined
  #unwrittenBytes = 0
  #wake = (): void => {}

  constructor(path: string, clock: Clock, forget: () => void) {
    this.#path = path
    this.#clock = clock
    this.#forget = forget
    this.#file = createWriteStream(path, { flags: 'wx', mode: 0o600, highWaterMark: BUFFER_BYTES })
    this.#file.on('error', (error: NodeJS.ErrnoException) => {
      this.#failure = error.code === 'ENOSPC' || error.code === 'EDQUOT' ? new SpoolFullError(error) : error
      this.#wake()
    })
  }

  async append(chunk: Uint8Array): Promise<void> {
    this.#unwrittenBytes += chunk.byteLength
    this.#file.write(chunk, () => {
      this.#unwrittenBytes -= chunk.byteLength
      this.#wake()
    })
    // Waiting for `drain`, which comes when all is written, would let network and disk take turns.
    while (this.#unwrittenBytes > BUFFER_BYTES && !this.#failure) await this.#clock.io(this.#nextWrite())
    if (this.#failure) throw this.#failure
  }

  async seal(): Promise<void> {
    this.#file.end()
    await this.#clock.io(finished(this.#file)).catch((error: unknown) => {
      throw this.#failure ?? error
    })
  }

  read(start: number, end: number): AsyncIterable<Uint8Array> {
    return readFile(this.#clock, this.#path, start, end)
  }

  async discard(): Promise<void> {
    this.#forget()
    // A file that is still being opened would come into being after its removal.
    const closed = new Promise<void>((resolve) => {
      if (this.#file.closed) resolve()
      else this.#file.once('close', () => resolve())
    })
    this.#file.destroy(new Error('the image was discarded'))
    await this.#clock.io(closed)
    await this.#clock.io(rm(this.#path, { force: true }))
  }

  /** Resolves when some of what was appended is written, or cannot be. */
  #nextWrite(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve
    })
  }
}

async function* readFile(clock: Clock, path: string, start: number, end: number): AsyncIterable<Uint8Array> {
  if (start >= end) return
  const chunks = createReadStream(path, { start, end: end - 1, highWaterMark: BUFFER_BYTES })
  const iterator = chunks[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>
  try {
    for (;;) {
      const next = await clock.io(iterator.next())
      if (next.done) return
      yield next.value
    }
  } finally {
    chunks.destroy()
  }
}
