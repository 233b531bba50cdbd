import type { Clock } from '../../lib/clock.ts'
import { type Message, message } from '../../redfish/messages/message.ts'
import { deviceActions, uris } from '../../redfish/uris.ts'
import type { FirmwareFacts, OnDevice } from '../device.ts'
import type { ActivationJob, FlashJob } from '../flasher.ts'
import { firmwareIds, isOn, readPower, readVersions, type RunningVersions } from './facts.ts'
import type { Management } from './management.ts'
import type { Offered, Publish } from './offers.ts'
import { requests } from './power-states.ts'
import { DeviceError } from '../device-error.ts'
import { isUnreachable } from './problems.ts'
import { bootAsEver, bootFrom, bootState, type Obstacle, obstacleOf } from './remote-boot.ts'

/** How long is waited for what, in milliseconds. */
export interface Patience {
  /** For an answer. */
  readonly answerMs: number
  /** For a device of which nothing new is seen while it boots and installs. */
  readonly installMs: number
  /** For a device to begin with a boot that it may have been asked for before a restart of ours. */
  readonly bootMs: number
  /** For the new version, once it is back. */
  readonly versionMs: number
  /** Between two looks at it. */
  readonly pollMs: number
}

export interface StagesOptions {
  readonly clock: Clock
  readonly patience: Patience
  /** Lets devices fetch an image. */
  readonly publish: Publish
  /** A device, as it is asked while the signal is not aborted. */
  readonly manage: (job: OnDevice & Pick<ActivationJob, 'signal'>) => Management
}

export type Job = FlashJob & OnDevice
export type Activation = ActivationJob & OnDevice

/** Thrown where a device is not even asked, or says why it does not. */
export class Refused extends Error {
  readonly why: Message

  constructor(why: Message) {
    super(why.MessageId)
    this.why = why
  }
}

/** How far it has come when the machine boots, and when the image has been fetched. */
const BOOTED_SHARE = 0.05
const FETCHED_SHARE = 0.5

/** Has the machine begin anew, from the image; `asks` is told when nothing else keeps it from that. */
export async function bootImage(
  { manage }: StagesOptions,
  job: Job,
  { uri }: Offered,
  asks: () => void,
): Promise<void> {
  const management = manage(job)
  const obstacle = await obstacleOf(management)
  if (obstacle !== undefined) throw new Refused(obstacleMessage(obstacle, job.component))
  const { available } = await readPower(management)
  const request = [requests.reset, requests.on, requests.cycle].find((one) => available.includes(one))
  if (request === undefined)
    throw new DeviceError({ kind: 'busy', detail: 'it can neither be switched on nor be reset' })
  await bootFrom(management, { uri, sha256: job.package.sha256 })
  asks()
  try {
    await management.invoke(
      'RequestPowerStateChange',
      management.cim.PowerManagementService.RequestPowerStateChange(request),
    )
  } catch (error) {
    // Whoever switches it on next does not want that.
    await bootAsEver(management).catch(unlessUnreachable)
    throw error
  }
}

/** Waits until it has booted, has installed what it fetched, and is back. */
export async function followBoot(options: StagesOptions, job: Job, { fetched }: Offered): Promise<void> {
  const { clock, patience, manage } = options
  const management = manage(job)
  let seen = { state: 'awaited', bytes: 0, at: clock.now() }
  for (;;) {
    await clock.sleep(patience.pollMs, job.signal)
    // It answers nobody while its own firmware starts.
    const state = (await bootState(management).catch(unlessUnreachable)) ?? seen.state
    const bytes = fetched()
    if (state !== seen.state || bytes !== seen.bytes) seen = { state, bytes, at: clock.now() }
    if (state === 'failed')
      throw new Refused(message('Redflash.DeviceRefusedImage', job.component.id, job.package.fileName))
    if (state === 'over') return
    if (clock.now() - seen.at >= patience.installMs)
      throw new DeviceError({ kind: 'failed', detail: 'it has not come back' })
    const share = Math.min(1, bytes / job.package.sizeBytes)
    job.progress(state === 'awaited' ? BOOTED_SHARE : BOOTED_SHARE + share * (FETCHED_SHARE - BOOTED_SHARE))
  }
}

/**
 * What became of a boot that it was asked for before a restart of ours, or was about to be: one that it does not begin with
 * is taken back.
 */
export async function settleBoot(
  { clock, patience, manage }: StagesOptions,
  job: Activation,
): Promise<'failed' | 'over' | 'taken-back'> {
  const management = manage(job)
  let seen = { state: '', at: clock.now() }
  for (;;) {
    const state = await bootState(management).catch(unlessUnreachable)
    if (state === 'failed' || state === 'over') return state
    if (state !== undefined && state !== seen.state) seen = { state, at: clock.now() }
    const stillMs = clock.now() - seen.at
    if (state === 'awaited' && (stillMs >= patience.bootMs || !(await isOn(management)))) {
      await bootAsEver(management)
      return 'taken-back'
    }
    if (stillMs >= patience.installMs)
      throw new DeviceError({ kind: 'failed', detail: 'it has not come back' })
    await clock.sleep(patience.pollMs, job.signal)
  }
}

/** Whether it runs the version of the image, and did not when that was sent. */
export async function isUpdated({ manage }: StagesOptions, job: Activation): Promise<boolean> {
  const versions = await readVersions(manage(job)).catch(unlessUnreachable)
  const running = versions && versionOf(versions, job.firmware)
  const isNew = job.component.now.version !== running
  return running !== undefined && isNew && isVersion(running, job.version)
}

/** Waits until it tells the version of the image: that version, as it writes it. */
export async function awaitVersion(options: StagesOptions, job: Activation): Promise<string> {
  const { clock, patience, manage } = options
  const management = manage(job)
  for (const since = clock.now(); ;) {
    const versions = await readVersions(management).catch(unlessUnreachable)
    const running = versions && versionOf(versions, job.firmware)
    if (running !== undefined && isVersion(running, job.version)) return running
    if (clock.now() - since >= patience.versionMs) {
      if (versions === undefined) throw new DeviceError({ kind: 'unreachable', detail: 'it does not answer' })
      throw new Refused(otherVersion(job, running ?? '', versions))
    }
    await clock.sleep(patience.pollMs, job.signal)
  }
}

function obstacleMessage(obstacle: Obstacle, { id, on }: Job['component']): Message {
  const manager = uris.manager(on?.device ?? '')
  return obstacle === 'consent'
    ? message('Redflash.UserConsentRequired', id, uris.action(manager, deviceActions.requestConsent))
    : message('Redflash.NetworkBootNotEnabled', id)
}

function otherVersion(job: Activation, running: string, { recovery }: RunningVersions): Message {
  const { component, firmware, version } = job
  const isRecovery = firmware.id === firmwareIds.csme && running === recovery && running !== firmware.version
  return isRecovery
    ? message('Redflash.DeviceRunsRecovery', component.id, running, version)
    : message('Redflash.DeviceKeptVersion', component.id, running, version)
}

/** An image may name a version without the number of its build. */
function isVersion(running: string, wanted: string): boolean {
  return running === wanted || running.startsWith(`${wanted}.`)
}

function versionOf({ bios, csme }: RunningVersions, { id }: FirmwareFacts): string | undefined {
  return id === firmwareIds.bios ? bios : csme
}

function unlessUnreachable(error: unknown): undefined {
  if (!isUnreachable(error)) throw error
}
