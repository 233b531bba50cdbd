import { messageKey } from './rules.ts'
import type { RolloutRecord, TargetRecord, TargetState } from './state.ts'

/** Figures of a roll-out, for reports of it. */
export interface Analytics {
  readonly devices: Readonly<Partial<Record<TargetState, number>>>
  /** Of the updates that were tried, those that succeeded; absent where none has ended. */
  readonly successPercent?: number | undefined
  /** Of updates that succeeded, in milliseconds. */
  readonly durations: Durations | undefined
  readonly failuresByStage: Readonly<Record<string, number>>
  readonly failuresByMessage: Readonly<Record<string, number>>
  /** Attempts that failed, of devices that were tried again. */
  readonly retries: number
  readonly rollBacks: { readonly succeeded: number; readonly failed: number }
  readonly bytes: number
}

interface Durations {
  readonly least: number
  readonly mean: number
  readonly median: number
  /** Nineteen of twenty took no longer. */
  readonly p95: number
  readonly most: number
}

/** What the histories of these devices add up to: of all of a roll-out, or of those of a wave. */
export function analyticsOf(targets: RolloutRecord['targets']): Analytics {
  const attempts = targets.flatMap(({ history }) => history)
  const updates = attempts.filter(({ kind }) => kind === 'Update')
  const rollBacks = attempts.filter(({ kind }) => kind === 'RollBack')
  const succeeded = updates.filter(({ end }) => end === 'Succeeded')
  const failures = updates.flatMap(({ failure }) => failure ?? [])
  const messages = failures.flatMap(({ message }) => (message ? [messageKey(message.MessageId)] : []))
  return {
    devices: tally(targets.map(({ state }) => state)),
    successPercent: updates.length === 0 ? undefined : (succeeded.length * 100) / updates.length,
    durations: durationsOf(succeeded.map(({ startedAt, endedAt }) => endedAt - startedAt)),
    failuresByStage: tally(failures.map(({ stage }) => stage)),
    failuresByMessage: tally(messages),
    retries: targets.reduce((sum, target) => sum + retriesOf(target), 0),
    rollBacks: {
      succeeded: rollBacks.filter(({ end }) => end === 'Succeeded').length,
      failed: rollBacks.filter(({ end }) => end !== 'Succeeded').length,
    },
    bytes: attempts.reduce((sum, { bytes = 0 }) => sum + bytes, 0),
  }
}

function retriesOf({ history }: TargetRecord): number {
  return Math.max(0, history.filter(({ kind }) => kind === 'Update').length - 1)
}

function tally<T extends string>(values: readonly T[]): Partial<Record<T, number>> & Record<string, number> {
  const counts: Record<string, number> = {}
  for (const value of values) counts[value] = (counts[value] ?? 0) + 1
  return counts as Partial<Record<T, number>> & Record<string, number> // by those values
}

function durationsOf(durations: readonly number[]): Durations | undefined {
  const sorted = durations.toSorted((a, b) => a - b)
  /** The least that so large a share of them does not exceed. */
  const at = (share: number): number => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0
  if (sorted.length === 0) return undefined
  const sum = sorted.reduce((total, one) => total + one, 0)
  return { least: at(0), mean: sum / sorted.length, median: at(0.5), p95: at(0.95), most: at(1) }
}
