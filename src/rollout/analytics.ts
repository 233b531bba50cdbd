import { messageKey } from './rules.ts'
import type { PastAttempt, RolloutRecord, TargetRecord, TargetState } from './state.ts'

/** Figures of a roll-out, for reports of it. */
export interface Analytics {
  readonly devices: Readonly<Partial<Record<TargetState, number>>>
  /** Of the devices whose last attempt has ended, those with whom it ended well; absent where none has. */
  readonly successPercent?: number | undefined
  /** Of updates that succeeded, in milliseconds. */
  readonly durations: Durations | undefined
  /** Of attempts that failed, those that were tried again included. */
  readonly failuresByStage: Readonly<Record<string, number>>
  readonly failuresByMessage: Readonly<Record<string, number>>
  /** Attempts after the first of their device. */
  readonly retries: number
  readonly rollBacks: { readonly succeeded: number; readonly failed: number }
  readonly bytes: number
}

interface Durations {
  readonly least: number
  readonly mean: number
  readonly most: number
  /** The least that so many percent of them do not exceed. */
  readonly percentiles: Readonly<Record<50 | 90 | 95 | 99, number>>
}

/** What the histories of a roll-out's devices add up to. */
export function analyticsOf(targets: RolloutRecord['targets']): Analytics {
  const attempts = targets.flatMap(({ history }) => history)
  const updates = attempts.filter(isUpdate)
  const rollBacks = attempts.filter(({ kind }) => kind === 'RollBack')
  const failures = updates.flatMap(({ failure }) => failure ?? [])
  const messages = failures.flatMap(({ message }) => (message ? [messageKey(message.MessageId)] : []))
  const last = targets.flatMap(({ history }) => history.findLast(isDecided) ?? [])
  return {
    devices: tally(targets.map(({ state }) => state)),
    successPercent: last.length === 0 ? undefined : (last.filter(hasSucceeded).length * 100) / last.length,
    durations: durationsOf(updates.filter(hasSucceeded).map(({ startedAt, endedAt }) => endedAt - startedAt)),
    failuresByStage: tally(failures.map(({ stage }) => stage)),
    failuresByMessage: tally(messages),
    retries: targets.reduce((sum, target) => sum + retriesOf(target), 0),
    rollBacks: {
      succeeded: rollBacks.filter(hasSucceeded).length,
      failed: rollBacks.filter((one) => !hasSucceeded(one)).length,
    },
    bytes: attempts.reduce((sum, { bytes = 0 }) => sum + bytes, 0),
  }
}

function isUpdate({ kind }: PastAttempt): boolean {
  return kind === 'Update'
}

function hasSucceeded({ end }: PastAttempt): boolean {
  return end === 'Succeeded'
}

/** Whether it says how the image does on the device: what somebody cancelled does not. */
function isDecided(attempt: PastAttempt): boolean {
  return isUpdate(attempt) && attempt.end !== 'Cancelled'
}

function retriesOf({ history }: TargetRecord): number {
  return Math.max(0, history.filter(isUpdate).length - 1)
}

function tally<T extends string>(values: readonly T[]): Partial<Record<T, number>> & Record<string, number> {
  const counts: Record<string, number> = {}
  for (const value of values) counts[value] = (counts[value] ?? 0) + 1
  return counts as Partial<Record<T, number>> & Record<string, number> // by those values
}

function durationsOf(durations: readonly number[]): Durations | undefined {
  if (durations.length === 0) return undefined
  const sorted = durations.toSorted((a, b) => a - b)
  /** By the nearest rank: one of them, and not what is between two. */
  const at = (percent: number): number =>
    sorted[Math.max(0, Math.ceil((percent * sorted.length) / 100) - 1)] ?? 0
  const sum = sorted.reduce((total, one) => total + one, 0)
  return {
    least: at(0),
    mean: sum / sorted.length,
    most: at(100),
    percentiles: { 50: at(50), 90: at(90), 95: at(95), 99: at(99) },
  }
}
