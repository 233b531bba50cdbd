import { createHash } from 'node:crypto'
import { parentPort, workerData } from 'node:worker_threads'

/** Bytes on their way from one thread to another, in memory that both see. */
export interface Ring {
  /** A power of two long. */
  readonly bytes: Uint8Array
  /** How many bytes were put in and taken out so far; both run on, and wrap around at 32 bits. */
  readonly put: Int32Array
  readonly taken: Int32Array
  /** 1 when nothing more will be put in. */
  readonly ended: Int32Array
  /** Counts what the taker has to look at: bytes, or the end. */
  readonly news: Int32Array
}

const PART_BYTES = 2 ** 20

/** What runs in the thread: hashes what comes through the ring until it ends, and posts the digest. */
const { bytes, put, taken, ended, news } = workerData as Ring // what `digest.ts` starts it with
const hash = createHash('sha256')
for (;;) {
  const seen = Atomics.load(news, 0)
  const isLast = Atomics.load(ended, 0) === 1
  const from = Atomics.load(taken, 0)
  const waiting = (Atomics.load(put, 0) - from) | 0
  if (waiting > 0) {
    const start = from & (bytes.length - 1)
    // A part at a time, so that there is room again soon.
    const end = Math.min(start + waiting, start + PART_BYTES, bytes.length)
    hash.update(bytes.subarray(start, end))
    Atomics.add(taken, 0, end - start)
    Atomics.notify(taken, 0)
  } else if (isLast) {
    break
  } else {
    Atomics.wait(news, 0, seen)
  }
}
// eslint-disable-next-line unicorn/require-post-message-target-origin -- a thread's port, not a window
parentPort?.postMessage(hash.digest('hex'))
