import type { WaveJob } from '../bmc/rollout-view.ts'
import type { BmcState, Change, Entries, Job, Task } from '../bmc/state.ts'
import { hasMonitor } from './task.ts'

interface Kept {
  readonly id: string
  readonly parent?: string
  readonly parts?: number
  readonly endTime: number | undefined
  readonly wave?: number
  readonly waveJobs?: readonly WaveJob[]
}

/** What the tasks or jobs of a table are: their parts go with them, and so do the jobs of a roll-out's waves. */
export function wholes<R extends Kept>(table: ReadonlyMap<string, R>): R[] {
  return [...table.values()].filter(({ parent, wave }) => parent === undefined && wave === undefined)
}

/** The entries that remove these, with their parts. */
export function gone<R>(removed: readonly Kept[]): Entries<R> {
  const all = removed.flatMap((one) => [one, ...(one.waveJobs ?? [])])
  return all.flatMap(({ id, parts = 0 }) =>
    [id, ...Array.from({ length: parts }, (_, index) => `${id}/${index + 1}`)].map(
      (key) => [key, undefined] as const,
    ),
  )
}

/** The change that removes these jobs, and with a roll-out's what is known of that. */
export function goneJobs({ rollouts }: BmcState, removed: readonly Job[]): Pick<Change, 'jobs' | 'rollouts'> {
  const ids = new Set(removed.flatMap(({ rollout }) => rollout ?? []))
  const parts = ids.size === 0 ? [] : [...rollouts.keys()].filter((key) => ids.has(key.split('/')[0] ?? ''))
  return { jobs: gone(removed), rollouts: parts.map((key) => [key, undefined] as const) }
}

/** What makes room for one more in a table of so many: the oldest that has ended, where it is full. */
export function givingWay<R extends Kept>(table: ReadonlyMap<string, R>, max: number): R[] {
  const all = wholes(table)
  return all.length < max ? [] : all.filter(({ endTime }) => endTime !== undefined).slice(0, 1)
}

/** How long finished tasks and their monitors are kept. */
export interface RetentionTimes {
  readonly taskMs: number
  /** After the reading of the final answer; `undefined`: as long as the task. */
  readonly monitorMs: number | undefined
}

/** What has had its time, and when the next will have. */
export interface Overdue {
  readonly tasks: Entries<Task>
  /** Infinity: nothing will. */
  readonly nextAt: number
}

/** What time has done to finished tasks and their monitors. */
export function overdue(table: ReadonlyMap<string, Task>, times: RetentionTimes, now: number): Overdue {
  const ends = wholes(table).flatMap((task) => {
    const { endTime, monitorReadAt } = task
    if (endTime === undefined) return []
    const goes = { at: endTime + times.taskMs, entries: gone<Task>([task]) }
    if (monitorReadAt === undefined || times.monitorMs === undefined || !hasMonitor(task)) return [goes]
    const closed = [[task.id, { ...task, isMonitorGone: true }]] as const
    return [{ at: monitorReadAt + times.monitorMs, entries: closed }, goes]
  })
  return {
    tasks: ends.filter(({ at }) => at <= now).flatMap(({ entries }) => entries),
    nextAt: Math.min(...ends.map(({ at }) => at).filter((at) => at > now)),
  }
}
