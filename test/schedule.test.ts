import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Schedule } from '../src/bmc/state.ts'
import { calendarOf, millisecondsOf, timestamp } from '../src/lib/clock.ts'
import { formatDuration, parseDuration } from '../src/redfish/duration.ts'
import { DAY_MS, openingOf, parseInterval } from '../src/tasks/interval.ts'
import { daysOfWeek, monthsOfYear, nextOccurrence } from '../src/tasks/schedule.ts'

const HOUR_MS = 3_600_000
const CREATED = '2026-01-01T00:00:00Z' // a Thursday
const createdAt = millisecondsOf(CREATED)

/** All occurrences of a job that is never late, at most so many. */
function occurrences(schedule: Schedule | undefined, most = 5): string[] {
  const found: number[] = []
  for (let after = createdAt - 1; found.length < most;) {
    const at = nextOccurrence({ schedule, createdAt }, after, found.length)
    if (at === undefined) break
    found.push(at)
    after = at
  }
  return found.map(timestamp)
}

describe('a job occurs', () => {
  const cases: readonly (readonly [string, Schedule | undefined, readonly string[]])[] = [
    ['once and at once without a schedule', undefined, [CREATED]],
    ['once and at once with an empty one', {}, [CREATED]],
    [
      'once at its start',
      { initialStartTime: millisecondsOf('2026-03-01T12:00:00+02:00') },
      ['2026-03-01T10:00:00Z'],
    ],
    ['at once where its only start has passed', { initialStartTime: createdAt - HOUR_MS }, [CREATED]],
    [
      'at its interval from its start on, as often as it may',
      { initialStartTime: createdAt + HOUR_MS, recurrenceIntervalMs: DAY_MS, maxOccurrences: 3 },
      ['2026-01-01T01:00:00Z', '2026-01-02T01:00:00Z', '2026-01-03T01:00:00Z'],
    ],
    [
      'in step with a start that has passed',
      { initialStartTime: createdAt - HOUR_MS, recurrenceIntervalMs: DAY_MS, maxOccurrences: 1 },
      ['2026-01-01T23:00:00Z'],
    ],
    [
      'no more once its lifetime is over',
      { recurrenceIntervalMs: DAY_MS, lifetimeMs: 2 * DAY_MS },
      [CREATED, '2026-01-02T00:00:00Z'],
    ],
    [
      'on enabled days of the week only',
      { recurrenceIntervalMs: DAY_MS, enabledDaysOfWeek: ['Monday', 'Saturday'], maxOccurrences: 3 },
      ['2026-01-03T00:00:00Z', '2026-01-05T00:00:00Z', '2026-01-10T00:00:00Z'],
    ],
    [
      'on days that all of week, month and year enable',
      {
        recurrenceIntervalMs: DAY_MS,
        enabledDaysOfWeek: ['Friday'],
        enabledDaysOfMonth: [13],
        enabledMonthsOfYear: ['Every'],
        maxOccurrences: 2,
      },
      ['2026-02-13T00:00:00Z', '2026-03-13T00:00:00Z'],
    ],
    [
      'on every day where 0 and Every say so',
      {
        recurrenceIntervalMs: DAY_MS,
        enabledDaysOfWeek: ['Every'],
        enabledDaysOfMonth: [0],
        maxOccurrences: 2,
      },
      [CREATED, '2026-01-02T00:00:00Z'],
    ],
    [
      'on leap days, however far apart',
      {
        recurrenceIntervalMs: 1_000,
        enabledDaysOfWeek: ['Monday'],
        enabledDaysOfMonth: [29],
        enabledMonthsOfYear: ['February'],
        maxOccurrences: 1,
      },
      ['2044-02-29T00:00:00Z'],
    ],
    [
      'as soon as a window opens that it waits for',
      { initialStartTime: createdAt + 5 * HOUR_MS, enabledIntervals: ['02:00:00Z/PT2H'] },
      ['2026-01-02T02:00:00Z'],
    ],
    [
      'within its windows, whichever is open',
      {
        recurrenceIntervalMs: HOUR_MS,
        enabledIntervals: ['2026-01-05T10:30:00Z/PT1H', '2026-01-03T22:59:59Z/2026-01-04T00:30:00Z'],
      },
      ['2026-01-03T23:00:00Z', '2026-01-04T00:00:00Z', '2026-01-05T11:00:00Z'],
    ],
    [
      'never on the thirty-first of February',
      { recurrenceIntervalMs: 1_000, enabledDaysOfMonth: [31], enabledMonthsOfYear: ['February'] },
      [],
    ],
    [
      'never where its interval meets no window',
      {
        initialStartTime: createdAt + 13 * HOUR_MS,
        recurrenceIntervalMs: DAY_MS,
        enabledIntervals: ['02:00Z/04:00Z'],
      },
      [],
    ],
    ['never after its last window', { enabledIntervals: ['2025-01-01T00:00:00Z/P1D'] }, []],
  ]
  test.each(cases)('%s', (_what, schedule, expected) => {
    expect(occurrences(schedule)).toEqual(expected)
  })
})

const anyInterval = fc.oneof(
  fc
    .record({ start: fc.integer({ min: 0, max: 200 }), hours: fc.integer({ min: 1, max: 100 }) })
    .map(({ start, hours }) => `${timestamp(createdAt + start * HOUR_MS)}/PT${hours}H`),
  fc
    .record({ from: fc.integer({ min: 0, max: 23 }), minutes: fc.integer({ min: 1, max: 1_500 }) })
    .map(({ from, minutes }) => `${String(from).padStart(2, '0')}:00:00Z/PT${minutes}M`),
)
const some = <T>(of: fc.Arbitrary<T>) => fc.option(of, { nil: undefined, freq: 1 })
const anySchedule = fc
  .record({
    lifetimeMs: some(fc.integer({ min: 1, max: 100 * DAY_MS })),
    maxOccurrences: some(fc.integer({ min: 1, max: 5 })),
    initialStartTime: some(fc.integer({ min: -50 * DAY_MS, max: 50 * DAY_MS }).map((ms) => createdAt + ms)),
    recurrenceIntervalMs: some(fc.integer({ min: 1_000, max: 40 * DAY_MS })),
    enabledDaysOfWeek: some(fc.uniqueArray(fc.constantFrom(...daysOfWeek), { maxLength: 4 })),
    enabledDaysOfMonth: some(fc.uniqueArray(fc.integer({ min: 1, max: 31 }), { maxLength: 10 })),
    enabledMonthsOfYear: some(fc.uniqueArray(fc.constantFrom(...monthsOfYear), { maxLength: 8 })),
    enabledIntervals: some(fc.array(anyInterval, { maxLength: 3 })),
  })
  // Absent is not undefined.
  .map(
    (schedule) =>
      Object.fromEntries(Object.entries(schedule).filter(([, value]) => value !== undefined)) as Schedule,
  )
const anyAfter = fc.integer({ min: -1, max: 100 * DAY_MS }).map((ms) => createdAt + ms)

function isEnabled(schedule: Schedule, at: number): boolean {
  const { month, dayOfMonth, dayOfWeek } = calendarOf(at)
  const admits = <T>(enabled: readonly T[] = [], one: T): boolean =>
    enabled.length === 0 || enabled.includes(one)
  const intervals = (schedule.enabledIntervals ?? []).flatMap((text) => parseInterval(text) ?? [])
  return (
    admits(schedule.enabledDaysOfWeek, daysOfWeek[dayOfWeek] ?? '') &&
    admits(schedule.enabledDaysOfMonth, dayOfMonth) &&
    admits(schedule.enabledMonthsOfYear, monthsOfYear[month] ?? '') &&
    (intervals.length === 0 || intervals.some((interval) => openingOf(interval, at) === at))
  )
}

test('an occurrence is later, enabled, within lifetime and number, and none before it is left out', () => {
  let found = 0
  const part = fc.double({ min: 0, max: 1, noNaN: true })
  fc.assert(
    fc.property(anySchedule, anyAfter, fc.nat(1), part, (schedule, after, runs, where) => {
      const { recurrenceIntervalMs: every, initialStartTime: start = createdAt } = schedule
      const at = nextOccurrence({ schedule, createdAt }, after, runs)
      if (at === undefined) return true
      found++
      // Asked later, but before it, one is told the same; and nothing between would have been right.
      const between = Math.floor(after + (at - 1 - after) * where)
      const candidate = every === undefined ? between : start + Math.floor((between - start) / every) * every
      return (
        at > after &&
        at >= start &&
        at < createdAt + (schedule.lifetimeMs ?? Infinity) &&
        runs < (schedule.maxOccurrences ?? Infinity) &&
        (every === undefined ? runs === 0 : (at - start) % every === 0) &&
        isEnabled(schedule, at) &&
        nextOccurrence({ schedule, createdAt }, between, runs) === at &&
        !(candidate > after && candidate >= start && isEnabled(schedule, candidate))
      )
    }),
    { numRuns: 1_000 },
  )
  expect(found).toBeGreaterThan(300)
})

describe('an interval', () => {
  const at = (text: string): number => millisecondsOf(text)
  test.each([
    ['2026-01-01T02:00:00Z/2026-01-01T04:00:00Z', false, at('2026-01-01T02:00:00Z'), 2 * HOUR_MS],
    ['2026-01-01T02:00:00+02:00/PT90M', false, at('2026-01-01T00:00:00Z'), 1.5 * HOUR_MS],
    ['P1D/2026-01-02T00:00:00Z', false, at('2026-01-01T00:00:00Z'), DAY_MS],
    ['22:00:00Z/02:00Z', true, 22 * HOUR_MS, 4 * HOUR_MS],
    ['PT2H/04:00:00Z', true, 2 * HOUR_MS, 2 * HOUR_MS],
  ])('%s is read', (text, isDaily, start, lengthMs) => {
    expect(parseInterval(text)).toEqual({ isDaily, start, lengthMs })
  })

  test.each([
    '',
    '/',
    'P1D',
    'P1D/P1D',
    '2026-01-01T02:00:00Z',
    '2026-01-01T02:00:00Z/2026-01-01T02:00:00Z',
    '2026-01-01T02:00:00Z/2026-01-01T01:00:00Z',
    '2026-02-30T02:00:00Z/PT1H',
    '2026-01-01T25:00:00Z/PT1H',
    '2026-01-01T02:00:00/PT1H',
    '25:00Z/PT1H',
    '02:00Z/2026-01-01T01:00:00Z',
    'R5/2026-01-01T00:00:00Z/PT1H',
    '02:00Z/PT0S',
  ])('%j is none', (text) => {
    expect(parseInterval(text)).toBeUndefined()
  })

  test('of times of day opens anew every day, across midnight, too', () => {
    const night = parseInterval('22:00Z/02:00Z')
    const opening = (text: string) => timestamp((night && openingOf(night, at(text))) ?? 0)
    expect(['2026-05-01T01:59:59Z', '2026-05-01T02:00:00Z', '2026-05-01T22:00:00Z'].map(opening)).toEqual([
      '2026-05-01T01:59:59Z',
      '2026-05-01T22:00:00Z',
      '2026-05-01T22:00:00Z',
    ])
  })
})

describe('a duration', () => {
  test.each([
    ['P1D', DAY_MS],
    ['PT0S', 0],
    ['PT1.5S', 1_500],
    ['P1DT2H3M4.25S', 93_784_250],
    ['PT90M', 90 * 60_000],
  ])('%s is read', (text, ms) => {
    expect(parseDuration(text)).toBe(ms)
  })

  test.each(['', 'P', 'PT', 'P1DT', '1D', '-P1D', 'P1Y', 'PT1,5S', 'PT5', 'P99999999D'])(
    '%j is none',
    (text) => {
      expect(parseDuration(text)).toBeUndefined()
    },
  )

  test('that is written is read as what it was, and is one by the schema', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 36_525 * DAY_MS }), (ms) => {
        const text = formatDuration(ms)
        expect(text).toMatch(/^P(\d+D)?(T(\d+H)?(\d+M)?(\d+(.\d+)?S)?)?$/)
        expect(parseDuration(text)).toBe(ms)
      }),
    )
    expect(formatDuration(90 * 60_000)).toBe('PT1H30M')
  })
})
