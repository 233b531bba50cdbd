import type { Occurrence } from '../../events/occurrence.ts'
import { type Static, Type } from '../../lib/schema.ts'
import { describeMessage } from '../../redfish/messages/message.ts'
import { uris } from '../../redfish/uris.ts'

const closed = { additionalProperties: false }
const DURATION = /^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$/
const Health = Type.Unsafe<'OK' | 'Warning' | 'Critical'>({ enum: ['OK', 'Warning', 'Critical'] })
const MAX_TEXT = 4_096
const Text = Type.String({ maxLength: MAX_TEXT })

export const NoParameters = Type.Object({}, closed)

/** SubmitTestEvent (EventService v1_12): an event as the client wants it to be. */
export const TestEvent = Type.Object(
  {
    MessageId: Type.String({ pattern: String.raw`^\w+\.\d+\.\d+\.\w+$`, maxLength: MAX_TEXT }),
    Message: Type.Optional(Text),
    MessageArgs: Type.Optional(
      Type.Unsafe<readonly string[]>({
        type: 'array',
        items: { type: 'string', maxLength: MAX_TEXT },
        maxItems: 20,
      }),
    ),
    MessageSeverity: Type.Optional(Health),
    Severity: Type.Optional(Health),
    EventId: Type.Optional(Text),
    EventGroupId: Type.Optional(Type.Integer({ minimum: 0 })),
    EventTimestamp: Type.Optional(Type.String({ format: 'date-time' })),
    EventType: Type.Optional(
      Type.Unsafe<string>({
        enum: ['StatusChange', 'ResourceUpdated', 'ResourceAdded', 'ResourceRemoved', 'Alert', 'Other'],
      }),
    ),
    OriginOfCondition: Type.Optional(Type.String({ format: 'uri-reference', maxLength: MAX_TEXT })),
  },
  closed,
)

/** The event that a client submits; what it leaves out is as the registry says. */
export function testOccurrence(body: unknown): Occurrence {
  const event = body as Static<typeof TestEvent> // judged by the action's parameters
  const severity = event.MessageSeverity ?? event.Severity
  const described = describeMessage(event.MessageId, event.MessageArgs ?? [])
  return {
    message: {
      ...described,
      ...(event.Message !== undefined && { Message: event.Message }),
      ...(severity !== undefined && { MessageSeverity: severity }),
    },
    origin: event.OriginOfCondition ?? uris.eventService,
    group: event.EventGroupId,
    told: {
      ...(event.EventId !== undefined && { eventId: event.EventId }),
      ...(event.EventTimestamp !== undefined && { timestamp: event.EventTimestamp }),
      ...(event.EventType !== undefined && { eventType: event.EventType }),
    },
  }
}

export const ResumeParameters = Type.Object(
  { DeliverBufferedEventDuration: Type.Optional(Type.String({ pattern: DURATION.source })) },
  closed,
)

/** How old an event may be that is delivered late; `undefined` for any age. */
export function resumeAge(body: unknown): number | undefined {
  const { DeliverBufferedEventDuration: duration } = body as Static<typeof ResumeParameters> // judged, too
  if (duration === undefined) return undefined
  const [, days = 0, hours = 0, minutes = 0, seconds = 0] = DURATION.exec(duration) ?? []
  return (((Number(days) * 24 + Number(hours)) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1_000
}
