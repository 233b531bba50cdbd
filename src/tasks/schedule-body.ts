import type { Schedule } from '../bmc/state.ts'
import { millisecondsOf } from '../lib/clock.ts'
import { fail, type Result, succeed } from '../lib/result.ts'
import { type Static, Type } from '../lib/schema.ts'
import { DURATION_PATTERN, parseDuration } from '../redfish/duration.ts'
import { about, type Message, message } from '../redfish/messages/message.ts'
import type { Json } from '../redfish/resource.ts'
import { judge, propertyMessages, type Readable, readable } from '../redfish/validation.ts'
import { parseInterval } from './interval.ts'
import { daysOfWeek, EVERY, monthsOfYear } from './schedule.ts'

const MAX_TEXT = 256
const MAX_INTERVALS = 100
/** Sooner than that, nothing comes again: each occurrence is a request. */
const MIN_RECURRENCE_MS = 1_000

const textual = (facts: object) =>
  Type.Optional(Type.Unsafe<string | null>({ type: ['string', 'null'], ...facts }))
const names = (all: readonly string[]) =>
  Type.Optional(
    Type.Unsafe<readonly string[]>({ type: 'array', items: { enum: [...all, EVERY] }, maxItems: 12 }),
  )
const Duration = textual({ pattern: DURATION_PATTERN })

/** Schedule v1_2_5; null is as good as absent. */
const ScheduleBody = Type.Object(
  {
    Name: textual({ maxLength: MAX_TEXT }),
    Lifetime: Duration,
    MaxOccurrences: Type.Optional(Type.Unsafe<number | null>({ type: ['integer', 'null'], minimum: 1 })),
    InitialStartTime: textual({ format: 'date-time' }),
    RecurrenceInterval: Duration,
    EnabledDaysOfWeek: names(daysOfWeek),
    EnabledDaysOfMonth: Type.Optional(
      Type.Unsafe<readonly number[]>({
        type: 'array',
        items: { type: 'integer', minimum: 0, maximum: 31 },
        maxItems: 31,
      }),
    ),
    EnabledMonthsOfYear: names(monthsOfYear),
    EnabledIntervals: Type.Optional(
      Type.Unsafe<readonly string[]>({ type: 'array', items: { type: 'string' }, maxItems: MAX_INTERVALS }),
    ),
  },
  { additionalProperties: false },
)
type Body = Static<typeof ScheduleBody>
const judgeSchedule = judge(ScheduleBody)

/** What a client says of a Schedule, which is at this pointer, or everything that is wrong with it. */
export function readSchedule(value: Json, at = '/Schedule'): Result<Schedule, readonly Message[]> {
  const judged = judgeSchedule(value)
  const problem = judged.ok ? [] : judged.problem
  const body = judged.ok ? judged.value : readable<Body>(value, problem)
  const mistakes = [
    ...propertyMessages(problem.map((one) => ({ ...one, pointer: `${at}${one.pointer}` }))),
    ...mistakesOf(body, at),
  ]
  return judged.ok && mistakes.length === 0 ? succeed(scheduleOf(judged.value)) : fail(mistakes)
}

/** What is wrong with a duration that has the form of one. */
export function durationMistakes(
  value: string | null | undefined,
  pointer: string,
  leastMs: number,
): Message[] {
  if (value === null || value === undefined) return []
  const ms = parseDuration(value)
  if (ms !== undefined && ms >= leastMs) return []
  return [about(message('Base.PropertyValueOutOfRange', value, pointer.slice(1)), pointer)]
}

/** Of a schedule by which nothing would ever happen. */
export function neverRuns(): Message {
  return about(message('Base.PropertyValueError', 'Schedule'), '/Schedule')
}

function mistakesOf(body: Readable<Body>, at: string): Message[] {
  const { EnabledDaysOfMonth: days, EnabledIntervals: intervals } = body
  const alone = [
    ['EnabledDaysOfWeek', body.EnabledDaysOfWeek?.includes(EVERY)],
    ['EnabledMonthsOfYear', body.EnabledMonthsOfYear?.includes(EVERY)],
    ['EnabledDaysOfMonth', days?.includes(0)],
  ] as const
  return [
    ...durationMistakes(body.Lifetime, `${at}/Lifetime`, 1),
    ...durationMistakes(body.RecurrenceInterval, `${at}/RecurrenceInterval`, MIN_RECURRENCE_MS),
    // What stands for all of them stands alone (Schedule v1_2_5).
    ...alone.flatMap(([name, hasAll]) =>
      hasAll === true && (body[name]?.length ?? 0) > 1
        ? [about(message('Base.PropertyValueError', `${at.slice(1)}/${name}`), `${at}/${name}`)]
        : [],
    ),
    ...(intervals ?? []).flatMap((text, index) => {
      const name = `${at.slice(1)}/EnabledIntervals/${index}`
      return text !== null && parseInterval(text) === undefined
        ? [about(message('Base.PropertyValueFormatError', text.slice(0, MAX_TEXT), name), `/${name}`)]
        : []
    }),
  ]
}

function scheduleOf(body: Body): Schedule {
  const { Name, Lifetime, MaxOccurrences, InitialStartTime, RecurrenceInterval } = body
  const lifetimeMs = typeof Lifetime === 'string' ? parseDuration(Lifetime) : undefined
  const recurrenceIntervalMs =
    typeof RecurrenceInterval === 'string' ? parseDuration(RecurrenceInterval) : undefined
  return {
    ...(typeof Name === 'string' && { name: Name }),
    ...(lifetimeMs !== undefined && { lifetimeMs }),
    ...(typeof MaxOccurrences === 'number' && { maxOccurrences: MaxOccurrences }),
    ...(typeof InitialStartTime === 'string' && { initialStartTime: millisecondsOf(InitialStartTime) }),
    ...(recurrenceIntervalMs !== undefined && { recurrenceIntervalMs }),
    ...(body.EnabledDaysOfWeek && { enabledDaysOfWeek: body.EnabledDaysOfWeek }),
    ...(body.EnabledDaysOfMonth && { enabledDaysOfMonth: body.EnabledDaysOfMonth }),
    ...(body.EnabledMonthsOfYear && { enabledMonthsOfYear: body.EnabledMonthsOfYear }),
    ...(body.EnabledIntervals && { enabledIntervals: body.EnabledIntervals }),
  }
}
