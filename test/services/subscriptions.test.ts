import { describe, expect, test } from 'vitest'
import { MAX_SUBSCRIPTIONS } from '../../src/events/events.ts'
import type { JsonObject } from '../../src/redfish/resource.ts'
import { uris } from '../../src/redfish/uris.ts'
import { startEmulator, type TestOptions } from '../support/emulator.ts'
import { RECEIVER, recordingSink, subscribe, told } from '../support/events.ts'
import { bundleOf } from '../support/images.ts'
import { messageKeys, push } from '../support/multipart.ts'
import { validateBody, validateError } from '../support/schemas.ts'
import { LONG_MS } from '../support/updates.ts'

const PRIVATE = 'https://192.168.1.50/Destination1'
const image = await bundleOf({ 'NIC-1': '22.42.1' }, { sizeBytes: 8 * 2 ** 20 })

/** An emulator whose events are kept by the test. */
async function startTold(options: TestOptions = {}, takes?: Parameters<typeof recordingSink>[0]) {
  const recorder = recordingSink(takes)
  const emulator = await startEmulator({ ...options, eventSink: recorder.sink })
  return { ...emulator, recorder }
}

describe('a subscription', () => {
  test('is created, shown in full without its headers, and gone when it is deleted', async () => {
    const { send, get } = await startTold()
    const created = await send(uris.eventDestinations, {
      method: 'POST',
      body: {
        Destination: RECEIVER,
        Protocol: 'Redfish',
        Context: 'mine',
        HttpHeaders: [{ Authorization: 'Bearer planted-secret' }],
      },
    })
    const uri = uris.eventDestination('1')
    expect(created).toMatchObject({ status: 201, headers: { location: uri } })
    expect(validateBody(created.json)).toEqual([])
    expect(await get(uri)).toMatchObject({
      Destination: RECEIVER,
      Protocol: 'Redfish',
      SubscriptionType: 'RedfishEvent',
      Context: 'mine',
      DeliveryRetryPolicy: 'TerminateAfterRetries',
      HttpHeaders: [],
      Status: { State: 'Enabled', Health: 'OK' },
    })
    expect(created.text + JSON.stringify(await get(uri))).not.toContain('planted-secret')
    expect(await get(uris.eventDestinations)).toMatchObject({ Members: [{ '@odata.id': uri }] })
    expect((await send(uri, { method: 'DELETE' })).status).toBe(204)
    expect((await send(uri)).status).toBe(404)
  })

  test.each<[string, JsonObject, string, string]>([
    ['no destination', { Destination: undefined }, 'PropertyMissing', '/Destination'],
    ['no protocol', { Protocol: undefined }, 'PropertyMissing', '/Protocol'],
    ['FTP', { Protocol: 'FTP' }, 'PropertyValueNotInList', '/Protocol'],
    [
      'a protocol of the schema that we do not speak',
      { Protocol: 'SMTP' },
      'PropertyValueNotInList',
      '/Protocol',
    ],
    ['a destination that is no URL', { Destination: 'nowhere' }, 'PropertyValueFormatError', '/Destination'],
    ['a destination by FTP', { Destination: 'ftp://a/' }, 'PropertyValueFormatError', '/Destination'],
    ['credentials in a URL', { Destination: 'http://u:planted@a/' }, 'PropertyValueError', '/Destination'],
    ['a stream', { SubscriptionType: 'SSE' }, 'PropertyValueNotInList', '/SubscriptionType'],
    ['metric reports', { EventFormatType: 'MetricReport' }, 'PropertyValueNotInList', '/EventFormatType'],
    [
      'an unknown registry',
      { RegistryPrefixes: ['Nobody'] },
      'PropertyValueNotInList',
      '/RegistryPrefixes/0',
    ],
    ['no message id', { MessageIds: ['what?'] }, 'PropertyValueFormatError', '/MessageIds/0'],
    ['a text for a list', { MessageIds: 'A.B' }, 'PropertyValueTypeError', '/MessageIds'],
    ['an unknown severity', { Severities: ['Bad'] }, 'PropertyValueNotInList', '/Severities/0'],
    ['an unknown policy', { DeliveryRetryPolicy: 'Never' }, 'PropertyValueNotInList', '/DeliveryRetryPolicy'],
    ['an unknown property', { Colour: 'blue' }, 'PropertyUnknown', '/Colour'],
    [
      'an origin that is not there',
      { OriginResources: [{ '@odata.id': uris.task('9') }] },
      'ResourceMissingAtURI',
      '/OriginResources/0',
    ],
    ['headers that are none', { HttpHeaders: [{ 'a b': 'planted' }] }, 'PropertyValueError', '/HttpHeaders'],
    [
      'a header of two lines',
      { HttpHeaders: [{ A: 'planted\r\nB: 1' }] },
      'PropertyValueError',
      '/HttpHeaders',
    ],
    ['a header of HTTP itself', { HttpHeaders: [{ Host: 'planted' }] }, 'PropertyValueError', '/HttpHeaders'],
    ['a header that is no text', { HttpHeaders: [{ A: ['planted'] }] }, 'PropertyValueError', '/HttpHeaders'],
    ['headers that are no list', { HttpHeaders: { A: 'planted' } }, 'PropertyValueError', '/HttpHeaders'],
    ['a wrong backup', { BackupDestinations: ['x'] }, 'PropertyValueFormatError', '/BackupDestinations/0'],
    ['no heartbeat', { HeartbeatIntervalMinutes: 0 }, 'PropertyValueOutOfRange', '/HeartbeatIntervalMinutes'],
  ])('with %s is refused, and nothing is created', async (_what, members, key, pointer) => {
    const { send, bmc } = await startTold()
    const body = { Destination: RECEIVER, Protocol: 'Redfish', ...members }
    const { status, json, text } = await send(uris.eventDestinations, { method: 'POST', body })
    expect(status).toBe(400)
    expect(validateError(json)).toEqual([])
    expect(messageKeys(json)).toEqual([key])
    expect(text).toContain(`"RelatedProperties":["${pointer}"]`)
    expect(text).not.toContain('planted')
    expect(bmc.state.subscriptions.size).toBe(0)
  })

  test('is told of all its mistakes at once, and refused without a body', async () => {
    const { send } = await startTold()
    const wrong = { Destination: 'x', Protocol: 'FTP', Colour: 1 }
    const { json } = await send(uris.eventDestinations, { method: 'POST', body: wrong })
    expect(messageKeys(json).toSorted()).toEqual(['PropertyUnknown', 'PropertyValueNotInList'])
    const none = await send(uris.eventDestinations, { method: 'POST' })
    expect([none.status, messageKeys(none.json)]).toEqual([400, ['UnrecognizedRequestBody']])
  })

  test('to where events may not be sent is accepted, suspended with a reason, and never contacted', async () => {
    const { send, get, clock, recorder } = await startTold()
    const uri = await subscribe({ send }, { Destination: PRIVATE, BackupDestinations: [PRIVATE] })
    expect(await get(uri)).toMatchObject({
      Status: {
        State: 'Disabled',
        Conditions: [{ MessageId: expect.stringMatching(/^Base\..*AccessDenied$/) }],
      },
    })
    const resumed = await send(uris.action(uri, 'EventDestination.ResumeSubscription'), {
      method: 'POST',
      body: {},
    })
    expect([resumed.status, messageKeys(resumed.json)]).toEqual([409, ['AccessDenied']])
    await push({ send }, image)
    await clock.advance(LONG_MS)
    expect(recorder.deliveries).toEqual([])
  })

  test('may change its context, policy, headers and what it trusts, and nothing else', async () => {
    const { send, recorder, clock } = await startTold()
    const uri = await subscribe({ send }, { Context: 'old' })
    const body = {
      Context: 'new',
      DeliveryRetryPolicy: 'RetryForever',
      VerifyCertificate: true,
      HttpHeaders: [{ 'X-Key': 'planted' }],
    }
    const changed = await send(uri, { method: 'PATCH', body })
    expect(changed).toMatchObject({ status: 200, json: { ...body, HttpHeaders: [] } })
    expect(changed.text).not.toContain('planted')
    const refused = await send(uri, { method: 'PATCH', body: { Destination: PRIVATE } })
    expect([refused.status, messageKeys(refused.json)]).toEqual([400, ['PropertyNotWritable']])
    const wrong = await send(uri, { method: 'PATCH', body: { HttpHeaders: [{ 'a b': 'planted' }] } })
    expect([wrong.status, wrong.text.includes('planted')]).toEqual([400, false])
    await clock.advance(1)
    expect(recorder.deliveries.at(-1)).toMatchObject({
      headers: { 'X-Key': 'planted' },
      verifyCertificate: true,
    })
    expect(recorder.events().at(-1)).toMatchObject({ Context: 'new' })
  })

  test('beyond the limit is refused, at the limit it is not', async () => {
    const { send } = await startTold()
    for (let n = 0; n < MAX_SUBSCRIPTIONS; n++) await subscribe({ send })
    const body = { Destination: RECEIVER, Protocol: 'Redfish' }
    const { status, json } = await send(uris.eventDestinations, { method: 'POST', body })
    expect([status, messageKeys(json)]).toEqual([503, ['EventSubscriptionLimitExceeded']])
    await send(uris.eventDestination('1'), { method: 'DELETE' })
    await subscribe({ send })
  })

  test('belongs to who made it: others need ConfigureManager', async () => {
    const { send } = await startTold()
    const uri = await subscribe({ send })
    expect((await send(uri, { method: 'DELETE', user: 'reader' })).status).toBe(403)
    const patch = { method: 'PATCH', body: { Context: 'x' }, user: 'reader' } as const
    expect((await send(uri, patch)).status).toBe(403)
    expect((await send(uri, { method: 'DELETE' })).status).toBe(204)
  })

  test('is not to be had while the service is disabled, and nobody is told anything', async () => {
    const { send, clock, recorder } = await startTold()
    await subscribe({ send })
    await send(uris.eventService, { method: 'PATCH', body: { ServiceEnabled: false } })
    const body = { Destination: RECEIVER, Protocol: 'Redfish' }
    const refused = await send(uris.eventDestinations, { method: 'POST', body })
    expect([refused.status, messageKeys(refused.json)]).toEqual([503, ['ServiceDisabled']])
    expect((await send(uris.eventStream)).status).toBe(503)
    await send(uris.taskService, { method: 'PATCH', body: { TaskAutoDeleteTimeoutMinutes: 5 } })
    await clock.advance(1)
    expect(recorder.deliveries).toEqual([])
    await send(uris.eventService, { method: 'PATCH', body: { ServiceEnabled: true } })
    await clock.advance(1)
    expect(recorder.records().map(told)).toContain('ResourceEvent.ResourceChanged v1/EventService')
  })
})

describe('a receiver that takes nothing', () => {
  const trigger = { method: 'POST', body: {} } as const
  const test1 = uris.action(uris.eventService, 'EventService.TestEventSubscription')
  /** The first attempt and three more, half a minute apart, take this long. */
  const ATTEMPTS_MS = 90_000

  test('loses its subscription after the attempts that the service makes, and not before', async () => {
    const { send, clock, recorder } = await startTold({}, () => false)
    const uri = await subscribe({ send })
    await send(test1, trigger)
    await clock.advance(ATTEMPTS_MS - 1)
    expect([recorder.deliveries.length, (await send(uri)).status]).toEqual([3, 200])
    await clock.advance(1)
    expect([recorder.deliveries.length, (await send(uri)).status]).toEqual([4, 404])
  })

  test('is suspended where it asked for that, and told what waited when it resumes', async () => {
    let isDown = true
    const { send, get, clock, recorder } = await startTold({}, () => !isDown)
    const uri = await subscribe({ send }, { DeliveryRetryPolicy: 'SuspendRetries' })
    await send(test1, trigger)
    await clock.advance(ATTEMPTS_MS)
    expect(await get(uri)).toMatchObject({
      Status: {
        State: 'Disabled',
        Health: 'Warning',
        Conditions: [{ MessageId: expect.stringMatching(/CouldNotEstablishConnection$/) }],
      },
    })
    isDown = false
    const attempts = recorder.deliveries.length
    await clock.advance(LONG_MS)
    expect(recorder.deliveries).toHaveLength(attempts)
    const target = uris.action(uri, 'EventDestination.ResumeSubscription')
    expect((await send(target, { method: 'POST', body: {} })).status).toBe(204)
    await clock.advance(1)
    expect(recorder.records().slice(attempts).map(told)[0]).toBe('ResourceEvent.TestMessage v1/EventService')
    expect(await get(uri)).toMatchObject({ Status: { State: 'Enabled', Health: 'OK' } })
  })

  test('is tried for ever where it asked for that', async () => {
    const { send, clock, recorder } = await startTold({}, () => false)
    const uri = await subscribe({ send }, { DeliveryRetryPolicy: 'RetryForever' })
    await send(test1, trigger)
    await clock.advance(10 * ATTEMPTS_MS)
    expect([recorder.deliveries.length, (await send(uri)).status]).toEqual([31, 200])
  })

  test('gives way to its backups, in their order', async () => {
    const [first, second] = ['http://127.0.0.1:10/', 'http://127.0.0.1:11/']
    const { send, clock, recorder } = await startTold({}, ({ destination }) => destination === second)
    await subscribe({ send }, { BackupDestinations: [PRIVATE, first, second] })
    await send(test1, trigger)
    await clock.advance(1)
    expect(recorder.deliveries.map(({ destination }) => destination)).toEqual([RECEIVER, first, second])
  })
})

test('a suspended subscription is sent nothing, and later only what is not too old', async () => {
  const { send, get, clock, recorder } = await startTold()
  const uri = await subscribe({ send })
  const suspend = uris.action(uri, 'EventDestination.SuspendSubscription')
  expect((await send(suspend, { method: 'POST', body: {} })).status).toBe(204)
  await clock.advance(1)
  expect(await get(uri)).toMatchObject({ Status: { State: 'Disabled', Health: 'OK', Conditions: [] } })
  const submit = uris.action(uris.eventService, 'EventService.SubmitTestEvent')
  const event = (name: string) => send(submit, { method: 'POST', body: { MessageId: `Test.1.0.${name}` } })
  const before = recorder.records().length
  await event('Old')
  await clock.advance(60_000)
  await event('New')
  expect(recorder.records()).toHaveLength(before)
  const resume = uris.action(uri, 'EventDestination.ResumeSubscription')
  const wrong = await send(resume, { method: 'POST', body: { DeliverBufferedEventDuration: 'a while' } })
  expect([wrong.status, messageKeys(wrong.json)]).toEqual([400, ['ActionParameterValueFormatError']])
  await send(resume, { method: 'POST', body: { DeliverBufferedEventDuration: 'PT59S' } })
  await clock.advance(1)
  const heard = recorder.records().map(({ MessageId }) => MessageId)
  expect(heard).toContain('Test.1.0.New')
  expect(heard).not.toContain('Test.1.0.Old')
})

test('an idle BMC has nobody who listens to it', async () => {
  const { bmc, send, clock } = await startTold()
  // The journal, which listens to every BMC.
  const { size } = bmc.listeners
  const uri = await subscribe({ send })
  expect(bmc.listeners.size).toBe(size + 1)
  await send(uri, { method: 'DELETE' })
  // Kept for a while, for streams that come back.
  await clock.advance(599_000)
  expect(bmc.listeners.size).toBe(size + 1)
  await clock.advance(1_000)
  expect(bmc.listeners.size).toBe(size)
})

test.each([
  ['$filter=Nothing eq 1', 400],
  ["$filter=RegistryPrefix eq 'TaskEvent' and", 400],
  ['$top=1', 400],
  ['$unknown=1', 501],
])('a stream with %s is refused with %i', async (query, status) => {
  const { send, bmc } = await startTold()
  const { json, ...answer } = await send(`${uris.eventStream}?${encodeURI(query)}`)
  expect(answer.status).toBe(status)
  expect(validateError(json)).toEqual([])
  expect(bmc.state.subscriptions.size).toBe(0)
})

test('a stream needs a login, and takes no other method', async () => {
  const { send } = await startTold()
  expect((await send(uris.eventStream, { user: null })).status).toBe(401)
  expect(await send(uris.eventStream, { method: 'POST' })).toMatchObject({
    status: 405,
    headers: { allow: 'GET' },
  })
})
