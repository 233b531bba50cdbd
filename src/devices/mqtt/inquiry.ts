import type { DeviceStageName } from '../../bmc/device-faults.ts'
import type { Clock } from '../../lib/clock.ts'
import { fail, type Result, succeed } from '../../lib/result.ts'
import { type Firmware, isWorking, noFirmware, readDownload, states, updateStatuses } from './firmware.ts'
import { follow, OBSERVED } from './follow.ts'
import type { ManagedDevices } from './manager.ts'
import type { MqttProblem } from './questions.ts'
import { observeWhenHere } from './until-here.ts'

/** How far a device has come with an image. */
export type Left = 'nothing' | 'downloaded' | 'not-verified' | 'installing' | 'installed'

/** An image that a device was told of before a restart of ours. */
export interface LeftBehind {
  /** Where it was to be had: nobody else knows that, so it is what the device knows the image by. */
  readonly uri: string
  readonly version: string
  /** What the device ran then. */
  readonly before: string
  /** What the device was at. */
  readonly at: DeviceStageName
}

interface Reach {
  readonly manager: ManagedDevices
  readonly clock: Clock
  readonly key: string
  readonly patienceMs: number
}

/** Asks a device how far it has come with an image, when it is there again; a download that goes on comes to its end. */
export async function findOut(
  reach: Reach,
  left: LeftBehind,
  signal: AbortSignal,
): Promise<Result<Left, MqttProblem>> {
  const { manager, clock, key } = reach
  const observed = await observeWhenHere({ clock, manager }, key, signal)
  manager.cancel(key, OBSERVED)
  if (!observed.ok) return observed
  const { firmware = noFirmware, info } = manager.device(key) ?? {}
  const isRunning = left.version !== '' && info?.fwVersion === left.version && left.before !== left.version
  if (firmware === noFirmware && !isRunning && left.at === 'install')
    return fail({ kind: 'failed', detail: `${key} does not say what became of the installation` })
  if (firmware.uri !== left.uri) return succeed(isRunning ? 'installed' : 'nothing')
  return isWorking(firmware) && firmware.updateStatus !== updateStatuses.inProgress
    ? endOfDownload(reach, signal)
    : succeed(readLeft(firmware, left))
}

/** What a device that downloads nothing has come to. */
function readLeft({ state, updateStatus }: Firmware, { at }: LeftBehind): Left {
  if (updateStatus === updateStatuses.inProgress) return 'installing'
  if (updateStatus === updateStatuses.verificationFailed) return 'not-verified'
  if (updateStatus === updateStatuses.success && state === states.downloaded) return 'downloaded'
  if (at === 'transfer' || at === 'verify') return 'nothing'
  // Whoever asks again hears why it failed.
  return updateStatus === updateStatuses.success ? 'installed' : 'installing'
}

/** Where the image was not to be had any more, nobody else is to blame. */
async function endOfDownload(reach: Reach, signal: AbortSignal): Promise<Result<Left, MqttProblem>> {
  const following = { ...reach, action: 'firmware/download', read: readDownload, isAsked: true } as const
  const outcome = await follow(following, signal)
  if (outcome.ok) return succeed('downloaded')
  const { problem } = outcome
  if (problem.kind !== 'told') return fail(problem)
  return succeed(problem.status === updateStatuses.verificationFailed ? 'not-verified' : 'nothing')
}
