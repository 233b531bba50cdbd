import type { Job, Schedule } from '../bmc/state.ts'
import { calendarOf } from '../lib/clock.ts'
import { DAY_MS, type Interval, openingOf, parseInterval } from './interval.ts'

/** Every calendar has come round by then: what does not occur within it never will. */
const HORIZON_MS = 40 * 366 * DAY_MS

/** In the order of the calendar. */
export const daysOfWeek = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday']
export const monthsOfYear = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
]
/** Stands alone for all days or months. */
export const EVERY = 'Every'

/**
 * When a job that has run so often runs next, later than `after` (Schedule v1_2_5, in UTC). Occurrences are apart by
 * RecurrenceInterval, counted from InitialStartTime, and those that fall where none is enabled are left out. Without
 * an interval there is one, as soon as it is enabled. A job without a schedule runs once, at once.
 */
export function nextOccurrence(
  { schedule = {}, createdAt }: Pick<Job, 'schedule' | 'createdAt'>,
  after: number,
  runsSoFar: number,
): number | undefined {
  const { recurrenceIntervalMs: every, initialStartTime: start = createdAt, lifetimeMs = Infinity } = schedule
  const limit = schedule.maxOccurrences ?? Infinity
  if (runsSoFar >= (every === undefined ? Math.min(1, limit) : limit)) return undefined
  const onGrid = (at: number): number =>
    every === undefined || at <= start ? Math.max(at, start) : start + Math.ceil((at - start) / every) * every
  const first = onGrid(after + 1)
  const end = Math.min(createdAt + lifetimeMs, first + HORIZON_MS)
  const intervals = (schedule.enabledIntervals ?? []).flatMap((text) => parseInterval(text) ?? [])
  for (let at = first; at < end;) {
    const enabled = soonestEnabled(schedule, intervals, at)
    if (enabled === at) return at
    if (enabled === undefined) return undefined
    at = onGrid(enabled)
  }
  return undefined
}

/** As `nextOccurrence`; those that came due while nobody was there are one, as soon as anything is enabled again. */
export function dueOccurrence(
  job: Pick<Job, 'schedule' | 'createdAt'>,
  { after, runs }: { readonly after: number; readonly runs: number },
  now: number,
): number | undefined {
  const at = nextOccurrence(job, after, runs)
  if (at === undefined || at >= now) return at
  const { recurrenceIntervalMs: _every, maxOccurrences: _limit, ...schedule } = job.schedule ?? {}
  return nextOccurrence({ ...job, schedule }, now - 1, 0)
}

/** `at` itself where occurrences are enabled then; else a later moment, before which none is. */
function soonestEnabled(schedule: Schedule, intervals: readonly Interval[], at: number): number | undefined {
  const { month, dayOfMonth, dayOfWeek } = calendarOf(at)
  const isDay =
    isEnabled(schedule.enabledMonthsOfYear, EVERY, monthsOfYear[month]) &&
    isEnabled(schedule.enabledDaysOfMonth, 0, dayOfMonth) &&
    isEnabled(schedule.enabledDaysOfWeek, EVERY, daysOfWeek[dayOfWeek])
  if (!isDay) return (Math.floor(at / DAY_MS) + 1) * DAY_MS
  if (intervals.length === 0) return at
  const openings = intervals.flatMap((interval) => openingOf(interval, at) ?? [])
  return openings.length === 0 ? undefined : Math.min(...openings)
}

function isEnabled<T>(enabled: readonly T[] = [], every: T, one: T | undefined): boolean {
  return enabled.length === 0 || enabled.includes(every) || (one !== undefined && enabled.includes(one))
}
