import type { Bmc } from '../bmc/bmc.ts'
import { ofEach } from '../lib/of-each.ts'

/** Lets so many at a time do what they take turns at; the others wait in the order in which they came. */
export class Turns {
  #free: number
  readonly #waiting: (() => void)[] = []

  constructor(count: number) {
    this.#free = count
  }

  /** Resolves when it is this one's turn, with what ends it; rejects when the signal is aborted first. */
  async take(signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted()
    if (this.#free === 0) await this.#queue(signal)
    else this.#free--
    let isOver = false
    return () => {
      if (isOver) return
      isOver = true
      const next = this.#waiting.shift()
      if (next === undefined) this.#free++
      else next()
    }
  }

  #queue(signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const abort = (): void => {
      this.#waiting.splice(this.#waiting.indexOf(start), 1)
      reject(signal.reason)
    }
    const start = (): void => {
      signal.removeEventListener('abort', abort)
      resolve()
    }
    this.#waiting.push(start)
    signal.addEventListener('abort', abort, { once: true })
    return promise
  }
}

/** The turns of each BMC's devices: as many at a time as its machine can write. */
export function turnsOfEach(): (bmc: Bmc) => Turns {
  return ofEach((bmc) => new Turns(bmc.machine.maxParallelFlashes))
}
