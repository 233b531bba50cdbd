import type { Clock } from '../../lib/clock.ts'
import { fail, type Result, succeed } from '../../lib/result.ts'
import { message } from '../../redfish/messages/message.ts'
import type { DeviceAdapter, DeviceAddress, DeviceFacts, DeviceProblem, OnDevice } from '../device.ts'
import type { FirmwareImage, FlashJob, FlashResult } from '../flasher.ts'
import { description } from './actions.ts'
import { describe } from './describe.ts'
import { type FailedStatus, readDownload, readUpdate, updateStatuses } from './firmware.ts'
import { follow, type Outcome, PATIENCE_MS } from './follow.ts'
import type { ManagedDevice } from './managed-device.ts'
import type { MqttManager } from './manager.ts'
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

/** What a device has got to with an image that it was given. */
type Progress = 'downloaded' | 'not-verified'
type Job = FlashJob & OnDevice

/** A device of IBM's has one piece of firmware. */
const FIRMWARE = 'firmware'
const RESETS = ['ForceRestart', 'GracefulRestart']

/** Devices of IBM's device management; a host name is `<typeId>/<deviceId>`. It closes the manager with itself. */
export class MqttAdapter implements DeviceAdapter {
  readonly #manager: MqttManager
  readonly #options: MqttAdapterOptions
  readonly #progress = new Map<string, Progress>()

  constructor(manager: MqttManager, options: MqttAdapterOptions) {
    this.#manager = manager
    this.#options = options
  }

  async look({ hostName }: DeviceAddress, signal: AbortSignal): Promise<Result<DeviceFacts, DeviceProblem>> {
    await begun(signal)
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
    if (this.#progress.get(key) !== 'downloaded') return fail({ kind: 'nothing-installed' })
    const outcome = await this.#follow(job, 'firmware/update')
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

  #follow({ device, signal }: Job, action: 'firmware/download' | 'firmware/update'): Promise<Outcome> {
    const { clock, patienceMs = PATIENCE_MS } = this.#options
    const read = action === 'firmware/download' ? readDownload : readUpdate
    return follow({ manager: this.#manager, clock, key: device.hostName, action, read, patienceMs }, signal)
  }
}

export function createMqttAdapter(manager: MqttManager, options: MqttAdapterOptions): MqttAdapter {
  return new MqttAdapter(manager, options)
}

/** What is known of a device, as a console shows it. */
function factsOf({ deviceId, typeId, info, supports }: ManagedDevice): DeviceFacts {
  const canReset = supports['deviceActions'] === true
  return {
    name: deviceId,
    manufacturer: info.manufacturer,
    model: info.model ?? typeId,
    serialNumber: info.serialNumber,
    // It speaks.
    power: 'On',
    resetTypes: canReset ? RESETS : [],
    managerResetTypes: [],
    firmware: [
      {
        id: FIRMWARE,
        name: info.description ?? `Firmware of ${deviceId}`,
        version: info.fwVersion ?? '',
        softwareId: typeId,
        updateable: supports['firmwareActions'] === true,
        of: 'system',
      },
    ],
  }
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

/** Why a stage failed, in Redfish's words. */
function problemOf(
  job: Job,
  problem: Problem,
  uri = '',
): Extract<FlashResult, { readonly ok: false }>['problem'] {
  if (problem.kind !== 'told')
    return { kind: 'failed', why: [message('Redflash.DeviceFailed', job.device.hostName, problem.detail)] }
  if (problem.status === updateStatuses.verificationFailed) return { kind: 'corrupt' }
  const errand = { key: job.device.hostName, image: job.package.fileName, uri }
  return { kind: 'failed', why: [reasonOf(problem.status, errand)] }
}
