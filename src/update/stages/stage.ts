import type { DeviceStageName } from '../../bmc/device-faults.ts'
import type { FlashJob, Flasher, FlashResult } from '../../devices/flasher.ts'
import type { Message } from '../../redfish/messages/message.ts'

/** Why an operation ends in a manager's stage, and what its monitor answers then. */
export interface StageFailure {
  readonly messages: readonly Message[]
  readonly status: number
}

/** A stage of one device; all targets go through it, side by side. */
export interface DeviceStage {
  readonly name: DeviceStageName
  readonly until: number
  /** Whether a client may still cancel: not while a device writes what it runs from. */
  readonly cancellable: boolean
  readonly started: (image: string, target: string) => Message
  readonly failed: (image: string, target: string) => Message
  /** What the monitor answers when nothing but this came of the update. */
  readonly failedStatus: number
  /** Whether a failure leaves the component unfit to run. */
  readonly damages: boolean
  readonly run: (flasher: Flasher, job: FlashJob) => Promise<FlashResult>
}
