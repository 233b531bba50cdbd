import type { DeviceAddress, DeviceFacts, FirmwareFacts } from '../bmc/managed-device.ts'
import type { Result } from '../lib/result.ts'
import type { ActivationJob, Flasher, FlashJob, FlashResult } from './flasher.ts'

export type { DeviceAddress, DeviceFacts, FirmwareFacts }

/** Why a device could not be asked, or did not do what it was asked for. */
export interface DeviceProblem {
  readonly kind: 'unreachable' | 'untrusted' | 'unauthorized' | 'unsupported' | 'busy' | 'failed'
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
  release(job: Parameters<Flasher['release']>[0] & OnDevice): void
  /** Lets go of connections, brokers and processes. */
  close(): Promise<void>
}
