import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { Clock } from '../lib/clock.ts'
import type { Ring } from './digest-thread.ts'

const RING_BYTES = 2 ** 22
/** To wake a thread for every chunk costs more than to hash it. */
const WAKE_BYTES = 2 ** 20

/**
 * SHA-256 of a stream. What fits into the ring is hashed here; for more, a thread is started: hashing an image costs as
 * much as all else that is done to receive it.
 */
export class Digest {
  readonly #clock: Clock
  readonly #ring = makeRing()
  #thread: Worker | undefined
  #result: Promise<unknown> | undefined
  #failure: Error | undefined
  #unannouncedBytes = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Takes the bytes of a chunk; resolves when more may come. */
  async update(chunk: Uint8Array): Promise<void> {
    const { bytes, put, taken } = this.#ring
    for (let done = 0; done < chunk.byteLength;) {
      if (this.#failure) throw this.#failure
      const seen = Atomics.load(taken, 0)
      const at = Atomics.load(put, 0)
      const room = RING_BYTES - ((at - seen) | 0)
      if (room === 0) {
        this.#start()
        this.#wake()
        await this.#clock.io(Promise.resolve(Atomics.waitAsync(taken, 0, seen).value))
        continue
      }
      const start = at & (RING_BYTES - 1)
      const length = Math.min(room, RING_BYTES - start, chunk.byteLength - done)
      bytes.set(chunk.subarray(done, done + length), start)
      done += length
      Atomics.add(put, 0, length)
      this.#unannouncedBytes += length
      if (this.#unannouncedBytes >= WAKE_BYTES) this.#wake()
    }
  }

  /** The digest in hex of everything that came. */
  async finish(): Promise<string> {
    const { bytes, put, ended } = this.#ring
    if (this.#result === undefined) {
      return createHash('sha256').update(bytes.subarray(0, put[0])).digest('hex')
    }
    Atomics.store(ended, 0, 1)
    this.#wake()
    const [digest] = (await this.#clock.io(this.#result)) as [string] // what the thread posts
    return digest
  }

  /** Ends the thread; harmless when it is over, or never began. */
  async abandon(): Promise<void> {
    await this.#thread?.terminate()
  }

  #wake(): void {
    this.#unannouncedBytes = 0
    Atomics.add(this.#ring.news, 0, 1)
    Atomics.notify(this.#ring.news, 0)
  }

  #start(): void {
    if (this.#thread) return
    // Beside this file, whichever of the two it is: the source, or what was built of it.
    const file = new URL(`./digest-thread${extname(import.meta.url)}`, import.meta.url)
    this.#thread = new Worker(file, { workerData: this.#ring, execArgv: [] })
    this.#result = once(this.#thread, 'message')
    this.#result.catch((error: unknown) => {
      this.#failure = error instanceof Error ? error : new Error(String(error))
      Atomics.notify(this.#ring.taken, 0)
    })
  }
}

function makeRing(): Ring {
  const counter = (): Int32Array => new Int32Array(new SharedArrayBuffer(4))
  return {
    bytes: new Uint8Array(new SharedArrayBuffer(RING_BYTES)),
    put: counter(),
    taken: counter(),
    ended: counter(),
    news: counter(),
  }
}
