import { describe, expect, test } from 'vitest'
import { millisecondsOf, timestamp } from '../../src/lib/clock.ts'
import {
  cronOpenings,
  scheduleOpenings,
  windowAt,
  type WindowRule,
  windowsOf,
} from '../../src/rollout/windows.ts'

const HOUR_MS = 3_600_000

function openings(rule: WindowRule['opening'] | undefined, after: string, most: number): string[] {
  const found: string[] = []
  for (let at = rule?.(millisecondsOf(after)); at !== undefined && found.length < most; at = rule?.(at))
    found.push(timestamp(at))
  return found
}

describe('a window by cron opens', () => {
  const cases: readonly (readonly [string, readonly [string, string], string, readonly string[]])[] = [
    [
      'at the same time of day when the clocks of Berlin go forward',
      ['0 22 * * *', 'Europe/Berlin'],
      '2026-03-28T12:00:00Z',
      ['2026-03-28T21:00:00Z', '2026-03-29T20:00:00Z'],
    ],
    [
      'right after the hour that Berlin leaves out',
      ['30 2 * * *', 'Europe/Berlin'],
      '2026-03-28T12:00:00Z',
      ['2026-03-29T01:00:00Z', '2026-03-30T00:30:00Z'],
    ],
    [
      'once in the hour that Berlin has twice',
      ['30 2 * * *', 'Europe/Berlin'],
      '2026-10-24T12:00:00Z',
      ['2026-10-25T00:30:00Z', '2026-10-26T01:30:00Z'],
    ],
    [
      'once there for each of several times of day, too',
      ['30 2,14 * * *', 'Europe/Berlin'],
      '2026-10-24T13:00:00Z',
      ['2026-10-25T00:30:00Z', '2026-10-25T13:30:00Z'],
    ],
    [
      'right after the hour that New York leaves out',
      ['30 2 * * SUN', 'America/New_York'],
      '2026-03-07T12:00:00Z',
      ['2026-03-08T07:00:00Z', '2026-03-15T06:30:00Z'],
    ],
    [
      'once in the hour that New York has twice',
      ['30 1 * * *', 'America/New_York'],
      '2026-10-31T12:00:00Z',
      ['2026-11-01T05:30:00Z', '2026-11-02T06:30:00Z'],
    ],
    [
      'in every hour, those that are left out or come twice included',
      ['0 * * * *', 'Europe/Berlin'],
      '2026-10-24T23:30:00Z',
      ['2026-10-25T00:00:00Z', '2026-10-25T01:00:00Z', '2026-10-25T02:00:00Z'],
    ],
    [
      'in UTC',
      ['0 2 * * *', 'UTC'],
      '2026-03-29T01:00:00Z',
      ['2026-03-29T02:00:00Z', '2026-03-30T02:00:00Z'],
    ],
  ]
  test.each(cases)('%s', (_name, [cron, zone], after, expected) => {
    expect(openings(cronOpenings(cron, zone), after, expected.length)).toEqual(expected)
  })

  test.each([
    ['nonsense', 'UTC'],
    ['0 2 * *', 'UTC'],
    ['0 0 2 * * *', 'UTC'],
    ['61 2 * * *', 'UTC'],
    ['@daily', 'UTC'],
    ['0 0 30 2 *', 'UTC'],
    ['0 2 * * *', 'Mars/Olympus_Mons'],
  ])('never by %s in %s', (cron, zone) => {
    expect(cronOpenings(cron, zone)).toBeUndefined()
  })
})

describe('a window by a Schedule opens', () => {
  const start = millisecondsOf('2026-01-03T22:00:00Z') // a Saturday

  test('once without an interval', () => {
    const opening = scheduleOpenings({ initialStartTime: start }, start - HOUR_MS)
    expect(openings(opening, '2026-01-01T00:00:00Z', 9)).toEqual(['2026-01-03T22:00:00Z'])
  })

  test('at its interval, on the days that it names', () => {
    const schedule = {
      initialStartTime: start,
      recurrenceIntervalMs: 24 * HOUR_MS,
      enabledDaysOfWeek: ['Saturday', 'Sunday'],
    }
    const opening = scheduleOpenings(schedule, start - HOUR_MS)
    expect(openings(opening, '2026-01-01T00:00:00Z', 3)).toEqual([
      '2026-01-03T22:00:00Z',
      '2026-01-04T22:00:00Z',
      '2026-01-10T22:00:00Z',
    ])
  })
})

describe('a window', () => {
  const opening = cronOpenings('0 2 * * *', 'UTC') ?? (() => undefined)
  const night: WindowRule = { durationMs: 2 * HOUR_MS, opening }
  const at = (time: string) => windowAt([night], millisecondsOf(time))

  test.each([
    ['2026-01-01T01:59:59.999Z', false, '2026-01-01T02:00:00Z'],
    ['2026-01-01T02:00:00Z', true, '2026-01-01T04:00:00Z'],
    ['2026-01-01T03:59:59.999Z', true, '2026-01-01T04:00:00Z'],
    ['2026-01-01T04:00:00Z', false, '2026-01-02T02:00:00Z'],
  ])('of two in the morning for two hours: at %s its being open is %s, until %s', (time, isOpen, until) => {
    expect(at(time)).toEqual({ isOpen, until: millisecondsOf(until) })
  })

  test('that begins before the clocks go forward is as long as any', () => {
    const berlin = { durationMs: 2 * HOUR_MS, opening: cronOpenings('0 1 * * *', 'Europe/Berlin') ?? opening }
    expect(windowAt([berlin], millisecondsOf('2026-03-29T00:30:00Z'))).toEqual({
      isOpen: true,
      until: millisecondsOf('2026-03-29T02:00:00Z'),
    })
  })

  test('that never opens any more says so, and where there is none it is always open', () => {
    expect(windowAt([{ durationMs: 1, opening: () => undefined }], 0)).toEqual({
      isOpen: false,
      until: undefined,
    })
    expect(windowAt([], 0)).toEqual({ isOpen: true, until: Infinity })
  })

  test('is of the groups that it names, and else of those that none names', () => {
    const [web, rest] = [{ ...night, groups: ['web'] }, night]
    expect(windowsOf([web, rest], 'web')).toEqual([web])
    expect(windowsOf([web, rest], 'db')).toEqual([rest])
    expect(windowsOf([web, rest], undefined)).toEqual([rest])
    expect(windowsOf([web], 'db')).toEqual([])
  })
})
