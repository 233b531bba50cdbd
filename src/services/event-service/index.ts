import type { Bmc, BmcAction, Row } from '../../bmc/bmc.ts'
import { commit } from '../../bmc/commit.ts'
import type { Subscription } from '../../bmc/subscription.ts'
import type { Events } from '../../events/events.ts'
import type { Directory } from '../../events/directory.ts'
import { type Static, Type } from '../../lib/schema.ts'
import { RedfishError } from '../../redfish/errors.ts'
import { message } from '../../redfish/messages/message.ts'
import { collection } from '../../redfish/resource.ts'
import { type Answer, type Call } from '../../redfish/resource-table.ts'
import { uris } from '../../redfish/uris.ts'
import {
  BackupDestinations,
  backupMistakes,
  Context,
  headerMistake,
  headersOf,
  HttpHeaders,
  RetryPolicy,
  subscriptionWish,
} from './subscription-request.ts'
import { NoParameters, ResumeParameters, resumeAge, TestEvent, testOccurrence } from './test-event.ts'
import { destinationView, serviceView } from './view.ts'

const closed = { additionalProperties: false }
const ServicePatch = Type.Object(
  {
    ServiceEnabled: Type.Optional(Type.Boolean()),
    DeliveryRetryAttempts: Type.Optional(Type.Integer({ minimum: 0, maximum: 100 })),
    DeliveryRetryIntervalSeconds: Type.Optional(Type.Integer({ minimum: 1, maximum: 86_400 })),
  },
  closed,
)
const DestinationPatch = Type.Object(
  {
    Context: Type.Optional(Context),
    DeliveryRetryPolicy: Type.Optional(RetryPolicy),
    VerifyCertificate: Type.Optional(Type.Boolean()),
    BackupDestinations: Type.Optional(BackupDestinations),
    HttpHeaders: Type.Optional(HttpHeaders),
  },
  closed,
)

/** EventService: who is told of what happens, by POST or by an open stream. */
export function eventRows(events: Events, directory: Directory): Row[] {
  return [
    {
      path: uris.eventService,
      type: 'EventService',
      view: serviceView,
      patch: { schema: ServicePatch, apply: patchService },
      actions: {
        'EventService.SubmitTestEvent': action(TestEvent, ({ bmc, body }) =>
          events.submit(bmc, testOccurrence(body)),
        ),
        'EventService.TestEventSubscription': action(NoParameters, ({ bmc }) =>
          events.submit(bmc, { message: message('ResourceEvent.TestMessage'), origin: uris.eventService }),
        ),
      },
    },
    {
      path: uris.eventDestinations,
      type: 'EventDestinationCollection',
      view: ({ state }) =>
        collection(
          'EventDestinationCollection',
          uris.eventDestinations,
          'Event subscriptions',
          [...state.subscriptions.keys()].map(uris.eventDestination),
        ),
      post: (call) => subscribe(events, call, directory),
    },
    {
      path: uris.eventDestination(':id'),
      type: 'EventDestination',
      view: ({ state }, { id = '' }) => {
        const subscription = state.subscriptions.get(id)
        return subscription && destinationView(subscription)
      },
      owner: ({ state }, { id = '' }) => state.subscriptions.get(id)?.owner,
      patch: { schema: DestinationPatch, apply: (call) => patchDestination(events, call) },
      delete: (call) => {
        const { id } = subscriptionOf(call)
        events.remove(call.bmc, id)
        return { status: 204 }
      },
      actions: {
        'EventDestination.SuspendSubscription': {
          parameters: NoParameters,
          run: (call) => {
            events.suspend(call.bmc, subscriptionOf(call).id)
            return { status: 204 }
          },
        },
        'EventDestination.ResumeSubscription': {
          parameters: ResumeParameters,
          run: (call) => resume(events, call),
        },
      },
    },
  ]
}

function patchService({ bmc, body }: Call<Bmc>): void {
  const {
    ServiceEnabled,
    DeliveryRetryAttempts: attempts,
    DeliveryRetryIntervalSeconds: interval,
  } = body as Static<typeof ServicePatch>
  commit(bmc, {
    settings: {
      ...(ServiceEnabled !== undefined && { eventServiceEnabled: ServiceEnabled }),
      ...(attempts !== undefined && { deliveryRetryAttempts: attempts }),
      ...(interval !== undefined && { deliveryRetryIntervalS: interval }),
    },
  })
}

function subscribe(events: Events, call: Call<Bmc>, directory: Directory): Answer {
  requireService(call.bmc)
  const mayWatch = (uri: string): boolean =>
    directory.show(call.bmc, uri, call.principal?.username) !== undefined
  const wish = subscriptionWish(call, mayWatch)
  const subscribed = events.subscribe(call.bmc, wish)
  if (!subscribed.ok) throw tooMany()
  const { value } = subscribed
  return {
    status: 201,
    headers: { Location: uris.eventDestination(value.id) },
    body: destinationView(value),
  }
}

/** The limit of subscriptions, streams included. */
export function tooMany(): RedfishError {
  return new RedfishError(503, message('Base.EventSubscriptionLimitExceeded'))
}

/** Throws a RedfishError (503) while the service is disabled. */
export function requireService({ state }: Bmc): void {
  if (!state.settings.eventServiceEnabled) {
    throw new RedfishError(503, message('Base.ServiceDisabled', uris.eventService))
  }
}

function patchDestination(events: Events, call: Call<Bmc>): void {
  const { id } = subscriptionOf(call)
  const body = call.body as Static<typeof DestinationPatch>
  const headers = headersOf(body.HttpHeaders)
  const mistakes = [
    ...backupMistakes(body.BackupDestinations),
    ...(headers === undefined ? [headerMistake()] : []),
  ]
  if (headers === undefined || mistakes.length > 0) throw new RedfishError(400, mistakes)
  events.change(call.bmc, id, {
    ...(body.Context !== undefined && { context: body.Context }),
    ...(body.DeliveryRetryPolicy !== undefined && { retryPolicy: body.DeliveryRetryPolicy }),
    ...(body.VerifyCertificate !== undefined && { verifyCertificate: body.VerifyCertificate }),
    ...(body.BackupDestinations !== undefined && { backupDestinations: body.BackupDestinations }),
    ...(body.HttpHeaders !== undefined && { httpHeaders: headers }),
  })
}

function subscriptionOf({ bmc, params: { id = '' } }: Call<Bmc>): Subscription {
  const subscription = bmc.state.subscriptions.get(id)
  if (subscription === undefined)
    throw new RedfishError(404, message('Base.InvalidURI', uris.eventDestination(id)))
  return subscription
}

function resume(events: Events, call: Call<Bmc>): Answer {
  const { id, destination } = subscriptionOf(call)
  // What the configuration keeps from being contacted stays so, whoever asks.
  if (!events.mayReach(destination)) throw new RedfishError(409, message('Base.AccessDenied', destination))
  events.resume(call.bmc, id, resumeAge(call.body))
  return { status: 204 }
}

function action(parameters: BmcAction['parameters'], tell: (call: Call<Bmc>) => void): BmcAction {
  return {
    parameters,
    run: (call) => {
      requireService(call.bmc)
      tell(call)
      return { status: 204 }
    },
  }
}
