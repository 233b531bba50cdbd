import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { EventFilter } from '../../src/bmc/subscription.ts'
import { passes, streamWish } from '../../src/events/filters.ts'
import { type EventRecord, messageKeyOf } from '../../src/events/occurrence.ts'
import { message } from '../../src/redfish/messages/message.ts'
import { parseFilter } from '../../src/redfish/query/filter.ts'
import { uris } from '../../src/redfish/uris.ts'

const changed: EventRecord = {
  message: message('ResourceEvent.ResourceChanged'),
  origin: uris.firmware('NIC-1'),
  originType: 'SoftwareInventory',
}
const aborted: EventRecord = {
  message: message('TaskEvent.TaskAborted', '7'),
  origin: uris.task('7'),
  originType: 'Task',
}
const heartbeat: EventRecord = {
  message: message('HeartbeatEvent.RedfishServiceFunctional'),
  origin: uris.root,
  originType: undefined,
}

describe('a subscription', () => {
  test.each<[string, EventFilter, boolean, boolean, boolean]>([
    ['without filters is told everything', {}, true, true, true],
    ['with empty filters is told everything', { messageIds: [], registryPrefixes: [] }, true, true, true],
    ['names a registry', { registryPrefixes: ['TaskEvent'] }, false, true, false],
    ['names a message', { messageIds: ['ResourceEvent.ResourceChanged'] }, true, false, false],
    [
      'names it in a version of its own',
      { messageIds: ['ResourceEvent.1.0.ResourceChanged'] },
      true,
      false,
      false,
    ],
    [
      'names it in three numbers',
      { messageIds: ['ResourceEvent.1.0.3.ResourceChanged'] },
      true,
      false,
      false,
    ],
    [
      'names a message or a registry',
      { messageIds: ['ResourceEvent.1.0.ResourceChanged'], registryPrefixes: ['TaskEvent'] },
      true,
      true,
      false,
    ],
    ['excludes a registry', { excludeRegistryPrefixes: ['TaskEvent'] }, true, false, true],
    ['excludes a message', { excludeMessageIds: ['TaskEvent.1.0.TaskAborted'] }, true, false, true],
    [
      'excludes what it names',
      { registryPrefixes: ['TaskEvent'], excludeMessageIds: ['TaskEvent.TaskAborted'] },
      false,
      false,
      false,
    ],
    ['names types', { resourceTypes: ['Task', 'Job'] }, false, true, false],
    ['names severities', { severities: ['Critical'] }, false, true, false],
    ['names an origin', { originResources: [uris.task('7')] }, false, true, false],
    ['names an origin with a slash', { originResources: [`${uris.task('7')}/`] }, false, true, false],
    ['names what is above, without what is below', { originResources: [uris.tasks] }, false, false, false],
    [
      'names what is above, with what is below',
      { originResources: [uris.tasks], subordinateResources: true },
      false,
      true,
      false,
    ],
    [
      'names what is above with a slash, with what is below',
      { originResources: [uris.task('')], subordinateResources: true },
      false,
      true,
      false,
    ],
    ['asks for an old type of event', { eventTypes: ['ResourceUpdated'] }, true, false, false],
    ['asks for alerts', { eventTypes: ['Alert'] }, false, true, true],
    ['asks for what has no old type', { eventTypes: ['Other'] }, true, true, true],
  ])('that %s', (_what, filter, ...expected) => {
    expect([changed, aborted, heartbeat].map((record) => passes(filter, record))).toEqual(expected)
  })

  test('to /Tasks/1 is not told of /Tasks/10', () => {
    const filter = { originResources: [uris.task('1')], subordinateResources: true }
    expect(passes(filter, { ...aborted, origin: uris.task('10') })).toBe(false)
    expect(passes(filter, { ...aborted, origin: `${uris.task('1')}/Steps` })).toBe(true)
  })

  const names = fc.constantFrom('TaskEvent', 'ResourceEvent', 'HeartbeatEvent', 'Update')
  const ids = fc.constantFrom(
    'TaskEvent.TaskAborted',
    'ResourceEvent.1.4.ResourceChanged',
    'Update.1.3.0.None',
  )
  const filters: fc.Arbitrary<EventFilter> = fc.record({
    registryPrefixes: fc.array(names),
    messageIds: fc.array(ids),
    excludeRegistryPrefixes: fc.array(names),
    excludeMessageIds: fc.array(ids),
    severities: fc.array(fc.constantFrom('OK' as const, 'Warning' as const, 'Critical' as const)),
  })
  const records = fc.constantFrom(changed, aborted, heartbeat)

  test('is told nothing more when it excludes more, and nothing that it excludes', () => {
    fc.assert(
      fc.property(filters, records, names, (filter, record, name) => {
        const excluding = {
          ...filter,
          excludeRegistryPrefixes: [...(filter.excludeRegistryPrefixes ?? []), name],
        }
        expect(passes(excluding, record)).toBe(
          passes(filter, record) && !record.message.MessageId.startsWith(`${name}.`),
        )
      }),
    )
  })

  test('is told nothing less when a wanted list that is not empty grows', () => {
    fc.assert(
      fc.property(filters, records, names, ids, (filter, record, name, id) => {
        const { registryPrefixes = [], messageIds = [] } = filter
        fc.pre(registryPrefixes.length + messageIds.length > 0)
        const wider = {
          ...filter,
          registryPrefixes: [...registryPrefixes, name],
          messageIds: [...messageIds, id],
        }
        expect(passes(wider, record) || !passes(filter, record)).toBe(true)
      }),
    )
  })
})

test.each([
  ['TaskEvent.1.0.TaskAborted', 'TaskEvent.TaskAborted'],
  ['TaskEvent.1.0.5.TaskAborted', 'TaskEvent.TaskAborted'],
  ['TaskEvent.TaskAborted', 'TaskEvent.TaskAborted'],
  ['Contoso.1.0.Key.With.Dots', 'Contoso.Key.With.Dots'],
])('the key of %s is %s', (id, key) => {
  expect(messageKeyOf(id)).toBe(key)
})

describe('the $filter of a stream', () => {
  const tells = (expression: string): boolean[] => {
    const filter = parseFilter(expression)
    const wish = filter && streamWish(filter)
    if (wish?.ok !== true) throw new Error(`no filter: ${expression}`)
    return [changed, aborted, heartbeat].map(wish.value)
  }

  test.each<[string, boolean, boolean, boolean]>([
    ["RegistryPrefix eq 'TaskEvent'", false, true, false],
    ["RegistryPrefix ne 'TaskEvent'", true, false, true],
    ["MessageId eq 'TaskEvent.1.0.TaskAborted'", false, true, false],
    ["MessageId eq 'TaskEvent.TaskAborted' or ResourceType eq 'SoftwareInventory'", true, true, false],
    ["not (RegistryPrefix eq 'TaskEvent' or RegistryPrefix eq 'ResourceEvent')", false, false, true],
    [`OriginResource eq '${uris.task('7')}'`, false, true, false],
    [`OriginResource eq '${uris.task('7')}/'`, false, true, false],
    [`OriginResource eq '${uris.tasks}'`, false, false, false],
    [`OriginResource eq '${uris.tasks}' and SubordinateResources eq true`, false, true, false],
    [`OriginResource eq '${uris.tasks}' and SubordinateResources eq false`, false, false, false],
    ["EventFormatType eq 'Event'", true, true, true],
    ["EventFormatType eq 'MetricReport'", false, false, false],
  ])('%s', (expression, ...expected) => {
    expect(tells(expression)).toEqual(expected)
  })

  test.each([
    "MetricReportDefinition eq 'x'",
    "Severity eq 'OK'",
    "RegistryPrefix eq 'a' or not (Id eq '1')",
  ])('is refused where it is %s', (expression) => {
    const filter = parseFilter(expression)
    expect(filter && streamWish(filter)).toMatchObject({ ok: false })
  })
})
