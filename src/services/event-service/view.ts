import type { Bmc } from '../../bmc/bmc.ts'
import type { Subscription } from '../../bmc/subscription.ts'
import { streamFilterProperties } from '../../events/filters.ts'
import { timestamp } from '../../lib/clock.ts'
import { registries } from '../../redfish/messages/message.ts'
import { type JsonObject, link, type Resource, resource } from '../../redfish/resource.ts'
import { resourceTypes } from '../../redfish/types.gen.ts'
import { uris } from '../../redfish/uris.ts'

/** EventService: what subscribers may ask for. */
export function serviceView({ state: { settings } }: Bmc): Resource {
  const target = (name: string): JsonObject => ({ target: uris.action(uris.eventService, name) })
  return {
    ...resource('EventService', uris.eventService, 'Event service'),
    ServiceEnabled: settings.eventServiceEnabled,
    Status: { State: settings.eventServiceEnabled ? 'Enabled' : 'Disabled', Health: 'OK' },
    DeliveryRetryAttempts: settings.deliveryRetryAttempts,
    DeliveryRetryIntervalSeconds: settings.deliveryRetryIntervalS,
    EventFormatTypes: ['Event'],
    RegistryPrefixes: registries.map(({ RegistryPrefix }) => RegistryPrefix),
    ResourceTypes: Object.keys(resourceTypes),
    Severities: ['OK', 'Warning', 'Critical'],
    ExcludeMessageId: true,
    ExcludeRegistryPrefix: true,
    OriginResourcesSupported: true,
    SubordinateResourcesSupported: true,
    IncludeOriginOfConditionSupported: true,
    ServerSentEventUri: uris.eventStream,
    SSEIncludeOriginOfConditionSupported: false,
    SSEFilterPropertiesSupported: {
      ...Object.fromEntries(streamFilterProperties.map((name) => [name, true])),
      MetricReportDefinition: false,
    },
    Subscriptions: link(uris.eventDestinations),
    Actions: {
      '#EventService.SubmitTestEvent': target('EventService.SubmitTestEvent'),
      '#EventService.TestEventSubscription': target('EventService.TestEventSubscription'),
    },
  }
}

/** An EventDestination, of a subscription or of an open stream. */
export function destinationView(subscription: Subscription): Resource {
  const { id, kind, destination, context, filter, suspended, heartbeatMinutes } = subscription
  const uri = uris.eventDestination(id)
  const target = (name: string): JsonObject => ({ target: uris.action(uri, name) })
  const origins = filter.originResources?.map(link)
  const isStream = kind === 'SSE'
  return {
    ...resource('EventDestination', uri, isStream ? `Event stream ${id}` : `Event subscription ${id}`),
    Destination: destination,
    Protocol: 'Redfish',
    SubscriptionType: kind,
    EventFormatType: 'Event',
    Context: context,
    RegistryPrefixes: filter.registryPrefixes,
    MessageIds: filter.messageIds,
    ExcludeRegistryPrefixes: filter.excludeRegistryPrefixes,
    ExcludeMessageIds: filter.excludeMessageIds,
    ResourceTypes: filter.resourceTypes,
    OriginResources: origins,
    'OriginResources@odata.count': origins?.length,
    SubordinateResources: filter.subordinateResources,
    Severities: filter.severities,
    EventTypes: filter.eventTypes,
    IncludeOriginOfCondition: subscription.includeOrigin,
    Status: {
      State: suspended === undefined ? 'Enabled' : 'Disabled',
      Health: suspended?.reason === undefined ? 'OK' : 'Warning',
      ...(suspended && { Conditions: conditions(suspended) }),
    },
    ...(!isStream && {
      DeliveryRetryPolicy: subscription.retryPolicy,
      VerifyCertificate: subscription.verifyCertificate,
      BackupDestinations: subscription.backupDestinations,
      // Written only: what a client sends to its own receiver is often a credential.
      HttpHeaders: [],
      SendHeartbeat: heartbeatMinutes !== undefined,
      HeartbeatIntervalMinutes: heartbeatMinutes,
      Actions: {
        '#EventDestination.SuspendSubscription': target('EventDestination.SuspendSubscription'),
        '#EventDestination.ResumeSubscription': target('EventDestination.ResumeSubscription'),
      },
    }),
  }
}

function conditions({ since, reason }: NonNullable<Subscription['suspended']>): JsonObject[] {
  if (reason === undefined) return []
  const { MessageId, Message, MessageArgs, MessageSeverity: Severity } = reason
  return [{ MessageId, Message, MessageArgs, Severity, Timestamp: timestamp(since) }]
}
