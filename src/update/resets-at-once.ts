import type { Bmc } from '../bmc/bmc.ts'
import { isAtLeast, strengthOf } from '../bmc/reset-types.ts'
import type { ResetNeed } from '../bmc/state.ts'
import { ofEach } from '../lib/of-each.ts'

/** Performs the resets that updates ask the service for: all at once, as soon as they disturb nobody's work. */
export class ResetsAtOnce {
  readonly #busy = new Set<object>()
  readonly #wanted = new Map<string, string>()
  readonly #reset: (resource: string, type: string) => void

  constructor(reset: (resource: string, type: string) => void) {
    this.#reset = reset
  }

  /** Nothing is reset before this is over. */
  hold(work: object): void {
    this.#busy.add(work)
  }

  /** This is ready, and needs that reset; of several, the strongest is done. */
  ask(work: object, { resource, type }: ResetNeed): void {
    const other = this.#wanted.get(resource)
    const isCovered = other !== undefined && isAtLeast(strengthOf(other), strengthOf(type))
    if (!isCovered) this.#wanted.set(resource, type)
    this.over(work)
  }

  /** A reset would not disturb this any more. */
  over(work: object): void {
    this.#busy.delete(work)
    if (this.#busy.size > 0) return
    const wanted = [...this.#wanted]
    this.#wanted.clear()
    for (const [resource, type] of wanted) this.#reset(resource, type)
  }
}

/** Those of each BMC; `reset` begins the reset of one of its systems or managers. */
export function resetsOfEach(
  reset: (bmc: Bmc, resource: string, type: string) => void,
): (bmc: Bmc) => ResetsAtOnce {
  return ofEach((bmc) => new ResetsAtOnce((resource, type) => reset(bmc, resource, type)))
}
