import * as fc from 'fast-check'
import type { RolloutPlan } from '../../src/rollout/plan.ts'
import type { RolloutEvent } from '../../src/rollout/step.ts'
import { fails, type Script, succeeds } from './scripted-flash.ts'

const MINUTE_MS = 60_000

const script: fc.Arbitrary<Script> = fc.record({
  ms: fc.integer({ min: 0, max: 45 }).map((minutes) => minutes * MINUTE_MS),
  outcome: fc.oneof({ weight: 3, arbitrary: fc.constant(succeeds) }, fc.constant(fails)),
  isRefused: fc.oneof({ weight: 9, arbitrary: fc.constant(false) }, fc.constant(true)),
  isStubborn: fc.oneof({ weight: 4, arbitrary: fc.constant(false) }, fc.constant(true)),
})

const amount = fc.oneof(
  fc.integer({ min: 1, max: 4 }).map((count) => ({ Count: count })),
  fc.constantFrom(20, 50, 100).map((percent) => ({ Percent: percent })),
)
const maybe = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(arbitrary, { nil: undefined })
const duration = fc.constantFrom('PT0S', 'PT5M', 'PT1H')

const plans: fc.Arbitrary<RolloutPlan> = fc
  .record({
    Waves: maybe(
      fc.array(
        fc
          .record({ amount, ApprovalRequired: fc.boolean(), Delay: duration })
          .map(({ amount: of, ...rest }) => ({
            ...of,
            ...rest,
          })),
        { minLength: 1, maxLength: 3 },
      ),
    ),
    MaxParallel: maybe(fc.integer({ min: 1, max: 4 })),
    MaxParallelPerGroup: maybe(fc.integer({ min: 1, max: 3 })),
    MaxParallelPerSource: maybe(fc.integer({ min: 1, max: 2 })),
    MaintenanceWindows: maybe(fc.constant([{ Groups: ['a'], Cron: '0 * * * *', Duration: 'PT20M' }])),
    SuccessThreshold: maybe(amount),
    FailureThreshold: maybe(
      fc
        .tuple(amount, fc.constantFrom('Pause', 'Stop', 'RollBackWave', 'RollBackAll'))
        .map(([of, Action]) => ({ ...of, Action })),
    ),
    OverallSuccessThreshold: maybe(amount),
    OverallFailureThreshold: maybe(
      fc
        .tuple(amount, fc.constantFrom('Pause', 'Stop', 'RollBackAll'))
        .map(([of, Action]) => ({ ...of, Action })),
    ),
    DeviceTimeout: fc.constant('PT30M'),
    Retries: maybe(fc.constant({ MaxRetries: 2, Delay: 'PT5M', Stages: ['Transfer'] })),
    RollBackFailed: fc.boolean(),
  })
  // Members that are not there are left out, as JSON does it.
  .map((plan) => JSON.parse(JSON.stringify(plan)) as RolloutPlan) // as it was

/** A plan, and what devices make of it. */
export interface Shape {
  readonly plan: RolloutPlan
  readonly count: number
  readonly scripts: readonly Script[]
}
export const shapes: fc.Arbitrary<Shape> = fc.record({
  plan: plans,
  count: fc.integer({ min: 0, max: 9 }),
  scripts: fc.array(script, { minLength: 1, maxLength: 20 }),
})

export type Action =
  | { readonly kind: 'pass'; readonly minutes: number }
  | { readonly kind: 'tell'; readonly event: RolloutEvent }
  | { readonly kind: 'approve' }
  | { readonly kind: 'add' }
  /** The driver dies before the port is used once more after so many times, and is there again. */
  | { readonly kind: 'crash'; readonly after: number }

export const actions: fc.Arbitrary<Action[]> = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({ kind: fc.constant('pass'), minutes: fc.integer({ min: 0, max: 40 }) }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant('tell'),
        event: fc.oneof(
          fc
            .constantFrom('Pause', 'Resume', 'Resume', 'Tick', 'Begin', 'Restarted')
            .map((kind) => ({ kind })),
          fc
            .tuple(fc.constantFrom('RetryFailed', 'RollBack'), maybe(fc.constant(['d-1', 'd-3', 'nobody'])))
            .map(([kind, targets]) => ({ kind, targets })),
        ),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant('tell'), event: fc.constant({ kind: 'Cancel' }) }),
    },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('approve') }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('add') }) },
    {
      weight: 3,
      arbitrary: fc.record({ kind: fc.constant('crash'), after: fc.integer({ min: 0, max: 4 }) }),
    },
  ),
  { maxLength: 25 },
)
