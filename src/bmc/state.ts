import type { Actor } from './actor.ts'
import type { ApplyTime } from '../redfish/apply-times.ts'
import type { Message } from '../redfish/messages/message.ts'
import type { JsonObject } from '../redfish/resource.ts'
import type { ClientCertificate, IdentityKey, TrustedCertificate, TrustedKey } from './image-servers.ts'
import type { DeviceIdentity } from './device-identity.ts'
import type { AskedDevice, DeviceRequest } from './device-request.ts'
import type { Aggregate, DeviceRecord, ManagedDevice } from './managed-device.ts'
import type { LocalImage } from './local-image.ts'
import type { Network } from './network.ts'
import type { Operation, PartReached } from './operation.ts'
import type { Registration } from './registration.ts'
import type { Privilege } from '../redfish/resource-table.ts'
import type { ResetUnderWay } from './reset-under-way.ts'
import type { RolloutView } from './rollout-view.ts'
import type { Session } from './session.ts'
import type { Subscription } from './subscription.ts'
import type { UserJob } from './user-job.ts'

/** What one emulated BMC remembers. Plain data; only `commit` writes it. */
export interface BmcState extends BmcTables {
  /** Commits so far: what was rendered from an older version may be out of date. */
  version: number
  settings: Settings
  /** Set while the manager that serves Redfish reboots. */
  outage: Outage | undefined
  network: Network
}

/** A table may be shared by many BMCs; the first change makes it a BMC's own: see `bmc/tables.ts`. */
export type BmcTables = { [T in TableName]: ReadonlyMap<string, Tables[T]> }
export type TableName = keyof Tables

/** What the tables of a BMC hold. */
export interface Tables {
  /** Firmware components that differ from how the machine left the factory, by Id. */
  components: ComponentState
  /** What updates made run on each component, by its Id; the newest last. */
  history: readonly HistoryEntry[]
  /** Top-level members that replace those of the machine's resources, by URI. */
  overlays: JsonObject
  accounts: Account
  roles: Role
  sessions: Session
  /** Sub-tasks too, by the Id of their task, a slash and their own. */
  tasks: Task
  /** Steps too, by the Id of their job, a slash and their own. */
  jobs: Job
  /** What happened to the machine. */
  log: LogEntry
  /** Who did what, and what came of it. */
  auditLog: LogEntry
  /** What became of jobs. */
  jobLog: LogEntry
  subscriptions: Subscription
  /** The images that the service keeps; their bytes are in the image store. */
  localImages: LocalImage
  trustedKeys: TrustedKey
  trustedCertificates: TrustedCertificate
  clientCertificates: ClientCertificate
  /** Who signs images, or certifies those who do. */
  trustAnchors: TrustedCertificate
  /** One, or none. */
  identityKeys: IdentityKey
  /** Of those that measure what runs, by the URI of their ComponentIntegrity; made when somebody asks for them. */
  deviceIdentities: DeviceIdentity
  /** What was accepted and is not over, by the Ids of their tasks. */
  operations: Operation
  /** How far their parts have come, by the Id of the operation, a slash and that of the component. */
  reached: PartReached
  /** Resets under way, by the URI of what is reset. */
  resets: ResetUnderWay
  /** What the jobs that users made are to do, and how far they have come, by their Ids; none that has ended. */
  userJobs: UserJob
  /** How often each fault that is planned has struck. */
  strikes: number
  /** Of a console: what it manages. */
  devices: ManagedDevice
  aggregates: Aggregate
  /** What devices had recorded themselves when somebody asked last, by their Ids; the oldest record first. */
  deviceLogs: readonly DeviceRecord[]
  /** Roll-outs, in parts that change on their own: each part by the Id of its roll-out's job, a slash and its own name. */
  rollouts: RolloutPart
  /** What clients have registered with device management: types by their Ids, devices by their type's Id, a slash and theirs. */
  registrations: Registration
  /** Who manages itself by MQTT, by the type's Id, a slash and the device's. */
  mqttDevices: KnownByMqtt
}

/** As whoever carries roll-outs out wrote it. */
export type RolloutPart = object

/** As whoever manages those devices wrote it. */
type KnownByMqtt = object

export interface Settings {
  readonly updateServiceEnabled: boolean
  /** Whether image servers must be among those that are trusted. */
  readonly verifyRemoteServerCertificate: boolean
  readonly verifyRemoteServerSshKey: boolean
  /** The window of the apply times that name one: when it opens, in milliseconds since the epoch, and for how long. */
  readonly maintenanceWindowStart: number
  readonly maintenanceWindowS: number
  /** What is to become of the next image that comes to HttpPushUri. */
  readonly pushTargets: readonly string[]
  readonly pushForce: boolean
  readonly pushApplyTime: ApplyTime
  /** Said by clients to each other. */
  readonly pushTargetsBusy: boolean
  readonly pushOptionsBusy: boolean
  readonly sessionServiceEnabled: boolean
  /** Seconds without a request after which a session ends. */
  readonly sessionTimeoutS: number
  /** Seconds after which a session ends however much it is used, where that is enabled. */
  readonly absoluteSessionTimeoutS: number
  readonly absoluteSessionTimeoutEnabled: boolean
  readonly accountServiceEnabled: boolean
  readonly minPasswordLength: number
  readonly httpBasicAuth: 'Enabled' | 'Unadvertised' | 'Disabled'
  /** Wrong passwords that lock an account; 0: none do. */
  readonly lockoutThreshold: number
  /** How long a lock holds; 0: nothing is locked. */
  readonly lockoutDurationS: number
  /** After how long without another a failure is forgotten. */
  readonly lockoutResetAfterS: number
  /** Whether time forgets failures and ends locks; else only a login and an administrator do. */
  readonly lockoutResetEnabled: boolean
  readonly jobServiceEnabled: boolean
  /** Minutes that a finished task is kept. */
  readonly taskAutoDeleteMinutes: number
  /** Seconds from the reading of a monitor's final answer until the monitor goes; null: it stays with its task. */
  readonly taskMonitorExpiryS: number | null
  readonly eventServiceEnabled: boolean
  /** How often the delivery of an event is tried again. */
  readonly deliveryRetryAttempts: number
  readonly deliveryRetryIntervalS: number
}

/** `refuse`: connections are refused; `unavailable`: every answer is 503. */
type Outage = 'refuse' | 'unavailable'

export interface ComponentState {
  readonly version: string
  readonly releaseDate: string | undefined
  readonly state: string
  readonly health: string
  readonly sizeBytes: number | undefined
  /** Of the image that runs, as in PendingImage; absent: what the machine left the factory with. */
  readonly sha256?: string | undefined
  readonly signer?: string | undefined
  readonly securityVersion?: number | undefined
  readonly lowestVersion?: string | undefined
  readonly comparisonStamp?: number | undefined
  /** An image that is installed and waits for its reset. */
  readonly pending: PendingImage | undefined
  /** Images beside the one that runs: staged ones, and the one that ran before. */
  readonly standby?: readonly StandbyImage[] | undefined
  /** By a client: no image may replace what runs. */
  readonly isWriteProtected?: boolean | undefined
  /** Of a component that has a backup: which of both its manager runs; absent: the component, now and next. */
  readonly boot?: Boot | undefined
}

/** A component that has a backup, or that backup. */
export type Bank = 'primary' | 'backup'

export interface Boot {
  readonly running: Bank
  /** What the next reset of the manager is to boot. */
  readonly next: Bank
}

export interface PendingImage {
  /** How messages name the image. */
  readonly image: string
  readonly version: string
  readonly releaseDate: string | undefined
  readonly sizeBytes: number
  /** Of the component's bytes in the image, in hexadecimal; `undefined` of what the machine left the factory with. */
  readonly sha256: string | undefined
  /** Whose signature vouched for it. */
  readonly signer?: string | undefined
  /** Below this no other may follow; 0 unless given. */
  readonly securityVersion?: number | undefined
  /** No older version may follow. */
  readonly lowestVersion?: string | undefined
  /** What decides what is newer where an image says so (DSP0267). */
  readonly comparisonStamp?: number | undefined
  /** The reset that makes it run, where it is not the one that its component always needs. */
  readonly reset?: ResetNeed | undefined
  /** When it was installed, in milliseconds since the epoch. */
  readonly since: number
  /** The update that installed it. */
  readonly cause?: Cause | undefined
}

/** A reset that a client has to ask for: of what, and the ResetType. */
export interface ResetNeed {
  readonly resource: string
  readonly type: string
}

/** An image on the device that another runs beside; an inventory item of its own. */
export interface StandbyImage extends PendingImage {
  readonly id: string
  readonly kind: 'staged' | 'previous'
}

/** An image that runs or ran. */
export interface HistoryEntry extends PendingImage {
  /** When it began to run, in milliseconds since the epoch. */
  readonly activatedAt: number
  /** The version that ran before. */
  readonly replaced?: string
}

export interface Account {
  readonly id: string
  readonly username: string
  readonly salt: Uint8Array
  readonly hash: Uint8Array
  readonly roleId: string
  readonly enabled: boolean
  /** By too many wrong passwords. */
  readonly isLocked: boolean
  /** When time ends the lock, in milliseconds since the epoch; `undefined`: it does not. */
  readonly lockedUntil?: number | undefined
  readonly accountTypes: readonly string[]
  /** Until then it may do nothing else. */
  readonly mustChangePassword: boolean
  /** When it can no longer be used, in milliseconds since the epoch. */
  readonly expiresAt: number | undefined
}

export interface Role {
  readonly id: string
  readonly privileges: readonly Privilege[]
  readonly oemPrivileges: readonly string[]
  readonly isPredefined: boolean
}

export type TaskState = 'New' | 'Running' | 'Pending' | 'Cancelling' | 'Completed' | 'Exception' | 'Cancelled'

export interface Task {
  readonly id: string
  /** A sub-task's task. */
  readonly parent?: string
  readonly name: string
  readonly description: string
  readonly state: TaskState
  readonly percent: number
  readonly messages: readonly Message[]
  readonly startTime: number
  readonly endTime: number | undefined
  readonly payload: Payload
  /** Who asked for it. */
  readonly actor?: Actor | undefined
  readonly createdResources?: readonly string[]
  /** How many sub-tasks it has; their own Ids count from 1. */
  readonly parts?: number
  /** When its monitor was first asked for the final answer, where that ends the monitor. */
  readonly monitorReadAt?: number
  readonly isMonitorGone?: boolean
  /** The operation of a roll-out that it carries out. */
  readonly rolloutOperation?: string | undefined
  /** What the monitor answers at the end (DSP2062: as the operation would have answered synchronously). */
  readonly finalStatus: number | undefined
}

export type JobState =
  | 'New'
  | 'Running'
  | 'Pending'
  | 'Suspended'
  | 'UserIntervention'
  | 'Continue'
  | 'Completed'
  | 'Exception'
  | 'Cancelled'

/** A job, or a step of one. */
export interface Job extends RolloutView {
  readonly id: string
  /** A step's job. */
  readonly parent?: string
  readonly name: string
  readonly type: 'ServiceGenerated' | 'UserSpecified'
  readonly state: JobState
  /** Whether it was asked to end, and whether to pause: no states of their own, for it goes on until it can. */
  readonly isCancelling?: boolean
  readonly isSuspending?: boolean
  readonly percent: number
  readonly messages: readonly Message[]
  readonly createdAt: number
  /** When it began, or is to begin. */
  readonly startTime: number | undefined
  readonly endTime: number | undefined
  /** Who asked for it. */
  readonly actor?: Actor | undefined
  /** After how long it is stopped (MaxExecutionTime). */
  readonly maxExecutionMs?: number | undefined
  readonly createdResources?: readonly string[]
  /** How many steps it has; their own Ids count from 1. */
  readonly parts?: number
  /** The same for everything that one operation brought about. */
  readonly group?: number | undefined
  /** The request that a user-made job carries out. */
  readonly payload?: JobPayload | undefined
  readonly hidePayload?: boolean
  readonly schedule?: Schedule | undefined
  /** When it will have ended, as far as that can be said. */
  readonly estimatedEnd?: number | undefined
  /** Of one that asks devices for something by IBM's device management: what, and how many of them are in which state. */
  readonly request?: DeviceRequest
  readonly requestDevices?: Readonly<Record<string, number>>
  /** Of a step of such a one. */
  readonly asked?: AskedDevice
}

export interface JobPayload extends Payload {
  readonly httpOperation: string
}

/** When a job runs (Schedule v1_2_5); durations in milliseconds. */
export interface Schedule {
  readonly name?: string
  readonly lifetimeMs?: number
  readonly maxOccurrences?: number
  readonly initialStartTime?: number
  readonly recurrenceIntervalMs?: number
  readonly enabledDaysOfWeek?: readonly string[]
  readonly enabledDaysOfMonth?: readonly number[]
  readonly enabledMonthsOfYear?: readonly string[]
  readonly enabledIntervals?: readonly string[]
}

/** The request that a task came from; `jsonBody` holds no secret. */
export interface Payload {
  readonly targetUri: string
  readonly httpHeaders: readonly string[]
  readonly jsonBody: string
}

export interface LogEntry extends Cause {
  readonly id: string
  readonly created: number
  readonly message: Message
  /** The resource that the entry speaks of. */
  readonly origin: string
  /** Set by a client. */
  readonly isResolved?: boolean
}

/** What entries that come of one operation have in common. */
export interface Cause {
  readonly actor?: Actor | undefined
  /** The same for everything that one operation brought about. */
  readonly group?: number | undefined
  /** Other resources that it is about. */
  readonly related?: readonly string[] | undefined
  /** What was done, where the message does not say it. */
  readonly description?: string | undefined
}

/** Something that happened and that no state shows: told to observers, kept nowhere. */
export interface Notice {
  readonly message: Message
  /** The resource that it speaks of. */
  readonly origin: string
}

/** Keys with their new values; `undefined` removes. */
export type Entries<T> = readonly (readonly [key: string, value: T | undefined])[]

/** A change as data: everything that belongs together, seen by observers at once. */
export type Change = { readonly [T in TableName]?: Entries<Tables[T]> } & {
  readonly settings?: Partial<Settings>
  readonly outage?: Outage | undefined
  readonly network?: Partial<Network>
  readonly notices?: readonly Notice[]
}
