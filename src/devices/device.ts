import type { Result } from '../lib/result.ts'
import type { FlashJob, Flasher, FlashResult, ActivationJob } from './flasher.ts'

/** How a console reaches a device, and as whom. */
export interface DeviceAddress {
  /** As a client gives it in an AggregationSource: a URL, or a host name or address with a port or without. */
  readonly hostName: string
  readonly userName: string
  readonly password: string
}

/** What an adapter found out about a device. */
export interface DeviceFacts {
  readonly name: string
  readonly manufacturer?: string | undefined
  readonly model?: string | undefined
  readonly serialNumber?: string | undefined
  readonly uuid?: string | undefined
  /** Of its system; absent where it does not say. */
  readonly power?: 'On' | 'Off' | undefined
  /** The ResetTypes (Resource.ResetType) that its system, and its manager, can be asked for. */
  readonly resetTypes: readonly string[]
  readonly managerResetTypes: readonly string[]
  readonly firmware: readonly FirmwareFacts[]
}

/** A piece of firmware that runs on a device. */
export interface FirmwareFacts {
  /** One of the device's: of letters, digits, `-`, `_` and `.`. */
  readonly id: string
  readonly name: string
  readonly version: string
  /** What images name it by. */
  readonly softwareId?: string | undefined
  readonly updateable: boolean
  /** What of the device it belongs to. */
  readonly of: 'system' | 'manager' | 'chassis'
  /** What the device itself calls it, where that is not its Id. */
  readonly nativeId?: string | undefined
}

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
