import type { EventDelivery, EventSink } from '../../src/events/event-sink.ts'
import type { JsonObject } from '../../src/redfish/resource.ts'
import { uris } from '../../src/redfish/uris.ts'
import { basic, type TestEmulator } from './emulator.ts'

/** A record of an Event, as far as tests look at it. */
export interface ToldRecord {
  readonly MemberId: string
  readonly EventType: string
  readonly EventId: string
  readonly EventGroupId: number
  readonly EventTimestamp: string
  readonly MessageId: string
  readonly MessageArgs: readonly string[]
  readonly MessageSeverity: string
  readonly OriginOfCondition: { readonly '@odata.id': string } & JsonObject
  readonly OriginOfConditionUnavailable?: boolean
}

export interface ToldEvent {
  readonly Id: string
  readonly Context?: string
  readonly Events: readonly ToldRecord[]
}

export const RECEIVER = 'http://127.0.0.1:9/events'

/** A sink that keeps what it is given; `takes` decides about each attempt. */
export function recordingSink(takes: (delivery: EventDelivery) => boolean | Promise<boolean> = () => true) {
  const deliveries: EventDelivery[] = []
  const sink: EventSink = {
    deliver: async (delivery) => {
      deliveries.push(delivery)
      return Promise.race([takes(delivery), aborted(delivery.signal)])
    },
    close: async () => {},
  }
  return {
    sink,
    deliveries,
    events: () => deliveries.map(({ body }) => JSON.parse(body) as ToldEvent),
    records: () => deliveries.flatMap(({ body }) => (JSON.parse(body) as ToldEvent).Events),
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    const stop = (): void => reject(signal.reason as Error)
    if (signal.aborted) stop()
    signal.addEventListener('abort', stop, { once: true })
  })
}

/** `TaskEvent.TaskStarted Tasks/1`: registry, key and the end of the origin. */
export function told({ MessageId, OriginOfCondition }: ToldRecord): string {
  const origin = OriginOfCondition['@odata.id'].split('/').slice(-2).join('/')
  return `${MessageId.replace(/\.\d+\.\d+\./, '.')} ${origin}`
}

/** Subscribes a receiver that may be reached: the URI of its EventDestination. */
export async function subscribe(
  { send }: Pick<TestEmulator, 'send'>,
  members: JsonObject = {},
): Promise<string> {
  const body = { Destination: RECEIVER, Protocol: 'Redfish', ...members }
  const { status, headers, text } = await send(uris.eventDestinations, { method: 'POST', body })
  if (status !== 201) throw new Error(`not subscribed: ${text}`)
  return String(headers['location'])
}

export const TEST_EVENT = uris.action(uris.eventService, 'EventService.SubmitTestEvent')

/** An administrator's request to an emulator on the wire; its answer has been read. */
export async function requestBy(
  { url }: { readonly url: string },
  method: string,
  path: string,
  body?: JsonObject,
) {
  const answer = await fetch(url + path, {
    method,
    headers: { authorization: basic('admin'), ...(body && { 'content-type': 'application/json' }) },
    ...(body && { body: JSON.stringify(body) }),
  })
  await answer.arrayBuffer()
  return answer
}

/** Lets the service tell of `Test.<name>`. */
export function submitTest(wire: { readonly url: string }, name: string): Promise<Response> {
  return requestBy(wire, 'POST', TEST_EVENT, { MessageId: `Test.1.0.${name}` })
}
