import type { Bmc } from '../../bmc/bmc.ts'
import type { FlashJob, Flasher, FlashResult } from '../../devices/flasher.ts'
import type { ReceivedImage } from '../../image/receive.ts'
import type { Result } from '../../lib/result.ts'
import type { Message } from '../../redfish/messages/message.ts'
import type { Decision } from '../policy.ts'

/** One update as its stages see it. */
export interface Operation {
  readonly bmc: Bmc
  readonly image: ReceivedImage
  /** What was decided from the image's bytes; empty where they could not be read. */
  readonly decisions: readonly Decision[]
}

/** A stage of the whole operation, done by the manager. */
export interface ManagerStage {
  readonly name: string
  /** PercentComplete when it is done. */
  readonly until: number
  readonly run: (operation: Operation) => Result<readonly Message[], StageFailure>
}

/** Why an operation ends in a manager's stage, and what its monitor answers then. */
interface StageFailure {
  readonly messages: readonly Message[]
  readonly status: number
}

/** A stage of one device; all targets go through it, side by side. */
export interface DeviceStage {
  readonly name: string
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
