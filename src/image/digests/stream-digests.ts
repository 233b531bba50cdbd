import { extname } from 'node:path'
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads'
import type { Clock } from '../../lib/clock.ts'
import { type Block, Blocks } from './blocks.ts'
import type { Hashed, ToHash } from './digest-thread.ts'
import type { Digests, Part, PartDigest } from './digests.ts'
import { PartHashes } from './part-hashes.ts'

const BLOCKS = 4

/** Digests of less than a block are computed here; those of more in a thread, which all images share. */
export function createDigests(clock: Clock): Digests {
  return new StreamDigests(clock)
}

class StreamDigests implements Digests {
  readonly #clock: Clock
  readonly #blocks: Blocks
  /** By what they are of, in the order in which they were asked for. */
  readonly #wanted = new Map<string, { hex: string }>()
  /** Those that nobody who hashes knows of yet. */
  #unsaid: Part[] = []
  #position = 0
  #hasher: Hasher | undefined
  #finished: Promise<void> | undefined

  constructor(clock: Clock) {
    this.#clock = clock
    this.#blocks = new Blocks({ clock, count: BLOCKS, pass: async (full) => (await this.#hash(full)).block })
  }

  want(part: Part): PartDigest {
    const { start, end, algorithm, prefix, suffix } = part
    if (start < this.#position) throw new Error(`the bytes from ${start} on have passed`)
    const around = [prefix, suffix].map((bytes) => Buffer.from(bytes ?? []).toString('base64'))
    const key = [algorithm, start, end, ...around].join(' ')
    const known = this.#wanted.get(key)
    if (known !== undefined) return known
    const result = { hex: '' }
    this.#wanted.set(key, result)
    this.#unsaid.push(part)
    return result
  }

  update(chunk: Uint8Array): Promise<void> | undefined {
    this.#position += chunk.byteLength
    return this.#blocks.add(chunk)
  }

  finish(): Promise<void> {
    return (this.#finished ??= this.#finish())
  }

  abandon(): void {
    this.#blocks.stop(new Error('the digests were given up'))
    this.#hasher?.close()
  }

  #hash(block: Block, isLast = false): Promise<Hashed> {
    const parts = this.#unsaid
    this.#unsaid = []
    this.#hasher ??= new Hasher()
    return this.#hasher.hash({ block, parts, isLast })
  }

  async #finish(): Promise<void> {
    const rest = this.#blocks.takeRest()
    const digests = this.#hasher ? await this.#hashRest(rest, this.#hasher) : this.#hashHere(rest)
    for (const [index, result] of [...this.#wanted.values()].entries()) result.hex = digests[index] ?? ''
  }

  #hashHere(rest: Block): readonly string[] {
    const hashes = new PartHashes()
    for (const part of this.#unsaid) hashes.add(part)
    hashes.update(rest)
    return hashes.finish()
  }

  async #hashRest(rest: Block, hasher: Hasher): Promise<readonly string[]> {
    try {
      const hashed = this.#hash(rest, true)
      const [{ digests }] = await this.#clock.io(Promise.all([hashed, this.#blocks.settle()]))
      return digests
    } finally {
      hasher.close()
    }
  }
}

/** An image's way to the thread. It keeps the process alive for as long as something is on it. */
class Hasher {
  readonly #port = openThread()
  /** Those who wait for their blocks, the first first. */
  #waiting: PromiseWithResolvers<Hashed>[] = []
  #isClosed = false

  constructor() {
    this.#port.on('message', (hashed: Hashed) => {
      this.#waiting.shift()?.resolve(hashed)
      if (this.#waiting.length === 0) this.#port.unref()
    })
    // Closed by us, or because the thread has ended.
    this.#port.on('close', () => this.#giveUp())
    this.#port.unref()
  }

  hash(task: ToHash): Promise<Hashed> {
    const answer = Promise.withResolvers<Hashed>()
    this.#waiting.push(answer)
    if (this.#isClosed) this.#giveUp()
    else this.#port.postMessage(task, [task.block.buffer])
    this.#port.ref()
    return answer.promise
  }

  close(): void {
    this.#port.close()
  }

  #giveUp(): void {
    this.#isClosed = true
    const waiting = this.#waiting
    this.#waiting = []
    for (const { reject } of waiting) reject(new Error('the thread that computes digests has ended'))
  }
}

let thread: Worker | undefined

/** A way to the thread for one more image. It is started by the first, stays, and keeps no process alive. */
function openThread(): MessagePort {
  const { port1, port2 } = new MessageChannel()
  thread ??= startThread()
  thread.postMessage(port2, [port2])
  return port1
}

function startThread(): Worker {
  // Beside this file, whichever of the two it is: the source, or what was built of it.
  const file = new URL(`./digest-thread${extname(import.meta.url)}`, import.meta.url)
  const started = new Worker(file, { execArgv: [] })
  started.unref()
  // Those who wait learn of it by their ports; the next image gets another.
  started.on('error', () => {})
  started.once('exit', () => {
    if (thread === started) thread = undefined
  })
  return started
}
