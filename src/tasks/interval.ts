import { millisecondsOf, timestamp } from '../lib/clock.ts'
import { parseDuration } from '../redfish/duration.ts'

export const DAY_MS = 86_400_000

/** An interval of time: once, or, given by times of day, on every day. From its start until before its end. */
export interface Interval {
  readonly isDaily: boolean
  /** In milliseconds since the epoch, of any day where it is daily. */
  readonly start: number
  readonly lengthMs: number
}

const DATE_TIME = /^(\d{4}-\d\d-\d\d)T\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)$/
const TIME = /^\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)$/

/**
 * Reads an ISO 8601 interval: start/end, start/duration or duration/end, of date-times or of times of day; `undefined`
 * where it is none, or empty. Repeating ones (`R5/…`) follow each other without a gap, so that nobody can mean them.
 */
export function parseInterval(text: string): Interval | undefined {
  const [first = '', second = '', ...rest] = text.split('/')
  if (rest.length > 0) return undefined
  const isDaily = TIME.test(first) || TIME.test(second)
  const at = isDaily ? timeOfDay : dateTime
  const from = first.startsWith('P') ? undefined : at(first)
  const until = second.startsWith('P') ? undefined : at(second)
  const isBetween = from !== undefined && until !== undefined
  const apart = isBetween ? until - from : parseDuration(from === undefined ? first : second)
  // From ten in the evening to two in the morning.
  const lengthMs = isDaily && isBetween && until <= from ? until - from + DAY_MS : apart
  const start = from ?? (until !== undefined && lengthMs !== undefined ? until - lengthMs : undefined)
  if (start === undefined || lengthMs === undefined || lengthMs <= 0) return undefined
  return { isDaily, start, lengthMs }
}

/** The first moment at or after `at` that lies within the interval. */
export function openingOf({ isDaily, start, lengthMs }: Interval, at: number): number | undefined {
  if (!isDaily) return at < start + lengthMs ? Math.max(at, start) : undefined
  const since = (((at - start) % DAY_MS) + DAY_MS) % DAY_MS
  return since < lengthMs ? at : at + DAY_MS - since
}

function dateTime(text: string): number | undefined {
  const [, date] = DATE_TIME.exec(text) ?? []
  const ms = millisecondsOf(text)
  // The thirtieth of February would be read as some day of March.
  const isDay =
    date !== undefined && !Number.isNaN(ms) && dateOf(millisecondsOf(`${date}T00:00:00Z`)) === date
  return isDay ? ms : undefined
}

function dateOf(ms: number): string {
  return Number.isNaN(ms) ? '' : timestamp(ms).slice(0, 10)
}

function timeOfDay(text: string): number | undefined {
  const ms = TIME.test(text) ? millisecondsOf(`1970-01-01T${text}`) : Number.NaN
  return Number.isNaN(ms) ? undefined : ms
}
