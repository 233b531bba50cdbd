import type { Bmc } from '../bmc/bmc.ts'
import type { VerifiedPlan } from './plan.ts'
import { ofEach } from '../lib/of-each.ts'
import { Waiters } from '../lib/waiters.ts'

/** What becomes of a plan that waited for StartUpdate: its task goes on with it, or another took it over. */
type Start = 'go' | 'taken'

/** A plan, and the operation that it belongs to. */
interface WaitingPlan {
  readonly operation: string
  readonly plan: VerifiedPlan
}

/** A plan's place among those that wait. */
export interface Place {
  /** Rejects when the signal that it was taken with is aborted. */
  readonly started: Promise<Start>
  /** Starts it by word of somebody. */
  readonly start: () => void
}

/** The plans of all BMCs that wait for StartUpdate. */
export class Waiting {
  readonly #plans = ofEach<Bmc, Waiters<WaitingPlan, Start>>(() => new Waiters())

  /** From now on the plan waits. */
  add(waiting: WaitingPlan, signal: AbortSignal): Place {
    const { settled, settle } = this.#plans(waiting.plan.bmc).add(waiting, signal)
    return { started: settled, start: () => settle('go') }
  }

  /** Everything that waits. */
  all(bmc: Bmc): readonly WaitingPlan[] {
    return this.#plans(bmc)
      .all()
      .map(({ item }) => item)
  }

  /** Everything that waits waits no more: it goes on in its own tasks, or is taken over. */
  settleAll(bmc: Bmc, start: Start): void {
    for (const { settle } of this.#plans(bmc).all()) settle(start)
  }

  /** A device of a console is managed no more: what waits for nobody else goes on, and finds that out. */
  detached(bmc: Bmc, device: string): void {
    for (const { item, settle } of this.#plans(bmc).all()) {
      const components = [...item.plan.claims.values()].map(({ component }) => component)
      if (components.every(({ on }) => on?.device === device)) settle('go')
    }
  }

  has(bmc: Bmc): boolean {
    return this.#plans(bmc).size > 0
  }
}
