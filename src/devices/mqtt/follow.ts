import { unlessAborted } from '../../lib/abort.ts'
import type { Clock } from '../../lib/clock.ts'
import { fail, type Result } from '../../lib/result.ts'
import type { Action } from './actions.ts'
import type { FailedStatus, Firmware, Reading } from './firmware.ts'
import type { ManagedDevices } from './manager.ts'
import type { MqttProblem } from './questions.ts'

/** How an action ended, as the device tells it. */
export type Outcome = Result<void, { readonly kind: 'told'; readonly status: FailedStatus } | MqttProblem>

export interface Following {
  readonly manager: ManagedDevices
  readonly clock: Clock
  readonly key: string
  readonly action: Action
  readonly read: (firmware: Firmware) => Reading
  /** How long a device may say nothing while it works. */
  readonly patienceMs: number
  /** Whether it was asked before, and does it, or has done it. */
  readonly isAsked?: boolean
}

/** How long a device may say nothing while it downloads, installs or boots, unless somebody says otherwise. */
export const PATIENCE_MS = 1_800_000
/** What is observed of a device that does something with its firmware. */
export const OBSERVED = ['mgmt.firmware']

/** Asks a device for an action and follows what it tells of it to the end; the observation ends with that. */
export async function follow(following: Following, signal: AbortSignal): Promise<Outcome> {
  const { manager, key } = following
  const observed = await manager.observe(key, OBSERVED, signal)
  if (!observed.ok) return observed
  const watch = watchOver(following)
  try {
    return await unlessAborted(settled(following, watch, signal), signal)
  } finally {
    watch.end()
    manager.cancel(key, OBSERVED)
  }
}

async function settled(
  { manager, key, action, isAsked = false }: Following,
  watch: Watch,
  signal: AbortSignal,
): Promise<Outcome> {
  if (isAsked) {
    watch.accept()
    return watch.outcome
  }
  const asked = async (): Promise<void> => {
    const [answer] = await manager.initiate(action, [key], signal)
    if (answer?.ok === true) return watch.accept()
    // The answer may have been lost with a connection, and not the question: the device knows.
    if (answer?.problem.rc === undefined && answer?.problem.kind === 'unreachable')
      await manager.observe(key, OBSERVED, signal)
    if (answer !== undefined && !watch.hasBegun()) watch.settle(answer)
  }
  const [outcome] = await Promise.all([watch.outcome, asked()])
  return outcome
}

interface Watch {
  readonly outcome: Promise<Outcome>
  readonly hasBegun: () => boolean
  /** The device has said that it does it. */
  readonly accept: () => void
  readonly settle: (outcome: Outcome) => void
  readonly end: () => void
}

/** Reads whatever happens to a device, until that is an end of what it was asked for. */
function watchOver({ manager, clock, key, read, patienceMs }: Following): Watch {
  const { promise: outcome, resolve: settle } = Promise.withResolvers<Outcome>()
  let [isAccepted, hasBegun] = [false, false]
  const lose = (detail: string): void => settle(fail({ kind: 'unreachable', detail: `${key} ${detail}` }))
  const wait = (): (() => void) => clock.schedule(patienceMs, () => lose('says nothing more of its work'))
  let cancelTimer = wait()
  const look = (): void => {
    const firmware = manager.device(key)?.firmware
    if (firmware === undefined) return lose('is not managed any more')
    const reading = read(firmware)
    if (reading.kind === 'failed') settle(fail({ kind: 'told', status: reading.status }))
    else if (reading.kind === 'working') hasBegun = true
    // What was so before is no end.
    else if (reading.kind === 'done' && (isAccepted || hasBegun)) settle({ ok: true, value: undefined })
    else if (reading.kind === 'waiting' && hasBegun)
      settle(fail({ kind: 'failed', detail: `${key} has given up what it did` }))
  }
  const close = (): void => lose('is not asked any more')
  manager.closed.addEventListener('abort', close, { once: true })
  const unwatch = manager.watch(({ kind }) => {
    if (kind === 'dormant') return lose('has not been heard of for too long')
    cancelTimer()
    cancelTimer = wait()
    look()
  }, key)
  return {
    outcome,
    settle,
    hasBegun: () => hasBegun,
    accept: () => {
      isAccepted = true
      look()
    },
    end: () => {
      cancelTimer()
      unwatch()
      manager.closed.removeEventListener('abort', close)
    },
  }
}
