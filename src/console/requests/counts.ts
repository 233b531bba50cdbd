import type { Job, JobState } from '../../bmc/state.ts'

/** What became of a device that was asked, as a job counts them. */
export type AskedState = 'Pending' | 'Running' | 'Succeeded' | 'Failed' | 'TimedOut' | 'Cancelled'

type AskedCounts = Readonly<Partial<Record<AskedState, number>>>

/** What a step says of its device. */
export function askedState({ state, messages }: Pick<Job, 'state' | 'messages'>): AskedState {
  const isTimeout = state === 'Exception' && messages.some(({ MessageId }) => TIMEOUT.test(MessageId))
  return isTimeout ? 'TimedOut' : (states[state] ?? 'Pending')
}

const states: Readonly<Partial<Record<JobState, AskedState>>> = {
  Running: 'Running',
  Completed: 'Succeeded',
  Exception: 'Failed',
  Cancelled: 'Cancelled',
}

const TIMEOUT = /^Base\.[\d.]+\.OperationTimeout$/

/** The counts when a step has become another. */
export function counted(counts: AskedCounts = {}, was: Job, is: Job): AskedCounts {
  const [before, after] = [askedState(was), askedState(is)]
  if (before === after) return counts
  return { ...counts, [before]: (counts[before] ?? 0) - 1, [after]: (counts[after] ?? 0) + 1 }
}

/** The share of devices of whom nothing more comes. */
export function percentOf({ Pending = 0, Running = 0, ...ended }: AskedCounts): number {
  const over = Object.values(ended).reduce((sum, count) => sum + count, 0)
  return Math.floor((100 * over) / Math.max(1, over + Pending + Running))
}

/** How a request has ended. */
export function endOf({ Failed = 0, TimedOut = 0 }: AskedCounts = {}): 'Completed' | 'Exception' {
  return Failed + TimedOut > 0 ? 'Exception' : 'Completed'
}

/** The keys of a request's steps. */
export function stepKeys({ id, parts = 0 }: Job): string[] {
  return Array.from({ length: parts }, (_, index) => `${id}/${index + 1}`)
}
