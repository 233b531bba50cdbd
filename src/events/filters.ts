import type { EventFilter } from '../bmc/subscription.ts'
import { fail, type Result, succeed } from '../lib/result.ts'
import { type Filter, fits } from '../redfish/query/filter.ts'
import { type EventRecord, eventTypeOf, messageKeyOf, registryOf } from './occurrence.ts'

/** Whether a subscriber wants to be told. */
export type Wish = (record: EventRecord) => boolean

/**
 * The filters of an EventDestination (v1_16): one of the wanted messages or a message of a wanted registry, none of the
 * unwanted, from a wanted type and place, of a wanted severity. Versions in message ids do not count.
 */
export function passes(filter: EventFilter, record: EventRecord): boolean {
  const { MessageId, MessageSeverity } = record.message
  const isListed = (messageIds: readonly string[], prefixes: readonly string[]): boolean =>
    messageIds.some((id) => messageKeyOf(id) === messageKeyOf(MessageId)) ||
    prefixes.includes(registryOf(MessageId))
  const {
    messageIds = [],
    registryPrefixes = [],
    excludeMessageIds = [],
    excludeRegistryPrefixes = [],
  } = filter
  const isWanted = messageIds.length + registryPrefixes.length === 0 || isListed(messageIds, registryPrefixes)
  return (
    isWanted &&
    !isListed(excludeMessageIds, excludeRegistryPrefixes) &&
    isIn(filter.resourceTypes, record.originType) &&
    isIn(filter.severities, MessageSeverity) &&
    // `Other` is what is told by its registry rather than by an EventType: everything is.
    (filter.eventTypes?.includes('Other') === true || isIn(filter.eventTypes, eventTypeOf(record))) &&
    isFrom(filter, record.origin)
  )
}

/** The properties that the `$filter` of a stream may speak of, as EventService.SSEFilterPropertiesSupported says. */
export const streamFilterProperties = [
  'EventFormatType',
  'MessageId',
  'OriginResource',
  'RegistryPrefix',
  'ResourceType',
  'SubordinateResources',
] as const

/** What the `$filter` of a stream asks; the problem is the first property that streams cannot be filtered by. */
export function streamWish(filter: Filter): Result<Wish, string> {
  const known: readonly string[] = streamFilterProperties
  const unknown = comparisons(filter)
    .flatMap((one) => properties(one))
    .find((name) => !known.includes(name))
  if (unknown !== undefined) return fail(unknown)
  const withSubordinates = comparisons(filter).some(
    (one) => properties(one).includes('SubordinateResources') && literals(one).includes(true),
  )
  const plain = withoutVersions(filter)
  return succeed(({ message, origin, originType }) =>
    fits(plain, {
      EventFormatType: 'Event',
      MessageId: messageKeyOf(message.MessageId),
      RegistryPrefix: registryOf(message.MessageId),
      ResourceType: originType,
      OriginResource: withSubordinates ? [origin, ...ancestors(origin)] : origin,
      SubordinateResources: withSubordinates,
    }),
  )
}

type Comparison = Extract<Filter, { kind: 'compare' }>

function comparisons(filter: Filter): Comparison[] {
  switch (filter.kind) {
    case 'compare':
      return [filter]
    case 'not':
      return comparisons(filter.term)
    case 'and':
    case 'or':
      return filter.terms.flatMap((term) => comparisons(term))
  }
}

function properties({ left, right }: Comparison): string[] {
  return [left, right].flatMap((one) => (one.kind === 'property' ? [one.path.join('/')] : []))
}

function literals({ left, right }: Comparison): unknown[] {
  return [left, right].flatMap((one) => (one.kind === 'literal' ? [one.value] : []))
}

/** The filter with every message id in it reduced to registry and key, and no slash at the end of a resource. */
function withoutVersions(filter: Filter): Filter {
  switch (filter.kind) {
    case 'not':
      return { kind: 'not', term: withoutVersions(filter.term) }
    case 'and':
    case 'or':
      return { kind: filter.kind, terms: filter.terms.map((term) => withoutVersions(term)) }
    case 'compare': {
      const names = properties(filter)
      const plain = (one: Comparison['left']): Comparison['left'] =>
        one.kind === 'literal' && typeof one.value === 'string' ? { ...one, value: reduced(one.value) } : one
      const reduced = (text: string): string =>
        names.includes('MessageId')
          ? messageKeyOf(text)
          : names.includes('OriginResource')
            ? withoutSlash(text)
            : text
      return { ...filter, left: plain(filter.left), right: plain(filter.right) }
    }
  }
}

function isIn(wanted: readonly string[] | undefined, value: string | undefined): boolean {
  return wanted === undefined || wanted.length === 0 || (value !== undefined && wanted.includes(value))
}

/** Subordinate is what lies below by its URI; what is only linked is not. */
function isFrom(
  { originResources = [], subordinateResources = false }: EventFilter,
  origin: string,
): boolean {
  if (originResources.length === 0) return true
  return originResources
    .map(withoutSlash)
    .some((one) => origin === one || (subordinateResources && origin.startsWith(`${one}/`)))
}

function ancestors(uri: string): string[] {
  const segments = uri.split('/')
  return segments.slice(1, -1).map((_, index) => segments.slice(0, index + 2).join('/'))
}

function withoutSlash(uri: string): string {
  return uri.replace(/\/+$/, '')
}
