import type { Message } from '../redfish/messages/message.ts'
import type { JsonObject } from '../redfish/resource.ts'
import type { Privilege } from '../redfish/resource-table.ts'

/** What one emulated BMC remembers. Plain data; only `commit` writes it. */
export interface BmcState {
  /** Commits so far: what was rendered from an older version may be out of date. */
  version: number
  settings: Settings
  /** Set while the manager that serves Redfish reboots. */
  outage: Outage | undefined
  /** Firmware components that differ from how the machine left the factory, by Id. */
  readonly components: Map<string, ComponentState>
  /** Top-level members that replace those of the machine's resources, by URI. */
  readonly overlays: Map<string, JsonObject>
  readonly sessions: Map<string, Session>
  readonly tasks: Map<string, Task>
  readonly log: Map<string, LogEntry>
}

export interface Settings {
  readonly updateServiceEnabled: boolean
  readonly sessionServiceEnabled: boolean
  /** Seconds without a request after which a session ends. */
  readonly sessionTimeoutS: number
  /** Minutes that a finished task is kept. */
  readonly taskAutoDeleteMinutes: number
}

/** `refuse`: connections are refused; `unavailable`: every answer is 503. */
export type Outage = 'refuse' | 'unavailable'

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
}

export interface Account {
  readonly username: string
  readonly salt: Uint8Array
  readonly hash: Uint8Array
  readonly privileges: ReadonlySet<Privilege>
}

export interface Session {
  readonly id: string
  readonly username: string
  readonly tokenHash: string
  readonly createdAt: number
  readonly origin: string
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
  /** What the monitor answers at the end (DSP2062: as the operation would have answered synchronously). */
  readonly finalStatus: number | undefined
}

/** The request that a task came from; `jsonBody` holds no secret. */
export interface Payload {
  readonly targetUri: string
  readonly httpHeaders: readonly string[]
  readonly jsonBody: string
}

export interface LogEntry {
  readonly id: string
  readonly created: number
  readonly message: Message
  /** The resource that the entry speaks of. */
  readonly origin: string
}

/** Keys with their new values; `undefined` removes. */
export type Entries<T> = readonly (readonly [key: string, value: T | undefined])[]

/** A change as data: everything that belongs together, seen by observers at once. */
export interface Change {
  readonly settings?: Partial<Settings>
  readonly outage?: Outage | undefined
  readonly components?: Entries<ComponentState>
  readonly overlays?: Entries<JsonObject>
  readonly sessions?: Entries<Session>
  readonly tasks?: Entries<Task>
  readonly log?: Entries<LogEntry>
}
