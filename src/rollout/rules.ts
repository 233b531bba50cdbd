import { millisecondsOf } from '../lib/clock.ts'
import { parseDuration } from '../redfish/duration.ts'
import { readSchedule } from '../tasks/schedule-body.ts'
import type {
  Amount,
  FailureStage,
  MaintenanceWindow,
  overallActions,
  RolloutPlan,
  waveActions,
} from './plan.ts'
import { cronOpenings, scheduleOpenings, type WindowRule } from './windows.ts'

const MAX_PARALLEL = 10
const DEVICE_TIMEOUT_MS = 3_600_000
const RETRY_DELAY_MS = 60_000
const RETRY_FACTOR = 2
const MAX_RETRY_DELAY_MS = 3_600_000
/** Where half of a wave fails, something is wrong with more than a device. */
const WAVE_FAILURES = { Percent: 50 } as const
const ALL = { Percent: 100 } as const

export interface FailureRule {
  readonly amount: Amount
  readonly action: (typeof waveActions)[number]
}

interface WaveRule {
  readonly name: string
  readonly amount: Amount
  readonly delayMs: number
  readonly needsApproval: boolean
  /** How many must succeed before the next wave; `undefined`: all must have ended. */
  readonly success: Amount | undefined
  readonly failure: FailureRule
}

/** A plan with nothing left out, and its words made numbers. */
export interface Rules {
  readonly startAt: number | undefined
  readonly maxParallel: number
  /** With those of other roll-outs. */
  readonly maxOfAll: number
  readonly perGroup: number
  readonly perSource: number
  readonly timeoutMs: number
  readonly rollsBackFailed: boolean
  readonly retries: RetryRule
  readonly windows: readonly WindowRule[]
  readonly overallSuccess: Amount
  readonly overallFailure:
    | { readonly amount: Amount; readonly action: (typeof overallActions)[number] }
    | undefined
  /** Of the wave of this number, from 0. */
  readonly wave: (index: number) => WaveRule
}

export interface RetryRule {
  readonly max: number
  readonly delayMs: number
  readonly factor: number
  readonly maxDelayMs: number
  /** What is worth it; everything where neither is there. */
  readonly keys: ReadonlySet<string> | undefined
  readonly stages: ReadonlySet<FailureStage> | undefined
}

/** What a plan that was found right means, for a roll-out that was made at this moment. */
export function rulesOf(plan: RolloutPlan, createdAt: number): Rules {
  const { OverallFailureThreshold: overall } = plan
  const waves: WaveRule[] = []
  return {
    startAt: plan.StartTime === undefined ? undefined : millisecondsOf(plan.StartTime),
    maxParallel: plan.MaxParallel ?? MAX_PARALLEL,
    // Who says nothing of it waits for nobody.
    maxOfAll: plan.MaxParallel ?? Infinity,
    perGroup: plan.MaxParallelPerGroup ?? Infinity,
    perSource: plan.MaxParallelPerSource ?? Infinity,
    timeoutMs: msOf(plan.DeviceTimeout) ?? DEVICE_TIMEOUT_MS,
    rollsBackFailed: plan.RollBackFailed ?? false,
    retries: retriesOf(plan.Retries),
    windows: (plan.MaintenanceWindows ?? []).map((window) => windowRule(window, createdAt)),
    overallSuccess: plan.OverallSuccessThreshold ?? ALL,
    overallFailure: overall && { amount: overall, action: overall.Action ?? 'Pause' },
    wave: (index) => (waves[index] ??= waveRule(plan, index)),
  }
}

/** The last wave of a plan is that of all which follow it, too. */
function waveRule(plan: RolloutPlan, index: number): WaveRule {
  const waves: NonNullable<RolloutPlan['Waves']> = plan.Waves ?? [ALL]
  const wave: (typeof waves)[number] = waves[Math.min(index, waves.length - 1)] ?? ALL
  const failure: NonNullable<RolloutPlan['FailureThreshold']> =
    wave.FailureThreshold ?? plan.FailureThreshold ?? WAVE_FAILURES
  const delay = wave.Delay ?? (index === 0 ? undefined : plan.DelayBetweenWaves)
  const ownName = index < waves.length ? wave.Name : wave.Name && `${wave.Name} ${index + 1}`
  return {
    name: ownName ?? `Wave ${index + 1}`,
    amount: wave,
    delayMs: msOf(delay) ?? 0,
    needsApproval: wave.ApprovalRequired ?? plan.ApprovalRequired ?? false,
    success: wave.SuccessThreshold ?? plan.SuccessThreshold,
    failure: { amount: failure, action: failure.Action ?? 'Pause' },
  }
}

function retriesOf(retries: RolloutPlan['Retries']): RetryRule {
  const { MessageIds: ids, Stages: stages } = retries ?? {}
  return {
    max: retries?.MaxRetries ?? 0,
    delayMs: msOf(retries?.Delay) ?? RETRY_DELAY_MS,
    factor: retries?.Factor ?? RETRY_FACTOR,
    maxDelayMs: msOf(retries?.MaxDelay) ?? MAX_RETRY_DELAY_MS,
    keys: ids && new Set(ids.map(messageKey)),
    stages: stages && new Set(stages),
  }
}

function windowRule(window: MaintenanceWindow, createdAt: number): WindowRule {
  const { Groups: groups, Cron: pattern = '', Schedule: schedule, TimeZone: timeZone = 'UTC' } = window
  const read = schedule === undefined ? undefined : readSchedule(schedule)
  const opening = read?.ok ? scheduleOpenings(read.value, createdAt) : cronOpenings(pattern, timeZone)
  if (opening === undefined) throw new Error(`no window opens by ${JSON.stringify(window)}`)
  return { groups, durationMs: msOf(window.Duration) ?? 0, opening }
}

/** `Update.TransferFailed` of `Update.1.3.TransferFailed`, and of itself. */
export function messageKey(messageId: string): string {
  const parts = messageId.split('.')
  return `${parts[0] ?? ''}.${parts.at(-1) ?? ''}`
}

/** So many of `total` as must fail, or succeed, at least: a part of a device is a device. */
export function numberOf(amount: Amount, total: number): number {
  // 28 % of 25 are 7, whatever binary fractions make of it.
  return amount.Count ?? Math.ceil(Number((((amount.Percent ?? 0) * total) / 100).toFixed(6)))
}

/** How long to wait after so many attempts that failed. */
export function retryDelay({ delayMs, factor, maxDelayMs }: RetryRule, attempts: number): number {
  return Math.min(maxDelayMs, delayMs * factor ** (attempts - 1))
}

function msOf(duration: string | undefined): number | undefined {
  return duration === undefined ? undefined : parseDuration(duration)
}
