import type { DeviceAddress, DeviceFacts, DeviceRecord, FirmwareFacts } from '../bmc/managed-device.ts'
import type { Result } from '../lib/result.ts'
import type { DeviceStageName } from '../bmc/device-faults.ts'
import type { ActivationJob, Flasher, FlashJob, FlashResult, Found } from './flasher.ts'

export type { DeviceAddress, DeviceFacts, DeviceRecord, FirmwareFacts }

/** Why a device could not be asked, or did not do what it was asked for. */
export interface DeviceProblem {
  readonly kind: 'unreachable' | 'untrusted' | 'unauthorized' | 'unsupported' | 'busy' | 'refused' | 'failed'
  /** For people: what was tried and what came back; no secret in it. */
  readonly detail: string
}

/** A job on a device that is reached by an adapter. */
export interface OnDevice {
  readonly device: DeviceAddress
  readonly firmware: FirmwareFacts
}

/**
 * How a console reaches devices of one kind. Every implementation passes `test/contracts/device-adapter.ts`, with a peer
 * that is real. A method rejects only with the signal's reason, when it is aborted.
 */
export interface DeviceAdapter {
  /** Where an address leads, the same however it is written; `undefined`: to no device. Unless given, any may be one. */
  readonly placeOf?: (hostName: string) => string | undefined
  /** Asks a device who it is and what runs on it. */
  look(device: DeviceAddress, signal: AbortSignal): Promise<Result<DeviceFacts, DeviceProblem>>
  /** Asks for a reset of its system or its manager, by a ResetType that it offers; resolves when that is accepted. */
  reset(
    device: DeviceAddress,
    asked: { readonly of: 'system' | 'manager'; readonly type: string },
    signal: AbortSignal,
  ): Promise<Result<void, DeviceProblem>>
  /** The stages of an update (see Flasher); the device's own progress is the job's. */
  transfer(job: FlashJob & OnDevice): Promise<FlashResult>
  verify(job: FlashJob & OnDevice): Promise<FlashResult>
  install(job: FlashJob & OnDevice): Promise<FlashResult>
  activate(job: ActivationJob & OnDevice): Promise<FlashResult>
  /** After a restart: how far the device has come with what was begun in this stage (see Inquiry); absent where none can tell. */
  inquire?(job: ActivationJob & OnDevice, at: DeviceStageName): Promise<Found>
  /** After a stage was aborted: has the device let go of it (see Flasher); absent where an aborted stage is that. */
  withdraw?(job: ActivationJob & OnDevice, at: DeviceStageName): Promise<Found>
  release(job: Parameters<Flasher['release']>[0] & OnDevice): void
  /** What its kind can beside; a device's facts tell whether that one does. */
  readonly abilities?: Abilities
  /** Lets go of connections, brokers and processes. */
  close(): Promise<void>
}

/** What only some kinds of devices can. A method rejects only with the signal's reason, when it is aborted. */
export interface Abilities {
  /** Has a device show a code to whoever sits before it. */
  askConsent(device: DeviceAddress, signal: AbortSignal): Promise<Result<void, DeviceProblem>>
  /** The code as the user has read it: what needed consent is possible for a while. */
  giveConsent(device: DeviceAddress, code: string, signal: AbortSignal): Promise<Result<void, DeviceProblem>>
  /** Has a device switch itself on at this time (milliseconds since the epoch, whole seconds). */
  wakeAt(device: DeviceAddress, time: number, signal: AbortSignal): Promise<Result<void, DeviceProblem>>
  /** Has it not do so at this one of its times. */
  cancelWake(device: DeviceAddress, time: number, signal: AbortSignal): Promise<Result<void, DeviceProblem>>
  /** What it has recorded; the oldest record first. */
  readLog(device: DeviceAddress, signal: AbortSignal): Promise<Result<readonly DeviceRecord[], DeviceProblem>>
}
