import type { Bmc } from '../../bmc/bmc.ts'
import type { UpdateMethod } from './methods.ts'

/** The uploads that BMCs are receiving. Those of one BMC are all of one kind: the other is refused meanwhile (S1-08). */
export class Uploads {
  readonly #running = new WeakMap<Bmc, { readonly kind: UpdateMethod; count: number }>()

  /** One more upload of this kind; `undefined` where there is no room for it. The returned function ends it. */
  enter(bmc: Bmc, kind: UpdateMethod, max: number): (() => void) | undefined {
    const known = this.#running.get(bmc)
    const now = known === undefined || known.count === 0 ? { kind, count: 0 } : known
    if (now.kind !== kind || now.count >= max) return undefined
    now.count++
    this.#running.set(bmc, now)
    return () => void now.count--
  }
}
