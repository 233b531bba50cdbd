import type { Message, Severity } from '../redfish/messages/message.ts'
import type { JsonObject } from '../redfish/resource.ts'
import type { Network } from './network.ts'
import type { Privilege } from '../redfish/resource-table.ts'

/** What one emulated BMC remembers. Plain data; only `commit` writes it. */
export interface BmcState {
  /** Commits so far: what was rendered from an older version may be out of date. */
  version: number
  settings: Settings
  /** Set while the manager that serves Redfish reboots. */
  outage: Outage | undefined
  network: Network
  /** Firmware components that differ from how the machine left the factory, by Id. */
  readonly components: Map<string, ComponentState>
  /** Top-level members that replace those of the machine's resources, by URI. */
  readonly overlays: Map<string, JsonObject>
  /** Shared by BMCs that left the factory with the same, until they differ. */
  accounts: ReadonlyMap<string, Account>
  roles: ReadonlyMap<string, Role>
  readonly sessions: Map<string, Session>
  readonly tasks: Map<string, Task>
  /** What happened to the machine. */
  readonly log: Map<string, LogEntry>
  /** Who did what, and what came of it. */
  readonly auditLog: Map<string, LogEntry>
  readonly subscriptions: Map<string, Subscription>
}

export interface Settings {
  readonly updateServiceEnabled: boolean
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
  /** Minutes that a finished task is kept. */
  readonly taskAutoDeleteMinutes: number
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
  /** An image that is installed and waits for its reset. */
  readonly pending: PendingImage | undefined
}

export interface PendingImage {
  /** How messages name the image. */
  readonly image: string
  readonly version: string
  readonly releaseDate: string | undefined
  readonly sizeBytes: number
  /** When it was installed, in milliseconds since the epoch. */
  readonly since: number
  /** The update that installed it. */
  readonly cause?: Cause | undefined
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

export interface Session {
  readonly id: string
  readonly username: string
  readonly tokenHash: string
  readonly createdAt: number
  readonly origin: string
  /** What the client said when it logged in. */
  readonly context: string | null
}

export type TaskState = 'New' | 'Running' | 'Cancelling' | 'Completed' | 'Exception' | 'Cancelled'

export interface Task {
  readonly id: string
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
  /** What the monitor answers at the end (DSP2062: as the operation would have answered synchronously). */
  readonly finalStatus: number | undefined
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

/** Who caused something, and from where. */
export interface Actor {
  /** `undefined`: nobody that we know. */
  readonly username: string | undefined
  /** Scheme and address: `https://192.0.2.7`. */
  readonly address: string
}

/** Where events go, and which: a subscription of a client, or the stream that it holds open. */
export interface Subscription {
  readonly id: string
  readonly kind: 'RedfishEvent' | 'SSE'
  /** Who made it. */
  readonly owner: string | undefined
  readonly destination: string
  readonly backupDestinations: readonly string[]
  readonly context: string | null
  readonly filter: EventFilter
  readonly includeOrigin: boolean
  readonly retryPolicy: DeliveryRetryPolicy
  readonly verifyCertificate: boolean
  /** Sent with every event, shown to nobody. */
  readonly httpHeaders: Readonly<Record<string, string>>
  readonly heartbeatMinutes: number | undefined
  /** Set while nothing is sent, by the client's wish or because it cannot be. */
  readonly suspended: Suspension | undefined
}

interface Suspension {
  readonly since: number
  /** What keeps events from being sent; absent where a client asked for it. */
  readonly reason: Message | undefined
}

export type DeliveryRetryPolicy =
  | 'TerminateAfterRetries'
  | 'SuspendRetries'
  | 'RetryForever'
  | 'RetryForeverWithBackoff'

/** What a subscriber asks to be told of (EventDestination v1_16); an absent list asks for everything. */
export interface EventFilter {
  readonly registryPrefixes?: readonly string[]
  readonly messageIds?: readonly string[]
  readonly excludeRegistryPrefixes?: readonly string[]
  readonly excludeMessageIds?: readonly string[]
  readonly resourceTypes?: readonly string[]
  readonly originResources?: readonly string[]
  readonly subordinateResources?: boolean
  readonly severities?: readonly Severity[]
  readonly eventTypes?: readonly string[]
}

/** Something that happened and that no state shows: told to observers, kept nowhere. */
interface Notice {
  readonly message: Message
  /** The resource that it speaks of. */
  readonly origin: string
}

/** Keys with their new values; `undefined` removes. */
export type Entries<T> = readonly (readonly [key: string, value: T | undefined])[]

/** A change as data: everything that belongs together, seen by observers at once. */
export interface Change {
  readonly settings?: Partial<Settings>
  readonly outage?: Outage | undefined
  readonly network?: Partial<Network>
  readonly components?: Entries<ComponentState>
  readonly overlays?: Entries<JsonObject>
  readonly accounts?: Entries<Account>
  readonly roles?: Entries<Role>
  readonly sessions?: Entries<Session>
  readonly tasks?: Entries<Task>
  readonly log?: Entries<LogEntry>
  readonly auditLog?: Entries<LogEntry>
  readonly subscriptions?: Entries<Subscription>
  readonly notices?: readonly Notice[]
}
