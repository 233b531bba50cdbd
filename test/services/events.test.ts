import { describe, expect, test } from 'vitest'
import { commit } from '../../src/bmc/commit.ts'
import { lastSegment, uris } from '../../src/redfish/uris.ts'
import { PASSWORD, startEmulator, type TestOptions } from '../support/emulator.ts'
import { recordingSink, subscribe, told } from '../support/events.ts'
import { bundleOf } from '../support/images.ts'
import { messageKeys, push } from '../support/multipart.ts'
import { validateBody } from '../support/schemas.ts'
import { LONG_MS, reset } from '../support/updates.ts'

const image = await bundleOf({ 'NIC-1': '22.42.1' }, { sizeBytes: 8 * 2 ** 20 })

/** An emulator whose events are kept by the test. */
async function startTold(options: TestOptions = {}, takes?: Parameters<typeof recordingSink>[0]) {
  const recorder = recordingSink(takes)
  const emulator = await startEmulator({ ...options, eventSink: recorder.sink })
  return { ...emulator, recorder }
}

describe('events', () => {
  test('of an update tell its whole story, in order, under one group', async () => {
    const { send, clock, recorder } = await startTold()
    await subscribe({ send })
    await push({ send }, image)
    await clock.advance(LONG_MS)
    for (const { body } of recorder.deliveries) expect(validateEvent(body)).toEqual([])
    const story = recorder.records().filter((record) => !record.MessageId.includes('TaskProgressChanged'))
    const wanted = [
      'ResourceEvent.ResourceCreated Tasks/1',
      'TaskEvent.TaskStarted Tasks/1',
      'Update.UpdateInProgress v1/UpdateService',
      'Update.TargetDetermined FirmwareInventory/NIC-1',
      'Update.TransferringToComponent FirmwareInventory/NIC-1',
      'ResourceEvent.ResourceStateChanged FirmwareInventory/NIC-1',
      'Update.InstallingOnComponent FirmwareInventory/NIC-1',
      'Update.UpdateSuccessful FirmwareInventory/NIC-1',
      'ResourceEvent.ResourceChanged FirmwareInventory/NIC-1',
      'TaskEvent.TaskCompletedOK Tasks/1',
    ]
    const heard = story.map(told)
    expect(heard.filter((one) => wanted.includes(one) && !one.includes('StateChanged'))).toEqual(
      wanted.filter((one) => !one.includes('StateChanged')),
    )
    expect(heard).toContain(wanted[5])
    // Said once, though the task and the log both hold it.
    expect(heard.filter((one) => one.startsWith('Update.UpdateSuccessful'))).toHaveLength(1)
    expect(new Set(story.map(({ EventGroupId }) => EventGroupId))).toEqual(new Set([1]))
    const ids = recorder.records().map(({ EventId }) => EventId)
    expect(new Set(ids).size).toBe(ids.length)
    const payloads = recorder.events().map(({ Id }) => Id)
    expect(new Set(payloads).size).toBe(payloads.length)
  })

  test('of progress come once for every ten percent at most', async () => {
    const { send, clock, recorder } = await startTold()
    await subscribe({ send }, { MessageIds: ['TaskEvent.1.0.TaskProgressChanged'] })
    await push({ send }, image)
    await clock.advance(LONG_MS)
    const steps = recorder.records().map(({ MessageArgs }) => Math.floor(Number(MessageArgs[1]) / 10))
    expect(steps.length).toBeGreaterThan(4)
    expect(steps).toEqual([...new Set(steps)].toSorted((a, b) => a - b))
  })

  test('that belong to one commit come as one payload', async () => {
    const { send, clock, recorder } = await startTold()
    await subscribe({ send })
    const body = { DeliveryRetryAttempts: 1, DeliveryRetryIntervalSeconds: 7 }
    await send(uris.eventService, { method: 'PATCH', body })
    await clock.advance(1)
    const [event, ...others] = recorder.events()
    expect(others).toEqual([])
    expect(event?.Events.map((one) => [one.MemberId, told(one), one.MessageArgs.join()])).toEqual([
      ['0', 'ResourceEvent.PropertyValueModifiedByClient v1/EventService', 'DeliveryRetryAttempts,1'],
      ['1', 'ResourceEvent.PropertyValueModifiedByClient v1/EventService', 'DeliveryRetryIntervalSeconds,7'],
      ['2', 'ResourceEvent.ResourceChanged v1/EventService', ''],
    ])
  })

  test('of what was written as it was are none', async () => {
    const { send, clock, recorder, bmc } = await startTold()
    await subscribe({ send })
    const { deliveryRetryAttempts } = bmc.state.settings
    await send(uris.eventService, { method: 'PATCH', body: { DeliveryRetryAttempts: deliveryRetryAttempts } })
    await clock.advance(1)
    expect(recorder.deliveries).toEqual([])
  })

  test('of one who is gone say that the origin is unavailable', async () => {
    const { send, clock, recorder } = await startTold()
    await subscribe({ send })
    const other = await subscribe({ send })
    await send(other, { method: 'DELETE' })
    await clock.advance(1)
    const removed = recorder.records().filter(({ MessageId }) => MessageId.endsWith('ResourceRemoved'))
    expect(removed).toMatchObject([
      { OriginOfCondition: { '@odata.id': other }, OriginOfConditionUnavailable: true },
    ])
  })

  test('pass the filters of their subscribers', async () => {
    const { send, clock, recorder } = await startTold()
    await subscribe({ send }, { Context: 'tasks', ResourceTypes: ['Task'], Severities: ['OK'] })
    await subscribe(
      { send },
      {
        Context: 'firmware',
        OriginResources: [{ '@odata.id': uris.firmwareInventory }],
        SubordinateResources: true,
        ExcludeRegistryPrefixes: ['Update'],
      },
    )
    await push({ send }, image)
    await clock.advance(LONG_MS)
    const by = (context: string) =>
      recorder.events().flatMap(({ Context, Events }) => (Context === context ? Events : []))
    expect(by('tasks').map(told)).toContain('TaskEvent.TaskCompletedOK Tasks/1')
    expect(new Set(by('tasks').map((one) => told(one).split(' ')[1]))).toEqual(new Set(['Tasks/1']))
    const firmware = new Set(by('firmware').map(told))
    expect(firmware).toEqual(
      new Set([
        'ResourceEvent.ResourceStateChanged FirmwareInventory/NIC-1',
        'ResourceEvent.ResourceChanged FirmwareInventory/NIC-1',
        'ResourceEvent.ResourceChanged Redflash/History',
      ]),
    )
  })

  test('hold their origin where the subscriber wants it', async () => {
    const { send, clock, recorder } = await startTold()
    await subscribe({ send }, { IncludeOriginOfCondition: true })
    await send(uris.taskService, { method: 'PATCH', body: { TaskAutoDeleteTimeoutMinutes: 17 } })
    await clock.advance(1)
    expect(recorder.records()[0]?.OriginOfCondition).toMatchObject({
      '@odata.id': uris.taskService,
      TaskAutoDeleteTimeoutMinutes: 17,
    })
    expect(validateBody(recorder.records()[0]?.OriginOfCondition)).toEqual([])
  })

  test('hold no origin that the subscriber may not read', async () => {
    const { send, bmc, clock, recorder } = await startTold()
    const uri = await subscribe({ send }, { IncludeOriginOfCondition: true, ResourceTypes: ['Session'] })
    const mine = bmc.state.subscriptions.get(lastSegment(uri))
    if (mine === undefined) throw new Error('not subscribed')
    commit(bmc, { subscriptions: [['other', { ...mine, id: 'other', owner: 'reader', context: 'reader' }]] })
    const body = { UserName: 'admin', Password: PASSWORD }
    const login = await send(uris.sessions, { method: 'POST', user: null, body })
    await clock.advance(1)
    const origins = new Map(
      recorder.events().map(({ Context = '', Events: [one] }) => [Context, one?.OriginOfCondition]),
    )
    expect(origins.get('')).toMatchObject({ UserName: 'admin' })
    expect(origins.get('reader')).toEqual({ '@odata.id': login.headers['location'] })
  })

  test('of a reset frame the silence of the manager', async () => {
    const { clock, recorder, ...rest } = await startTold()
    await subscribe(rest)
    await reset({ ...rest, clock }, rest.bmc.machine.manager, 'GracefulRestart')
    const before = recorder.records().map(told)
    expect(before).toEqual([
      `ManagerEvent.ManagerReset ${rest.bmc.machine.manager.split('/').slice(-2).join('/')}`,
      'HeartbeatEvent.RedfishServiceShuttingDown redfish/v1',
    ])
    expect(recorder.records()[0]?.MessageArgs).toEqual([rest.bmc.machine.manager, 'GracefulRestart'])
    await clock.advance(rest.bmc.machine.outage.bootMs - 2)
    expect(recorder.records()).toHaveLength(before.length)
    await clock.advance(10)
    const after = recorder.records().slice(before.length).map(told)
    expect(after).toContain('HeartbeatEvent.RedfishServiceStarted redfish/v1')
    // What happened meanwhile is told when somebody is there again to tell it.
    expect(after[0]).not.toContain('RedfishServiceStarted')
  })

  test('of a system that restarts tell its power', async () => {
    const { clock, recorder, ...rest } = await startTold()
    await subscribe(rest, { ResourceTypes: ['ComputerSystem'] })
    await reset({ ...rest, clock }, uris.system('1'), 'ForceRestart')
    await clock.advance(LONG_MS)
    const heard = recorder.records().map(({ MessageId }) => MessageId.split('.').at(-1))
    expect(heard.filter((key) => key?.startsWith('ResourcePower'))).toEqual([
      'ResourcePoweringOn',
      'ResourcePoweredOn',
    ])
  })

  test('that a client submits are told as they are', async () => {
    const { send, clock, recorder } = await startTold()
    await subscribe({ send }, { Context: 'test' })
    const target = uris.action(uris.eventService, 'EventService.SubmitTestEvent')
    const event = {
      MessageId: 'Contoso.1.0.SomethingHappened',
      Message: 'Something happened.',
      MessageArgs: ['a'],
      MessageSeverity: 'Critical',
      EventId: 'mine',
      EventGroupId: 7,
      EventTimestamp: '2020-01-01T00:00:00Z',
      EventType: 'Alert',
      OriginOfCondition: uris.systems,
    }
    expect((await send(target, { method: 'POST', body: event })).status).toBe(204)
    await clock.advance(1)
    const { OriginOfCondition, ...others } = event
    expect(recorder.records()).toMatchObject([
      { ...others, OriginOfCondition: { '@odata.id': OriginOfCondition } },
    ])
    const missing = await send(target, { method: 'POST', body: { Message: 'x' } })
    expect([missing.status, messageKeys(missing.json)]).toEqual([400, ['ActionParameterMissing']])
  })

  test('that test a subscription need no parameters', async () => {
    const { send, clock, recorder } = await startTold()
    await subscribe({ send })
    const target = uris.action(uris.eventService, 'EventService.TestEventSubscription')
    expect((await send(target, { method: 'POST', body: {} })).status).toBe(204)
    await clock.advance(1)
    expect(recorder.records().map(told)).toEqual(['ResourceEvent.TestMessage v1/EventService'])
  })

  test('that say that the service lives come as often as a subscriber asks', async () => {
    const { send, clock, recorder } = await startTold()
    const uri = await subscribe({ send }, { SendHeartbeat: true, HeartbeatIntervalMinutes: 2 })
    await clock.advance(119_999)
    expect(recorder.records()).toEqual([])
    await clock.advance(1)
    expect(recorder.records().map(told)).toEqual(['HeartbeatEvent.RedfishServiceFunctional redfish/v1'])
    await clock.advance(240_000)
    expect(recorder.records()).toHaveLength(3)
    await send(uri, { method: 'DELETE' })
    await clock.advance(240_000)
    expect(recorder.records()).toHaveLength(3)
  })
})

function validateEvent(body: string): string[] {
  return validateBody(JSON.parse(body))
}
