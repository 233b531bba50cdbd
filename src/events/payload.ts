import { timestamp } from '../lib/clock.ts'
import { type JsonObject, link, odataType, type Resource } from '../redfish/resource.ts'
import { type Batch, type EventRecord, eventTypeOf } from './occurrence.ts'

export interface PayloadOptions {
  readonly context: string | null
  /** Shows the resource at a URI where a subscriber wants it within the event. */
  readonly show?: (uri: string) => Resource | undefined
}

/** The Event (v1_13) of a batch, as far as its reader wants to be told of it. */
export function eventPayload(
  { id, at, records }: Batch,
  wanted: readonly EventRecord[],
  { context, show }: PayloadOptions,
): JsonObject {
  return {
    '@odata.type': odataType('Event'),
    Id: id,
    Name: 'Event',
    Context: context ?? undefined,
    'Events@odata.count': wanted.length,
    Events: wanted.map((record, index) => {
      const { message, origin, isGone, group = 0, actor, told } = record
      const resource = show === undefined || isGone === true ? undefined : show(origin)
      return {
        MemberId: String(index),
        EventType: eventTypeOf(record),
        EventId: told?.eventId ?? `${id}-${records.indexOf(record)}`,
        EventTimestamp: told?.timestamp ?? timestamp(at),
        EventGroupId: group,
        MessageId: message.MessageId,
        Message: message.Message,
        MessageArgs: message.MessageArgs,
        MessageSeverity: message.MessageSeverity,
        // Deprecated (Event v1.5), and what older listeners read.
        Severity: message.MessageSeverity,
        Resolution: message.Resolution,
        Username: actor?.username,
        OriginAddress: actor?.address,
        OriginOfCondition: resource ?? link(origin),
        OriginOfConditionUnavailable: isGone === true ? true : undefined,
      }
    }),
  }
}
