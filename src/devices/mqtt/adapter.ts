import type { DeviceStageName } from '../../bmc/device-faults.ts'
import type { Clock } from '../../lib/clock.ts'
import { fail, type Result, succeed } from '../../lib/result.ts'
import { message } from '../../redfish/messages/message.ts'
import type { DeviceAdapter, DeviceAddress, DeviceFacts, DeviceProblem, OnDevice } from '../device.ts'
import type { ActivationJob, FirmwareImage, FlashJob, FlashProblem, FlashResult, Found } from '../flasher.ts'
import { description } from './actions.ts'
import { describe } from './describe.ts'
import { factsOf, RESETS } from './facts.ts'
import { type FailedStatus, readDownload, readUpdate, updateStatuses } from './firmware.ts'
import { follow, type Outcome, PATIENCE_MS } from './follow.ts'
import { findOut, type Left } from './inquiry.ts'
import type { ManagedDevices, MqttManager } from './manager.ts'
import { reasonOf } from './reasons.ts'

/** Where a device can fetch an image for as long as it takes. */
export interface PublishedImage {
  /** Without a secret in its first part; what comes after the origin is not told to anybody but the device. */
  readonly uri: string
  /** Nobody fetches it any more. */
  readonly done: () => void
}

export interface MqttAdapterOptions {
  /** Lets a device fetch an image; its key is given. */
  readonly publish: (image: FirmwareImage, key: string) => PublishedImage | Promise<PublishedImage>
  readonly clock: Clock
  /** How long a device may say nothing while it downloads or installs. */
  readonly patienceMs?: number
}

type Job = FlashJob & OnDevice

/** Who manages them, as far as that is needed here. */
type Managing = ManagedDevices & Pick<MqttManager, 'find' | 'know' | 'close'>

/** Devices of IBM's device management; a host name is `<typeId>/<deviceId>`. It closes the manager with itself. */
export class MqttAdapter implements DeviceAdapter {
  readonly #manager: Managing
  readonly #options: MqttAdapterOptions
  /** What devices have got to with the images that they were given. */
  readonly #progress = new Map<string, Exclude<Left, 'nothing'>>()

  constructor(manager: Managing, options: MqttAdapterOptions) {
    this.#manager = manager
    this.#options = options
  }

  async look({ hostName }: DeviceAddress, signal: AbortSignal): Promise<Result<DeviceFacts, DeviceProblem>> {
    await begun(signal)
    await this.#manager.find(hostName, signal)
    const device = this.#manager.device(hostName)
    if (device === undefined) return fail({ kind: 'unreachable', detail: `${hostName} is not managed` })
    if (device.isDormant)
      return fail({ kind: 'unreachable', detail: `${hostName} has not been heard of for too long` })
    return succeed(factsOf(device))
  }

  async reset(
    { hostName }: DeviceAddress,
    { of, type }: { readonly of: 'system' | 'manager'; readonly type: string },
    signal: AbortSignal,
  ): Promise<Result<void, DeviceProblem>> {
    if (of !== 'system' || !RESETS.includes(type)) {
      signal.throwIfAborted()
      return fail({ kind: 'unsupported', detail: `${hostName} has no reset ${type} of its ${of}` })
    }
    return this.#initiate('device/reboot', hostName, signal)
  }

  /** Asks a device to become what it was when it was made. */
  factoryReset({ hostName }: DeviceAddress, signal: AbortSignal): Promise<Result<void, DeviceProblem>> {
    return this.#initiate('device/factoryReset', hostName, signal)
  }

  /**
   * The device fetches the part that is for it: that is what its one verifier is of, and a small device need not find its
   * own among those of others.
   */
  async transfer(job: Job): Promise<FlashResult> {
    const { image, version, signal, progress } = job
    const key = job.device.hostName
    await begun(signal)
    this.#progress.delete(key)
    const { uri, done } = await this.#options.publish(image, key)
    job.memo.write(uri)
    try {
      const name = job.component.id
      const field = description({ uri, name, version, verifier: image.sha256 })
      const { clock } = this.#options
      const written = await describe({ manager: this.#manager, clock, key, field }, signal)
      const outcome = written.ok ? await this.#follow(job, 'firmware/download') : written
      if (isTold(outcome, updateStatuses.verificationFailed)) this.#progress.set(key, 'not-verified')
      else if (!outcome.ok) return fail(problemOf(job, outcome.problem, uri))
      else this.#progress.set(key, 'downloaded')
      progress(1)
      return succeed(undefined)
    } finally {
      done()
    }
  }

  /** It has verified what it downloaded before it said that it had. */
  async verify({ device, signal, progress }: Job): Promise<FlashResult> {
    await begun(signal)
    if (this.#progress.get(device.hostName) !== 'downloaded') return fail({ kind: 'corrupt' })
    progress(1)
    return succeed(undefined)
  }

  async install(job: Job): Promise<FlashResult> {
    const key = job.device.hostName
    await begun(job.signal)
    const progress = this.#progress.get(key)
    if (progress !== 'downloaded' && progress !== 'installing') return fail({ kind: 'nothing-installed' })
    const outcome = await this.#follow(job, 'firmware/update', progress === 'installing')
    this.#progress.delete(key)
    if (!outcome.ok) {
      // S4-14: there is nothing that it could install.
      const isEmpty = 'rc' in outcome.problem && outcome.problem.rc === 400
      return fail(isEmpty ? { kind: 'nothing-installed' } : problemOf(job, outcome.problem))
    }
    job.progress(1)
    return succeed(undefined)
  }

  /** What it has installed runs: it has said which version that is. */
  async activate({
    device,
    version,
    signal,
    progress,
  }: Parameters<DeviceAdapter['activate']>[0]): Promise<FlashResult> {
    await begun(signal)
    const runs = this.#manager.device(device.hostName)?.info.fwVersion
    progress(1)
    return succeed(runs === undefined || runs === version ? undefined : { version: runs })
  }

  /** What it has done with the image since it was told of it. */
  async inquire(job: ActivationJob & OnDevice, at: DeviceStageName): Promise<Found> {
    const { device, component, memo, version, signal } = job
    const key = device.hostName
    await begun(signal)
    this.#progress.delete(key)
    const uri = memo.read()
    // It knows nothing of it.
    if (uri === undefined || at === 'activate') return succeed(uri === undefined ? 'nothing' : at)
    const { clock, patienceMs = PATIENCE_MS } = this.#options
    const reach = { manager: this.#manager, clock, key, patienceMs }
    const left = await findOut(reach, { uri, version, before: component.now.version, at }, signal)
    if (!left.ok) return fail(failedBy(key, left.problem))
    if (left.value === 'nothing') return succeed('nothing')
    this.#progress.set(key, left.value)
    if (left.value === 'installing') return succeed('install')
    if (left.value !== 'installed') return succeed(at === 'install' ? at : 'verify')
    // S4-17: what it has installed runs, whether or not it says so itself.
    if (version !== '') this.#manager.know(key, [{ field: 'deviceInfo.fwVersion', value: version }])
    return succeed('activate')
  }

  release({ device }: Parameters<DeviceAdapter['release']>[0]): void {
    this.#progress.delete(device.hostName)
  }

  close(): Promise<void> {
    return this.#manager.close()
  }

  async #initiate(
    action: 'device/reboot' | 'device/factoryReset',
    key: string,
    signal: AbortSignal,
  ): Promise<Result<void, DeviceProblem>> {
    signal.throwIfAborted()
    const [answer] = await this.#manager.initiate(action, [key], signal)
    return answer ?? fail({ kind: 'failed', detail: `${key} was not asked` })
  }

  #follow(
    { device, signal }: Job,
    action: 'firmware/download' | 'firmware/update',
    isAsked = false,
  ): Promise<Outcome> {
    const { clock, patienceMs = PATIENCE_MS } = this.#options
    const read = action === 'firmware/download' ? readDownload : readUpdate
    const key = device.hostName
    return follow({ manager: this.#manager, clock, key, action, read, patienceMs, isAsked }, signal)
  }
}

export function createMqttAdapter(manager: Managing, options: MqttAdapterOptions): MqttAdapter {
  return new MqttAdapter(manager, options)
}

/** Whoever begins something may stop it, or close everything, in the same turn. */
async function begun(signal: AbortSignal): Promise<void> {
  await Promise.resolve()
  signal.throwIfAborted()
}

type Problem = Extract<Outcome, { readonly ok: false }>['problem']

function isTold(outcome: Outcome, status: FailedStatus): boolean {
  return !outcome.ok && outcome.problem.kind === 'told' && outcome.problem.status === status
}

function failedBy(key: string, { detail }: DeviceProblem): Extract<FlashProblem, { kind: 'failed' }> {
  return { kind: 'failed', why: [message('Redflash.DeviceFailed', key, detail)] }
}

/** Why a stage failed, in Redfish's words. */
function problemOf(
  job: Job,
  problem: Problem,
  uri = '',
): Extract<FlashResult, { readonly ok: false }>['problem'] {
  if (problem.kind !== 'told') return failedBy(job.device.hostName, problem)
  if (problem.status === updateStatuses.verificationFailed) return { kind: 'corrupt' }
  const errand = { key: job.device.hostName, image: job.package.fileName, uri }
  return { kind: 'failed', why: [reasonOf(problem.status, errand)] }
}
