import type { LiveRollout } from './live.ts'
import { isFinal, isUpdating, type TargetRecord } from './state.ts'

/**
 * When a roll-out will have ended if it goes on as it did: its waves one after the other, each device as long as the mean
 * of those that succeeded so far, so many at once as may be, the delays, and the next windows of those who wait for one.
 * `undefined` where nothing can be said: none has succeeded yet, it waits for somebody, or one of its waves will.
 */
export function estimatedEnd(live: LiveRollout, now: number): number | undefined {
  const { head, waves, opened } = live
  const targets = [...live.targets.values()]
  const mean = meanDuration(targets)
  if (mean === undefined || !isUpdating(head.state) || head.pause !== undefined) return undefined
  const left = Map.groupBy(
    targets.filter(({ state }) => !isFinal(state)),
    ({ wave }) => wave,
  )
  let at = now
  for (const { index, state, readyAt } of waves) {
    const { needsApproval, delayMs } = live.rules.wave(index)
    if (index >= opened) {
      if (state === 'WaitingForApproval' || (state === 'Pending' && needsApproval)) return undefined
      at = state === 'Delayed' ? Math.max(at, readyAt ?? at) : at + delayMs
    }
    const open = left.get(index) ?? []
    const rounds = open.length === 0 ? 0 : Math.ceil(open.length / widthOf(live, open))
    at = Math.max(at + rounds * mean, lastOpening(live, open, now) + mean)
  }
  return Math.round(at)
}

/** Of the updates that succeeded. */
function meanDuration(targets: readonly TargetRecord[]): number | undefined {
  const durations = targets.flatMap(({ history }) =>
    history.flatMap(({ kind, end, startedAt, endedAt }) =>
      kind === 'Update' && end === 'Succeeded' ? [endedAt - startedAt] : [],
    ),
  )
  if (durations.length === 0) return undefined
  return durations.reduce((sum, one) => sum + one, 0) / durations.length
}

/** How many of these can be updated at once. */
function widthOf({ rules }: LiveRollout, targets: readonly TargetRecord[]): number {
  const within = (limit: number, laneOf: (target: TargetRecord) => string | undefined): number =>
    [...Map.groupBy(targets, laneOf)].reduce(
      (sum, [lane, some]) => sum + (lane === undefined ? some.length : Math.min(limit, some.length)),
      0,
    )
  return Math.min(
    rules.maxParallel,
    within(rules.perGroup, ({ group }) => group),
    within(rules.perSource, ({ source }) => source),
  )
}

/** When the last of the windows opens for which some of these wait. */
function lastOpening(live: LiveRollout, targets: readonly TargetRecord[], now: number): number {
  const groups = new Set(
    targets.flatMap(({ state, group = '' }) => (state === 'WaitingForWindow' ? [group] : [])),
  )
  const openings = [...groups].map((group) => {
    const window = live.windowOf(group)
    return window.isOpen ? now : (window.until ?? now)
  })
  return Math.max(...openings, -Infinity)
}
