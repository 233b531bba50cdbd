import type { Component } from '../bmc/bmc.ts'
import type { DeviceStageName } from '../bmc/device-faults.ts'
import type { Speed } from '../lib/clock.ts'
import type { Result } from '../lib/result.ts'
import type { Message } from '../redfish/messages/message.ts'

/** A device that takes firmware. Every implementation passes `test/contracts/flasher.ts`. */
export interface Flasher {
  /** Takes the image's bytes, at the device's own pace. */
  transfer(job: FlashJob): Promise<FlashResult>
  /** The device checks what it has taken. */
  verify(job: FlashJob): Promise<FlashResult>
  /** Writes it where it will run from; must not be cut short once begun. */
  install(job: FlashJob): Promise<FlashResult>
  /**
   * Runs it: after this the device reports the new version. Where nothing was installed before, that is the image of this
   * version which stands by on the device.
   */
  activate(job: ActivationJob): Promise<FlashResult>
  /** How the device is asked what came of what the service was at when it ended; `undefined`: it cannot be asked. */
  inquiry?(job: Pick<ActivationJob, 'bmcId' | 'component'>): Inquiry | undefined
  /**
   * How the device is asked to let go of what it is at, and then tells how far it has come: `nothing` where it has let go;
   * else it goes on, whether that is wanted or not. `undefined`: whoever stops asking it for more has stopped it.
   */
  withdrawal?(job: Pick<ActivationJob, 'bmcId' | 'component'>): Inquiry | undefined
  /** Forgets what was taken and not installed. */
  release(job: Pick<FlashJob, 'bmcId' | 'component'>): void
  /** Forgets all that it knows of the devices of a BMC that is gone. */
  forget?(bmcId: string): void
}

/** Asks a device how far it has come, where the service was at this stage when it ended; nothing is begun by that. */
export type Inquiry = (job: ActivationJob, at: DeviceStageName) => Promise<Found>

/** The stage that a device is to go on in, with what is there already; or that nothing is, and all of it begins anew. */
export type Found = Result<DeviceStageName | 'nothing', FlashProblem>

export interface ActivationJob {
  readonly bmcId: string
  readonly component: Component
  /** Of the image. */
  readonly version: string
  /** How much faster than real time devices of its machine are to be. */
  readonly speed: Speed
  /** Whether the system that the device depends on has power; asked whenever the device needs it. */
  readonly hasPower: () => boolean
  /** Aborted when the update is cancelled, its machine is reset or the service ends: the device rejects with the reason. */
  readonly signal: AbortSignal
  /** Told how far the stage has come, from 0 to 1. */
  readonly progress: (share: number) => void
  /** How often which planned fault has struck the device. */
  readonly strikes: Strikes
  readonly memo: Memo
}

/** What whoever reaches the device wants to know of this update again after a restart of the service: text of its own. */
export interface Memo {
  read(): string | undefined
  write(text: string): void
}

/** Counts that are kept with what else is known of the device, from one job to the next and through a restart. */
export interface Strikes {
  of(fault: string): number
  add(fault: string): void
}

export interface FlashJob extends ActivationJob {
  /** The part of the image that is for this device. */
  readonly image: FirmwareImage
  /** The image as it came, for devices that read such images themselves. */
  readonly package: FirmwareImage & { readonly fileName: string }
}

/** Bytes that can be read as often as it takes. */
export interface FirmwareImage {
  readonly sizeBytes: number
  readonly sha256: string
  /** From `start` to before `end`; all of them unless given. */
  readonly read: (start?: number, end?: number) => AsyncIterable<Uint8Array>
}

/** A stage's end; a device that runs another version than that of its image tells which when it is activated. */
export type FlashResult = Result<{ readonly version: string } | undefined, FlashProblem>

export type FlashProblem =
  | { readonly kind: 'too-large'; readonly capacityBytes: number }
  | { readonly kind: 'no-power' }
  | { readonly kind: 'corrupt' }
  | { readonly kind: 'nothing-installed' }
  /** The device gives up, and may say why. */
  | { readonly kind: 'failed'; readonly why?: readonly Message[] }
