import type { Schedule } from '../bmc/state.ts'
import { fail, type Result, succeed } from '../lib/result.ts'
import { about, isOwnMessage, type Message, message } from '../redfish/messages/message.ts'
import { isObject, type Json } from '../redfish/resource.ts'
import { judge, propertyMessages, type Readable, readable } from '../redfish/validation.ts'
import { durationMistakes, readSchedule } from '../tasks/schedule-body.ts'
import { type Amount, type MaintenanceWindow, RolloutPlan } from './plan.ts'
import { cronOpenings, isTimeZone, scheduleOpenings } from './windows.ts'

const judgePlan = judge(RolloutPlan)

/** What a client says of a roll-out, which is at this pointer, or everything that is wrong with it. */
export function readPlan(value: Json, at = ''): Result<RolloutPlan, readonly Message[]> {
  const judged = judgePlan(value)
  const problem = judged.ok ? [] : judged.problem
  const plan = judged.ok ? judged.value : readable<RolloutPlan>(value, problem)
  const mistakes = [
    ...propertyMessages(problem.map((one) => ({ ...one, pointer: `${at}${one.pointer}` }))),
    ...mistakesOf(plan, at),
  ]
  return judged.ok && mistakes.length === 0 ? succeed(judged.value) : fail(mistakes)
}

function mistakesOf(plan: Readable<RolloutPlan>, at: string): Message[] {
  const { Waves: waves, MaintenanceWindows: windows, Retries: retries } = plan
  const thresholds = [
    'SuccessThreshold',
    'FailureThreshold',
    'OverallSuccessThreshold',
    'OverallFailureThreshold',
  ] as const
  return [
    ...durationMistakes(plan.DelayBetweenWaves, `${at}/DelayBetweenWaves`, 0),
    ...durationMistakes(plan.DeviceTimeout, `${at}/DeviceTimeout`, 1),
    ...durationMistakes(retries?.Delay, `${at}/Retries/Delay`, 0),
    ...durationMistakes(retries?.MaxDelay, `${at}/Retries/MaxDelay`, 0),
    ...(retries?.MessageIds ?? []).flatMap((id, index) =>
      // What no update can fail with is mistyped.
      id === null || isOwnMessage(id) ? [] : [unlistedMistake(id, `${at}/Retries/MessageIds/${index}`)],
    ),
    ...thresholds.flatMap((name) => amountMistakes(plan[name], `${at}/${name}`)),
    ...(waves ?? []).flatMap((wave, index) => {
      if (wave === null) return []
      const here = `${at}/Waves/${index}`
      return [
        ...amountMistakes(wave, here),
        ...durationMistakes(wave.Delay, `${here}/Delay`, 0),
        ...amountMistakes(wave.SuccessThreshold, `${here}/SuccessThreshold`),
        ...amountMistakes(wave.FailureThreshold, `${here}/FailureThreshold`),
      ]
    }),
    ...(windows ?? []).flatMap((window, index) =>
      window === null ? [] : windowMistakes(window, `${at}/MaintenanceWindows/${index}`),
    ),
  ]
}

/** A count or a percentage: neither says nothing, and both say two things. */
function amountMistakes(amount: Readable<Amount> | null | undefined, at: string): Message[] {
  if (!amount) return []
  return oneOf(at, ['Count', amount.Count], ['Percent', amount.Percent])
}

type Member = readonly [name: string, value: unknown]

function oneOf(at: string, [one, value]: Member, [other, otherValue]: Member): Message[] {
  const pointer = `${at}/${one}`
  if (value === undefined && otherValue === undefined)
    return [about(message('Base.PropertyMissing', pointer.slice(1)), pointer)]
  if (value === undefined || otherValue === undefined) return []
  return [about(message('Base.PropertyValueConflict', pointer.slice(1), `${at}/${other}`.slice(1)), pointer)]
}

function windowMistakes(window: Readable<MaintenanceWindow>, at: string): Message[] {
  const { Cron: pattern, Schedule: schedule, Duration: duration } = window
  const timeZone = window.TimeZone ?? 'UTC'
  const isZone = isTimeZone(timeZone)
  const cron =
    typeof pattern === 'string' && cronOpenings(pattern, isZone ? timeZone : 'UTC') === undefined
      ? [formatMistake(pattern, `${at}/Cron`)]
      : []
  const read = isObject(schedule) ? readSchedule(schedule, `${at}/Schedule`) : undefined
  return [
    ...oneOf(at, ['Cron', pattern], ['Schedule', schedule]),
    ...cron,
    ...(isZone ? [] : [formatMistake(timeZone, `${at}/TimeZone`)]),
    // Its times say where they are.
    ...(schedule !== undefined && window.TimeZone !== undefined
      ? oneOf(at, ['TimeZone', timeZone], ['Schedule', schedule])
      : []),
    ...(read?.ok === false ? read.problem : []),
    ...(read?.ok === true && !opensAtAll(read.value)
      ? [about(message('Base.PropertyValueError', `${at}/Schedule`.slice(1)), `${at}/Schedule`)]
      : []),
    // How often it has opened nobody counts: who waits for a window waits for the next.
    ...(read?.ok === true && read.value.maxOccurrences !== undefined
      ? [unknownMember(`${at}/Schedule/MaxOccurrences`)]
      : []),
    ...durationMistakes(duration, `${at}/Duration`, 1),
  ]
}

/** Whether any day is among those that it enables: from when on is the roll-out's. */
function opensAtAll(schedule: Schedule): boolean {
  const { lifetimeMs: _lifetime, initialStartTime: _start, ...days } = schedule
  return scheduleOpenings(days, 0)(-1) !== undefined
}

function formatMistake(value: string, pointer: string): Message {
  return about(message('Base.PropertyValueFormatError', value, pointer.slice(1)), pointer)
}

function unlistedMistake(value: string, pointer: string): Message {
  return about(message('Base.PropertyValueNotInList', value, pointer.slice(1)), pointer)
}

function unknownMember(pointer: string): Message {
  return about(message('Base.PropertyUnknown', pointer.slice(1)), pointer)
}
