import type { Message, Severity } from '../redfish/messages/message.ts'

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
