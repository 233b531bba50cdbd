import { LiveRollout } from '../../src/rollout/live.ts'
import type { RolloutPlan } from '../../src/rollout/plan.ts'
import type { DeviceFacts } from '../../src/rollout/select.ts'
import type { Outcome } from '../../src/rollout/state.ts'
import { type RolloutEvent, step } from '../../src/rollout/step.ts'
import { devices, rolloutOf } from './devices.ts'

export const MINUTE = 60_000
export const START = Date.UTC(2026, 0, 1)

/** A roll-out that has begun, with a clock that stands still. */
export function begun(plan: RolloutPlan, all: number | readonly DeviceFacts[]) {
  const live = new LiveRollout(rolloutOf(plan, typeof all === 'number' ? devices(all) : all))
  let now = START
  const tell = (...events: RolloutEvent[]) => step(live, events, now)
  const stateOf = (id: string): string | undefined => live.targets.get(id)?.state
  const rollout = {
    live,
    tell,
    /** What is done so many minutes later. */
    later: (minutes: number) => {
      now += minutes * MINUTE
      return tell({ kind: 'Tick' })
    },
    end: (id: string, outcome: Outcome) => {
      const operation = live.targets.get(id)?.attempt?.operation ?? 'none'
      return tell({ kind: 'DeviceEnded', target: id, operation, outcome })
    },
    /** Those that go on. */
    flashing: () => [...live.targets.values()].flatMap(({ id, state }) => (state === 'Flashing' ? [id] : [])),
    states: () => [...live.targets.values()].map(({ id }) => stateOf(id)),
    stateOf,
    state: () => live.head.state,
    waves: () => live.waves.map(({ state }) => state),
  }
  tell({ kind: 'Begin' })
  return rollout
}

export function started({ effects }: ReturnType<typeof step>): string[] {
  return effects.flatMap((effect) => (effect.kind === 'StartFlash' ? [effect.target] : []))
}

export function wakes({ effects }: ReturnType<typeof step>): (number | undefined)[] {
  return effects.flatMap((effect) => (effect.kind === 'WakeAt' ? [effect.at] : []))
}
