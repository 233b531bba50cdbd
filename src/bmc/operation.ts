import type { ApplyTime } from '../redfish/apply-times.ts'
import type { JsonObject } from '../redfish/resource.ts'
import type { Message } from '../redfish/messages/message.ts'
import type { Actor } from './actor.ts'

/** What a request for an update asks for, its references resolved to component Ids. */
export interface UpdateRequest {
  /** The components that the request names; `undefined` where the service decides. */
  readonly targets: ReadonlySet<string> | undefined
  readonly exclude: ReadonlySet<string>
  readonly force: boolean
  /** When the devices are to be written. */
  readonly applyTime: ApplyTime
  /** Whether the image is to wait on the devices until a client activates it. */
  readonly stage: boolean
  /** Whether the image is to be kept by the service, too. */
  readonly keepsImage: boolean
  /** Whether only to tell what would be done. */
  readonly dryRun: boolean
  /** What the client says the SHA-256 of the image is. */
  readonly sha256: string | undefined
  /** The plan by which the image is to come to many devices: judged, and read by those who carry it out. */
  readonly rollOut?: JsonObject | undefined
}

/** Something on devices that was accepted and is not over: all that is needed to go on with it after a restart. */
export interface Operation {
  /** The Id of its task. */
  readonly id: string
  readonly actor: Actor
  /** Where the image is to come from, until it is here. */
  readonly source?: RemoteImageSource | undefined
  /** What is to be installed, in the words of each image's request. */
  readonly plans?: readonly PlannedImage[] | undefined
  /** What is to be brought into use that is on its device already. */
  readonly activates?: readonly StandbyReference[] | undefined
  /** The tasks that it started, and is as long as they are. */
  readonly follows?: readonly string[] | undefined
  /** Whether StartUpdate, or what stands for it, let it go on. */
  readonly isStarted?: boolean | undefined
  /** The job that it goes on in. */
  readonly job?: string | undefined
}

/** An image server's image, with what it asks of who fetches it. */
interface RemoteImageSource {
  readonly uri: string
  readonly username: string | undefined
  readonly password: string | undefined
  readonly request: UpdateRequest
}

/** An image that the service has, and what it is for. */
export interface PlannedImage {
  readonly sha256: string
  readonly fileName: string
  readonly request: UpdateRequest
  /** Known once the manager has verified it. */
  readonly verified?: VerifiedImage | undefined
}

export interface VerifiedImage {
  /** Who vouches for it. */
  readonly signer: string | undefined
  /** What was told of it. */
  readonly told: readonly Message[]
  /** The components to be written, each with the number of its part in the image. */
  readonly updates: readonly { readonly component: string; readonly part: number }[]
}

/** An image that stands by, and its component. */
interface StandbyReference {
  readonly component: string
  readonly image: string
  /** Of an image on a managed device. */
  readonly version?: string | undefined
}

/** Where a component's part of an operation is; nothing is known of one that waits for its moment, or its turn. */
export type PartReached =
  /** Its moment has come. */
  | { readonly at: 'opened' }
  /** In a stage on its device, or on it and not yet what runs there; `memo` is that of whoever reaches the device. */
  | {
      readonly at: 'transfer' | 'verify' | 'install' | 'installed' | 'activate'
      readonly memo?: string | undefined
    }
  /** At its end, which tells as much as `Ending`. */
  | { readonly at: 'over'; readonly state: 'Completed' | 'Exception' | 'Cancelled'; readonly status: number }
