import type { Actor } from '../bmc/actor.ts'
import type { Message } from '../redfish/messages/message.ts'

/** One thing that happened, before anybody's filter has looked at it. */
export interface Occurrence {
  readonly message: Message
  /** The resource that it happened to. */
  readonly origin: string
  /** Whether the origin is gone by it. */
  readonly isGone?: boolean
  /** The same for everything that one cause brought about; 0 where nothing belongs together. */
  readonly group?: number | undefined
  /** Who caused it, where that is known. */
  readonly actor?: Actor | undefined
  /** What a test event says of itself in place of what we would say. */
  readonly told?: { readonly eventId?: string; readonly timestamp?: string; readonly eventType?: string }
}

export interface EventRecord extends Occurrence {
  /** The origin's resource type without its version; `undefined` where nobody knows. */
  readonly originType: string | undefined
}

/** What one commit brought about: the payload of one event, where a filter leaves anything of it. */
export interface Batch {
  readonly id: string
  readonly at: number
  readonly records: readonly EventRecord[]
}

/** Registry and key of a message, without the version: what subscribers are asked to compare by. */
export function messageKeyOf(messageId: string): string {
  return messageId.replace(/^(\w+)\.\d+\.\d+(?:\.\d+)?\./, '$1.')
}

export function registryOf(messageId: string): string {
  return messageId.split('.', 1)[0] ?? ''
}

/** EventType is deprecated (Event v1.3) and still required: what old subscribers understand of a message. */
export function eventTypeOf({ message, told }: Occurrence): string {
  if (told?.eventType !== undefined) return told.eventType
  const key = messageKeyOf(message.MessageId)
  if (!key.startsWith('ResourceEvent.Resource')) return 'Alert'
  switch (key) {
    case 'ResourceEvent.ResourceCreated':
      return 'ResourceAdded'
    case 'ResourceEvent.ResourceRemoved':
      return 'ResourceRemoved'
    case 'ResourceEvent.ResourceChanged':
      return 'ResourceUpdated'
    default:
      return 'StatusChange'
  }
}
