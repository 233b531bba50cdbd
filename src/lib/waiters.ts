/** Somebody who waits, and what is known of them. */
export interface Waiter<I, T> {
  readonly item: I
  /** Rejects with the reason of the signal that it came with, when that is aborted first. */
  readonly settled: Promise<T>
  /** Ends the wait; it is among the others no more when this returns. */
  readonly settle: (value: T) => void
}

/** Those who wait for something, in the order in which they came. */
export class Waiters<I, T> {
  readonly #all = new Set<Waiter<I, T>>()

  get size(): number {
    return this.#all.size
  }

  /** Who has waited longest. */
  first(): Waiter<I, T> | undefined {
    const [first] = this.#all
    return first
  }

  /** Those who wait now, whoever leaves meanwhile. */
  all(): readonly Waiter<I, T>[] {
    return [...this.#all]
  }

  /** One more; `left` is called when its wait is over, before anybody hears of it. */
  add(item: I, signal: AbortSignal, left: () => void = () => {}): Waiter<I, T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    const leave = (): void => {
      this.#all.delete(waiter)
      signal.removeEventListener('abort', abort)
      left()
    }
    const abort = (): void => {
      leave()
      reject(signal.reason)
    }
    const settle = (value: T): void => {
      leave()
      resolve(value)
    }
    const waiter = { item, settled: promise, settle }
    this.#all.add(waiter)
    signal.addEventListener('abort', abort, { once: true })
    if (signal.aborted) abort()
    return waiter
  }
}
