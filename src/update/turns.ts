import type { Bmc } from '../bmc/bmc.ts'
import { ofEach } from '../lib/of-each.ts'
import { Waiters } from '../lib/waiters.ts'

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
      const [next] = this.#waiting.all()
      if (next === undefined) this.#free++
      else next.settle()
    }
  }
}

/** The turns of each BMC's devices: as many at a time as its machine can write. */
export function turnsOfEach(): (bmc: Bmc) => Turns {
  return ofEach((bmc) => new Turns(bmc.machine.maxParallelFlashes))
}
