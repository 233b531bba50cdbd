import type { Clock } from '../../lib/clock.ts'

/** Large enough that what is done once for each of them does not count. */
const BLOCK_BYTES = 2 ** 19

/** Bytes in memory of their own, which can be handed from thread to thread. */
export type Block = Uint8Array<ArrayBuffer>

export interface BlocksOptions {
  readonly clock: Clock
  /** How many there are at most: one is filled while others are on their way. */
  readonly count: number
  /** Takes a full block; resolves with it when it is needed no more. */
  readonly pass: (full: Block) => Promise<Block>
}

/** Gathers chunks into blocks and passes on each that is full. Copies, so that nobody has to keep a chunk. */
export class Blocks {
  readonly #options: BlocksOptions
  #filling: Block | undefined
  #filledBytes = 0
  readonly #free: Block[] = []
  #made = 0
  #onTheWay = 0
  #failure: Error | undefined
  #wake = (): void => {}

  constructor(options: BlocksOptions) {
    this.#options = options
  }

  /** Takes the bytes of a chunk; resolves when more may come, which is at once where it returns nothing. */
  add(chunk: Uint8Array): Promise<void> | undefined {
    const taken = this.#fill(chunk)
    return taken === chunk.byteLength ? undefined : this.#addRest(chunk.subarray(taken))
  }

  /** What has not been passed on, and is the taker's. */
  takeRest(): Block {
    const rest = this.#filling?.subarray(0, this.#filledBytes) ?? new Uint8Array()
    this.#filling = undefined
    this.#filledBytes = 0
    return rest
  }

  /** Resolves when nothing is on its way. */
  async settle(): Promise<void> {
    while (this.#onTheWay > 0 && !this.#failure) await this.#change()
    if (this.#failure) throw this.#failure
  }

  /** Takes nothing more, and tells those who wait. */
  stop(why: Error): void {
    this.#failure ??= why
    this.#wake()
  }

  /** Copies what there is room for, and tells how much that was. */
  #fill(chunk: Uint8Array): number {
    let at = 0
    while (at < chunk.byteLength && !this.#failure) {
      this.#filling ??= this.#free.pop() ?? this.#make()
      if (this.#filling === undefined) break
      const length = Math.min(BLOCK_BYTES - this.#filledBytes, chunk.byteLength - at)
      this.#filling.set(
        length < chunk.byteLength ? chunk.subarray(at, at + length) : chunk,
        this.#filledBytes,
      )
      this.#filledBytes += length
      at += length
      if (this.#filledBytes === BLOCK_BYTES) void this.#pass(this.takeRest())
    }
    return at
  }

  async #addRest(chunk: Uint8Array): Promise<void> {
    for (let at = 0; at < chunk.byteLength; at += this.#fill(chunk.subarray(at))) {
      if (!this.#failure) await this.#change()
      if (this.#failure) throw this.#failure
    }
  }

  #make(): Block | undefined {
    if (this.#made === this.#options.count) return undefined
    this.#made++
    return new Uint8Array(Buffer.allocUnsafeSlow(BLOCK_BYTES).buffer)
  }

  async #pass(full: Block): Promise<void> {
    this.#onTheWay++
    try {
      this.#free.push(await this.#options.pass(full))
      this.#onTheWay--
      this.#wake()
    } catch (error) {
      this.stop(error instanceof Error ? error : new Error(String(error)))
    }
  }

  /** Resolves when a block has come back, or none will. */
  #change(): Promise<void> {
    const changed = new Promise<void>((resolve) => {
      this.#wake = resolve
    })
    return this.#options.clock.io(changed)
  }
}
