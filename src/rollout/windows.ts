import { Cron } from 'croner'
import type { Schedule } from '../bmc/state.ts'
import { nextOccurrence } from '../tasks/schedule.ts'

/** When devices of some groups may be written, again and again. */
export interface WindowRule {
  /** Of every group that no other window names, where absent. */
  readonly groups?: readonly string[] | undefined
  readonly durationMs: number
  /** When it opens next, later than `after`. */
  readonly opening: (after: number) => number | undefined
}

/** A moment, seen from the windows of a group. */
export type WindowAt =
  | { readonly isOpen: true; readonly until: number }
  /** `until` is absent where none opens any more. */
  | { readonly isOpen: false; readonly until: number | undefined }

const ALWAYS: WindowAt = { isOpen: true, until: Infinity }
const FIVE_FIELDS = /^\S+( \S+){4}$/

/**
 * What a cron expression of five fields says in a time zone; `undefined` where it is none, or nothing would ever happen by
 * it. A time of day that a clock change leaves out is the first moment after it; one that comes twice is the first of both.
 */
export function cronOpenings(pattern: string, timeZone: string): WindowRule['opening'] | undefined {
  if (!FIVE_FIELDS.test(pattern) || !isTimeZone(timeZone)) return undefined
  const cron = parseCron(pattern, timeZone)
  const opening = (after: number): number | undefined => cron?.nextRun(new Date(after))?.getTime()
  return cron === undefined || opening(0) === undefined ? undefined : opening
}

function parseCron(pattern: string, timezone: string): Cron | undefined {
  try {
    // Lists of hours are times of day, too: of what a clock change does to them the same holds.
    return new Cron(pattern, { timezone, mode: '5-part', fixedTimeRule: 'no-wildcard', paused: true })
  } catch {
    // Croner tells by throwing what is no pattern of its own.
    return undefined
  }
}

export function isTimeZone(timeZone: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone }).resolvedOptions().timeZone !== ''
  } catch {
    // A RangeError: it is none.
    return false
  }
}

/** What a Schedule says (Schedule v1_2_5, in UTC); without an interval it opens once. */
export function scheduleOpenings(schedule: Schedule, createdAt: number): WindowRule['opening'] {
  const job = { schedule, createdAt }
  if (schedule.recurrenceIntervalMs !== undefined) return (after) => nextOccurrence(job, after, 0)
  const only = nextOccurrence(job, createdAt - 1, 0)
  return (after) => (only !== undefined && only > after ? only : undefined)
}

/** The windows of a group: those that name it, or else those that name none. Where no rule is for it, it is always open. */
export function windowsOf(rules: readonly WindowRule[], group: string | undefined): readonly WindowRule[] {
  const own = rules.filter(({ groups }) => group !== undefined && groups?.includes(group))
  return own.length > 0 ? own : rules.filter(({ groups }) => groups === undefined)
}

/** Whether one of the windows is open, from its opening until before its end; and until when that is so for certain. */
export function windowAt(windows: readonly WindowRule[], now: number): WindowAt {
  if (windows.length === 0) return ALWAYS
  const next = windows.flatMap(({ opening, durationMs }) => {
    const at = opening(now - durationMs)
    return at === undefined ? [] : [{ at, end: at + durationMs }]
  })
  const open = next.filter(({ at }) => at <= now)
  if (open.length > 0) return { isOpen: true, until: Math.max(...open.map(({ end }) => end)) }
  return { isOpen: false, until: next.length === 0 ? undefined : Math.min(...next.map(({ at }) => at)) }
}
