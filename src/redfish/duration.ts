const SECOND_MS = 1_000
const MINUTE_MS = 60 * SECOND_MS
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS
/** Beyond it a duration is a mistake, and sums of times would be no times any more. */
const MAX_MS = 36_525 * DAY_MS

/** The schemas' pattern, with the dot that it means, and something in it: they let `P` pass. */
const DURATION = /^P(?=\d|T\d)(?:(\d+)D)?(?:T(?=\d)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$/
/** What is a Duration by its form, for schemas of our own. */
export const DURATION_PATTERN = DURATION.source

/** The milliseconds of a Redfish Duration (DSP0266, duration values); `undefined` where it is none, or beyond a century. */
export function parseDuration(text: string): number | undefined {
  const parts = DURATION.exec(text)
  if (parts === null) return undefined
  const [days = 0, hours = 0, minutes = 0, seconds = 0] = parts.slice(1).map((part) => Number(part ?? 0))
  const ms = days * DAY_MS + hours * HOUR_MS + minutes * MINUTE_MS + Math.round(seconds * SECOND_MS)
  return ms <= MAX_MS ? ms : undefined
}

/** A Redfish Duration of so many whole milliseconds. */
export function formatDuration(ms: number): string {
  const days = Math.floor(ms / DAY_MS)
  const time = [
    [Math.floor((ms % DAY_MS) / HOUR_MS), 'H'],
    [Math.floor((ms % HOUR_MS) / MINUTE_MS), 'M'],
    [(ms % MINUTE_MS) / SECOND_MS, 'S'],
  ].flatMap(([amount, unit]) => (amount === 0 ? [] : [`${amount}${unit}`]))
  if (days === 0 && time.length === 0) return 'PT0S'
  return `P${days === 0 ? '' : `${days}D`}${time.length === 0 ? '' : `T${time.join('')}`}`
}
