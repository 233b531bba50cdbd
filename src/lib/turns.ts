import { Waiters } from './waiters.ts'

/** Lets so many at a time do what they take turns at; the others wait in the order in which they came. */
export class Turns {
  #free: number
  readonly #waiting = new Waiters<undefined, void>()

  constructor(count: number) {
    this.#free = count
  }

  /** Resolves when it is this one's turn, with what ends it; rejects when the signal is aborted first. */
  async take(signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted()
    if (this.#free === 0) await this.#waiting.add(undefined, signal).settled
    else this.#free--
    let isOver = false
    return () => {
      if (isOver) return
      isOver = true
      const next = this.#waiting.first()
      if (next === undefined) this.#free++
      else next.settle()
    }
  }
}

/** A place among those whose turn it is, which is left while there is nothing to do. */
export class Place {
  readonly #turns: Turns
  readonly #signal: AbortSignal
  #end: (() => void) | undefined

  constructor(turns: Turns, signal: AbortSignal) {
    this.#turns = turns
    this.#signal = signal
  }

  /** Resolves when it is this one's turn; returns nothing where it is. Rejects when the signal is aborted first. */
  take(): Promise<void> | undefined {
    return this.#end === undefined ? this.#await() : undefined
  }

  /** Others may have it. */
  leave(): void {
    this.#end?.()
    this.#end = undefined
  }

  async #await(): Promise<void> {
    this.#end = await this.#turns.take(this.#signal)
  }
}
