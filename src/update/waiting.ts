import type { Bmc } from '../bmc/bmc.ts'
import type { Ending } from '../tasks/work.ts'
import type { VerifiedPlan } from './plan.ts'
import { ofEach } from '../lib/of-each.ts'
import { Waiters } from '../lib/waiters.ts'

/** What becomes of a plan that waited for StartUpdate: its task goes on with it, or another took it over. */
type Start = 'go' | 'taken'

/** A plan that StartUpdate let go on, and how it ends. */
export interface StartedPlan {
  readonly plan: VerifiedPlan
  readonly ended: Promise<Ending>
}

/** A plan's place among those that wait. */
export interface Place {
  /** Rejects when the signal that it was taken with is aborted. */
  readonly started: Promise<Start>
  /** Starts it by word of somebody. */
  readonly start: () => void
  /** To be told how it ended. */
  readonly end: (ending: Ending) => void
}

/** The plans of all BMCs that wait for StartUpdate. */
export class Waiting {
  readonly #plans = ofEach<Bmc, Waiters<StartedPlan, Start>>(() => new Waiters())

  /** From now on the plan waits. */
  add(plan: VerifiedPlan, signal: AbortSignal): Place {
    const { promise: ended, resolve: end } = Promise.withResolvers<Ending>()
    const { settled, settle } = this.#plans(plan.bmc).add({ plan, ended }, signal)
    return { started: settled, start: () => settle('go'), end }
  }

  /** Everything that waits, from now on the caller's. */
  takeAll(bmc: Bmc): readonly VerifiedPlan[] {
    return this.#settleAll(bmc, 'taken').map(({ plan }) => plan)
  }

  /** Lets everything go on that waits. */
  startAll(bmc: Bmc): readonly StartedPlan[] {
    return this.#settleAll(bmc, 'go')
  }

  has(bmc: Bmc): boolean {
    return this.#plans(bmc).size > 0
  }

  #settleAll(bmc: Bmc, start: Start): readonly StartedPlan[] {
    const all = this.#plans(bmc).all()
    for (const { settle } of all) settle(start)
    return all.map(({ item }) => item)
  }
}
