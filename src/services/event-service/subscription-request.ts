import type { EventFilter } from '../../bmc/subscription.ts'
import type { SubscriptionWish } from '../../events/events.ts'
import { type Static, Type } from '../../lib/schema.ts'
import { RedfishError } from '../../redfish/errors.ts'
import { about, MESSAGE_ID, type Message, message, registries } from '../../redfish/messages/message.ts'
import { isObject, linkUris } from '../../redfish/resource.ts'
import type { Call } from '../../redfish/resource-table.ts'
import { referencePath } from '../../redfish/uris.ts'
import { judge, propertyMessages } from '../../redfish/validation.ts'

const closed = { additionalProperties: false }
const MAX_TEXT = 2_048
const MAX_ITEMS = 100
const Text = Type.String({ maxLength: MAX_TEXT })
const choice = <const T extends string>(...values: T[]) => Type.Unsafe<T>({ enum: values })
const list = (items: object) => Type.Unsafe<readonly string[]>({ type: 'array', items, maxItems: MAX_ITEMS })
const MessageId = { type: 'string', pattern: MESSAGE_ID }
const Registry = { enum: registries.map(({ RegistryPrefix }) => RegistryPrefix) }

export const RetryPolicy = choice(
  'TerminateAfterRetries',
  'SuspendRetries',
  'RetryForever',
  'RetryForeverWithBackoff',
)
export const Context = Type.Unsafe<string | null>({ type: ['string', 'null'], maxLength: MAX_TEXT })
export const BackupDestinations = list({ type: 'string', maxLength: MAX_TEXT })
/** Judged by `headersOf`: what is wrong with it must not be repeated, for it may be a credential. */
export const HttpHeaders = Type.Unsafe<unknown>({})

const SubscriptionBody = Type.Object(
  {
    Destination: Text,
    Protocol: choice('Redfish'),
    Name: Type.Optional(Text),
    Context: Type.Optional(Context),
    SubscriptionType: Type.Optional(choice('RedfishEvent')),
    EventFormatType: Type.Optional(choice('Event')),
    RegistryPrefixes: Type.Optional(list(Registry)),
    MessageIds: Type.Optional(list(MessageId)),
    ExcludeRegistryPrefixes: Type.Optional(list(Registry)),
    ExcludeMessageIds: Type.Optional(list(MessageId)),
    ResourceTypes: Type.Optional(list({ type: 'string', pattern: String.raw`^[A-Z]\w*$` })),
    OriginResources: Type.Optional(
      Type.Unsafe<readonly unknown[]>({
        type: 'array',
        maxItems: MAX_ITEMS,
        items: {
          type: 'object',
          required: ['@odata.id'],
          properties: { '@odata.id': { type: 'string', maxLength: MAX_TEXT } },
          additionalProperties: false,
        },
      }),
    ),
    SubordinateResources: Type.Optional(Type.Boolean()),
    Severities: Type.Optional(list({ enum: ['OK', 'Warning', 'Critical'] })),
    EventTypes: Type.Optional(
      list({
        enum: ['StatusChange', 'ResourceUpdated', 'ResourceAdded', 'ResourceRemoved', 'Alert', 'Other'],
      }),
    ),
    IncludeOriginOfCondition: Type.Optional(Type.Boolean()),
    DeliveryRetryPolicy: Type.Optional(RetryPolicy),
    VerifyCertificate: Type.Optional(Type.Boolean()),
    BackupDestinations: Type.Optional(BackupDestinations),
    HttpHeaders: Type.Optional(HttpHeaders),
    SendHeartbeat: Type.Optional(Type.Boolean()),
    HeartbeatIntervalMinutes: Type.Optional(Type.Integer({ minimum: 1, maximum: 65_535 })),
  },
  closed,
)

type Body = Static<typeof SubscriptionBody>
const judgeBody = judge(SubscriptionBody)
const DEFAULT_HEARTBEAT_MINUTES = 1

/** What a client asks for with its POST. Throws a RedfishError (400) with everything that is wrong. */
export function subscriptionWish(
  { body, principal }: Pick<Call<unknown>, 'body' | 'principal'>,
  mayWatch: (uri: string) => boolean,
): SubscriptionWish {
  if (!isObject(body)) throw new RedfishError(400, message('Base.UnrecognizedRequestBody'))
  const judged = judgeBody(
    Object.fromEntries(Object.entries(body).filter(([name]) => !/^[^@]*@odata\./.test(name))),
  )
  if (!judged.ok) throw new RedfishError(400, propertyMessages(judged.problem))
  const wish = judged.value
  const headers = headersOf(wish.HttpHeaders)
  const mistakes = [
    ...destinationMistakes(wish.Destination, 'Destination'),
    ...backupMistakes(wish.BackupDestinations),
    ...(headers === undefined ? [headerMistake()] : []),
    ...originMistakes(wish, mayWatch),
  ]
  if (headers === undefined || mistakes.length > 0) throw new RedfishError(400, mistakes)
  return {
    owner: principal?.username,
    destination: wish.Destination,
    backupDestinations: wish.BackupDestinations ?? [],
    context: wish.Context ?? null,
    filter: filterOf(wish),
    includeOrigin: wish.IncludeOriginOfCondition ?? false,
    retryPolicy: wish.DeliveryRetryPolicy ?? 'TerminateAfterRetries',
    verifyCertificate: wish.VerifyCertificate ?? false,
    httpHeaders: headers,
    heartbeatMinutes:
      wish.SendHeartbeat === true ? (wish.HeartbeatIntervalMinutes ?? DEFAULT_HEARTBEAT_MINUTES) : undefined,
  }
}

function filterOf(wish: Body): EventFilter {
  const severities = wish.Severities as EventFilter['severities'] // judged by its schema
  return {
    ...(wish.RegistryPrefixes && { registryPrefixes: wish.RegistryPrefixes }),
    ...(wish.MessageIds && { messageIds: wish.MessageIds }),
    ...(wish.ExcludeRegistryPrefixes && { excludeRegistryPrefixes: wish.ExcludeRegistryPrefixes }),
    ...(wish.ExcludeMessageIds && { excludeMessageIds: wish.ExcludeMessageIds }),
    ...(wish.ResourceTypes && { resourceTypes: wish.ResourceTypes }),
    ...(wish.OriginResources && { originResources: linkUris(wish.OriginResources).map(referencePath) }),
    ...(wish.SubordinateResources !== undefined && { subordinateResources: wish.SubordinateResources }),
    ...(severities && { severities }),
    ...(wish.EventTypes && { eventTypes: wish.EventTypes }),
  }
}

/** An HTTP URL without credentials: those belong in HttpHeaders, which nobody is shown. */
function destinationMistakes(destination: string, name: string): Message[] {
  const url = URL.canParse(destination) ? new URL(destination) : undefined
  const isRight =
    url !== undefined && /^https?:$/.test(url.protocol) && url.username === '' && url.password === ''
  if (isRight) return []
  const pointer = `/${name}`
  const isSecret = url !== undefined && url.username + url.password !== ''
  return [
    about(
      isSecret || destination.includes('@')
        ? message('Base.PropertyValueError', name)
        : message('Base.PropertyValueFormatError', destination.slice(0, 200), name),
      pointer,
    ),
  ]
}

/** What is wrong with BackupDestinations. */
export function backupMistakes(destinations: readonly string[] = []): Message[] {
  return destinations.flatMap((one, index) => destinationMistakes(one, `BackupDestinations/${index}`))
}

export function headerMistake(): Message {
  return about(message('Base.PropertyValueError', 'HttpHeaders'), '/HttpHeaders')
}

/** What HTTP itself says by these is not a subscriber's to choose. */
const ownHeaders = /^(host|content-.*|transfer-encoding|connection|keep-alive|te|trailer|upgrade|expect)$/i

/** HttpHeaders as a record; `undefined` when something is wrong with them. */
export function headersOf(value: unknown = []): Readonly<Record<string, string>> | undefined {
  if (!Array.isArray(value) || value.length > MAX_ITEMS) return undefined
  const items: readonly unknown[] = value
  const entries = items.flatMap((item): (readonly [string, unknown])[] =>
    isObject(item) ? Object.entries(item) : [['', item]],
  )
  const isRight = entries.every(
    ([name, text]) =>
      /^[\w!#$%&'*+.^`|~-]+$/.test(name) &&
      !ownHeaders.test(name) &&
      typeof text === 'string' &&
      /^[\t\x20-\x7E\x80-\xFF]{0,8192}$/.test(text),
  )
  return isRight ? Object.fromEntries(entries.map(([name, text]) => [name, String(text)])) : undefined
}

function originMistakes({ OriginResources = [] }: Body, mayWatch: (uri: string) => boolean): Message[] {
  return linkUris(OriginResources).flatMap((uri, index) =>
    mayWatch(referencePath(uri))
      ? []
      : [about(message('Base.ResourceMissingAtURI', uri), `/OriginResources/${index}`)],
  )
}
