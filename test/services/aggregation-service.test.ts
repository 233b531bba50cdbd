import { describe, expect, test } from 'vitest'
import { uris } from '../../src/redfish/uris.ts'
import { targetResolver } from '../../src/update/targets.ts'
import { REFRESH_MS, startEmulator } from '../support/emulator.ts'
import { attach, startLab } from '../support/lab.ts'
import { DEVICE_PASSWORD, labDevice, labMethod, type LabDevice, runs } from '../support/managed-devices.ts'
import { messageKeys, mistakesIn } from '../support/multipart.ts'

describe('attaching a device', () => {
  test('makes it a source, a system, a manager, a chassis and its firmware', async () => {
    const { send, get } = await startLab([], { 'lab-1': labDevice('lab-1') })
    const attached = await attach({ send }, 'lab-1')
    expect(attached).toMatchObject({ status: 201, headers: { location: uris.aggregationSource('1') } })
    expect(attached.json).toMatchObject({
      HostName: 'lab-1',
      UserName: 'root',
      Password: null,
      Status: { State: 'Enabled' },
    })
    expect(await get(uris.systems)).toMatchObject({ Members: [{ '@odata.id': uris.system('1') }] })
    expect(await get(uris.system('1'))).toMatchObject({
      Name: 'lab-1',
      Model: 'Lab 1',
      PowerState: 'On',
      BiosVersion: '1.0.0',
      Links: { ManagedBy: [{ '@odata.id': uris.manager('1') }] },
    })
    expect(await get(uris.manager('1'))).toMatchObject({ FirmwareVersion: '1.0.0' })
    expect(await get(uris.chassisMember('1'))).toMatchObject({ SerialNumber: 'SN-lab-1' })
    expect(await get(uris.firmware('1-BIOS'))).toMatchObject({
      Version: '1.0.0',
      SoftwareId: 'lab-bios',
      RelatedItem: [{ '@odata.id': uris.system('1') }],
    })
    expect(await get(uris.connectionMethod('Lab'))).toMatchObject({
      Links: { AggregationSources: [{ '@odata.id': uris.aggregationSource('1') }] },
    })
  })

  test('that cannot be reached, or not by this password, attaches nothing', async () => {
    const { send, get } = await startLab([], { 'lab-1': labDevice('lab-1') })
    const missing = await attach({ send }, 'lab-2')
    expect([missing.status, messageKeys(missing.json)]).toEqual([
      400,
      ['CouldNotEstablishConnection', 'DeviceFailed'],
    ])
    const wrong = await attach({ send }, 'lab-1', { Password: 'guess' })
    expect([wrong.status, messageKeys(wrong.json)]).toEqual([400, ['ResourceAtUriUnauthorized']])
    expect(JSON.stringify(wrong.json)).not.toContain('guess')
    expect(await get(uris.aggregationSources)).toMatchObject({ 'Members@odata.count': 0 })
  })

  test('tells every mistake of a request at once', async () => {
    const { send } = await startLab()
    const answer = await send(uris.aggregationSources, {
      method: 'POST',
      body: { UserName: 7, Surprise: true, Links: {} },
    })
    const Links = { ConnectionMethod: { '@odata.id': uris.connectionMethod('Smoke') } }
    const other = await attach({ send }, 'me:hunter2@lab-1', { Links, Surprise: true })
    expect(messageKeys(other.json).toSorted()).toEqual([
      'PropertyUnknown',
      'PropertyValueFormatError',
      'ResourceMissingAtURI',
    ])
    expect(answer.status).toBe(400)
    expect(messageKeys(answer.json).toSorted()).toEqual([
      'PropertyMissing',
      'PropertyMissing',
      'PropertyUnknown',
      'PropertyValueTypeError',
    ])
  })

  test('twice at the same time attaches it once', async () => {
    const { send, bmc } = await startLab([], { 'lab-1': labDevice('lab-1') })
    const both = await Promise.all([attach({ send }, 'lab-1'), attach({ send }, 'lab-1')])
    expect(new Set(both.map(({ status }) => status))).toEqual(new Set([201, 409]))
    expect(bmc.state.devices.size).toBe(1)
  })

  test('with a password in its host name is refused, and the password is not repeated', async () => {
    const { send } = await startLab(['lab-1'])
    const answers = [
      await attach({ send }, 'https://root:hunter2@lab-1'),
      await send(uris.aggregationSource('1'), { method: 'PATCH', body: { HostName: 'root:hunter2@lab-1' } }),
    ]
    for (const { status, json, text } of answers) {
      expect([status, messageKeys(json)]).toEqual([400, ['PropertyValueFormatError']])
      expect(text).not.toContain('hunter2')
    }
  })

  test('by a method that there is not is refused, and twice the same device is', async () => {
    const { send } = await startLab(['lab-1'])
    const Links = { ConnectionMethod: { '@odata.id': uris.connectionMethod('Smoke') } }
    const unknown = await attach({ send }, 'lab-1', { Links })
    expect([unknown.status, messageKeys(unknown.json)]).toEqual([400, ['ResourceMissingAtURI']])
    const again = await attach({ send }, 'lab-1')
    expect([again.status, messageKeys(again.json)]).toEqual([
      409,
      ['ResourceAlreadyExists', 'PropertyValueResourceConflict'],
    ])
  })
})

describe('an attached device', () => {
  test('is gone with all that it showed when it is detached', async () => {
    const { send, get, bmc } = await startLab(['lab-1', 'lab-2'])
    await send(uris.aggregates, { method: 'POST', body: { Elements: [{ '@odata.id': uris.system('1') }] } })
    expect(await send(uris.aggregationSource('1'), { method: 'DELETE' })).toMatchObject({ status: 204 })
    const gone = [uris.aggregationSource('1'), uris.system('1'), uris.manager('1'), uris.firmware('1-BIOS')]
    for (const uri of gone) expect(await send(uri)).toMatchObject({ status: 404 })
    expect(await get(uris.systems)).toMatchObject({ Members: [{ '@odata.id': uris.system('2') }] })
    expect(await get(uris.aggregate('1'))).toMatchObject({ ElementsCount: 0 })
    expect(bmc.state.devices.size).toBe(1)
    await attach({ send }, 'lab-1')
    expect(await send(uris.system('3'))).toMatchObject({ status: 200 })
  })

  test('that cannot be reached any more shows it, and again when it is back', async () => {
    const { get, clock, device: deviceOf } = await startLab(['lab-1'])
    const device = deviceOf('lab-1')
    device.isUp = false
    await clock.advance(REFRESH_MS)
    expect(await get(uris.aggregationSource('1'))).toMatchObject({ Status: { State: 'UnavailableOffline' } })
    expect(await get(uris.system('1'))).toMatchObject({ Status: { State: 'UnavailableOffline' } })
    device.isUp = true
    runs(device, 'BIOS', '1.1.0')
    await clock.advance(REFRESH_MS)
    expect(await get(uris.system('1'))).toMatchObject({ Status: { State: 'Enabled' }, BiosVersion: '1.1.0' })
  })

  test('whose adapter has a bug is looked at again', async () => {
    const devices = { 'lab-1': labDevice('lab-1') }
    const lab = labMethod(devices)
    let isBroken = false
    const look: typeof lab.adapter.look = async (device, signal) => {
      if (isBroken) throw new Error('a bug')
      return lab.adapter.look(device, signal)
    }
    const bugs: unknown[] = []
    const methods = [{ ...lab, adapter: { ...lab.adapter, look } }]
    const emulator = await startEmulator({ machine: 'console', methods, bugs })
    await attach(emulator, 'lab-1')
    isBroken = true
    await emulator.clock.advance(REFRESH_MS)
    expect(bugs).toHaveLength(1)
    expect(await emulator.get(uris.system('1'))).toMatchObject({ Status: { State: 'UnavailableOffline' } })
    isBroken = false
    await emulator.clock.advance(REFRESH_MS)
    expect(await emulator.get(uris.system('1'))).toMatchObject({ Status: { State: 'Enabled' } })
  })

  test('is looked at with its new password before that counts', async () => {
    const { send, bmc } = await startLab(['lab-1'])
    const change = async (Password: string) =>
      send(uris.aggregationSource('1'), { method: 'PATCH', body: { Password } })
    expect(await change('wrong')).toMatchObject({ status: 400 })
    expect(bmc.state.devices.get('1')?.address.password).toBe(DEVICE_PASSWORD)
    expect((await change(DEVICE_PASSWORD)).status).toBeLessThan(300)
  })

  test('is reset itself, and a device that is away is not', async () => {
    const { send, get, clock, device, devices } = await startLab(['lab-1'])
    const reset = async (ResetType: string) =>
      send(uris.action(uris.system('1'), 'ComputerSystem.Reset'), { method: 'POST', body: { ResetType } })
    expect(await reset('ForceOff')).toMatchObject({ status: 204 })
    await clock.advance(0)
    expect(devices['lab-1']?.asked).toEqual(['ForceOff system'])
    expect(await get(uris.system('1'))).toMatchObject({ PowerState: 'Off' })
    expect(messageKeys((await reset('Nmi')).json)).toEqual(['ActionParameterValueNotInList'])
    device('lab-1').isUp = false
    const away = await reset('On')
    expect([away.status, messageKeys(away.json)]).toEqual([
      400,
      ['CouldNotEstablishConnection', 'DeviceFailed'],
    ])
  })

  test('is still attached after a restart of the console', async () => {
    const emulator = await startLab(['lab-1'])
    const device = emulator.device('lab-1')
    runs(device, 'BIOS', '2.0.0')
    const { get, clock } = await startEmulator({
      machine: 'console',
      methods: [labMethod(emulator.devices)],
      after: emulator,
    })
    expect(await get(uris.system('1'))).toMatchObject({ Name: 'lab-1' })
    await clock.advance(0)
    expect(await get(uris.system('1'))).toMatchObject({ BiosVersion: '2.0.0' })
  })
})

describe('many that are reset', () => {
  const elements = (ids: readonly string[]) => ids.map((id) => ({ '@odata.id': uris.system(id) }))
  const resetsOf = (devices: Readonly<Record<string, LabDevice>>) =>
    Object.values(devices).map(({ asked }) => asked.length)

  test('are reset in batches, with a delay between them', async () => {
    const { send, get, clock, devices } = await startLab(['lab-1', 'lab-2', 'lab-3'])
    await send(uris.aggregates, { method: 'POST', body: { Elements: elements(['1', '2', '3']) } })
    const accepted = await send(uris.action(uris.aggregate('1'), 'Aggregate.Reset'), {
      method: 'POST',
      body: { ResetType: 'ForceRestart', BatchSize: 2, DelayBetweenBatchesInSeconds: 30 },
    })
    expect(accepted).toMatchObject({ status: 202, headers: { location: uris.taskMonitor('1') } })
    await clock.advance(29_000)
    expect(resetsOf(devices)).toEqual([1, 1, 0])
    expect(await get(uris.task('1'))).toMatchObject({ TaskState: 'Running' })
    await clock.advance(1_000)
    expect(resetsOf(devices)).toEqual([1, 1, 1])
    expect(await get(uris.task('1'))).toMatchObject({ TaskState: 'Completed', PercentComplete: 100 })
  })

  test('of which one is away: the task tells, and the others are reset', async () => {
    const { send, get, clock, device, devices } = await startLab(['lab-1', 'lab-2'])
    device('lab-1').isUp = false
    await send(uris.action(uris.aggregationService, 'AggregationService.Reset'), {
      method: 'POST',
      body: { TargetURIs: elements(['1', '2']), ResetType: 'ForceRestart' },
    })
    await clock.advance(0)
    const task = await get(uris.task('1'))
    expect(task).toMatchObject({ TaskState: 'Exception' })
    expect(messageKeys(task)).toContain('CouldNotEstablishConnection')
    expect(resetsOf(devices)).toEqual([0, 1])
  })

  test('are asked for what they offer, once each', async () => {
    const { send, get, clock, devices } = await startLab(['lab-1'])
    const reset = async (ResetType: string) =>
      send(uris.action(uris.aggregationService, 'AggregationService.Reset'), {
        method: 'POST',
        body: { TargetURIs: elements(['1', '1']), ResetType },
      })
    expect(messageKeys((await reset('Banana')).json)).toEqual(['ActionParameterValueNotInList'])
    await reset('Nmi')
    await clock.advance(0)
    expect(await get(uris.task('1'))).toMatchObject({ TaskState: 'Exception' })
    await reset('ForceRestart')
    await clock.advance(0)
    expect(devices['lab-1']?.asked).toEqual(['ForceRestart system'])
  })

  test('must be there: what is wrong is told at once wherever references are taken, and nothing happens', async () => {
    const { send, devices, bmc } = await startLab(['lab-1'])
    await send(uris.aggregates, { method: 'POST', body: { Elements: elements(['1']) } })
    const aggregate = (action: string) => uris.action(uris.aggregate('1'), `Aggregate.${action}`)
    const taking: readonly (readonly [string, string])[] = [
      [uris.action(uris.aggregationService, 'AggregationService.Reset'), 'TargetURIs'],
      [aggregate('AddElements'), 'Elements'],
      [aggregate('RemoveElements'), 'Elements'],
      [uris.aggregates, 'Elements'],
    ]
    for (const [uri, member] of taking) {
      const gone = await send(uri, { method: 'POST', body: { [member]: elements(['1', '7']) } })
      expect([gone.status, mistakesIn(gone.json)]).toEqual([
        400,
        [`ResourceMissingAtURI /${member}/1/@odata.id`],
      ])
      const body = { [member]: [7, {}, ...elements(['7'])], Surprise: 1 }
      const { status, json } = await send(uri, { method: 'POST', body })
      expect(status).toBe(400)
      expect(mistakesIn(json).map((one) => one.replace(/^(Action)?(Parameter|Property)/, ''))).toEqual(
        expect.arrayContaining([
          `ValueTypeError /${member}/0`,
          `Missing /${member}/1/@odata.id`,
          `ResourceMissingAtURI /${member}/2/@odata.id`,
          'Unknown /Surprise',
        ]),
      )
    }
    expect(resetsOf(devices)).toEqual([0])
    expect([...bmc.state.aggregates.values()]).toMatchObject([{ elements: [uris.system('1')] }])
  })

  test('are somebody: nobody is no reset', async () => {
    const { send } = await startLab(['lab-1'])
    const answer = await send(uris.action(uris.aggregationService, 'AggregationService.Reset'), {
      method: 'POST',
      body: { TargetURIs: [] },
    })
    expect([answer.status, mistakesIn(answer.json)]).toEqual([400, ['ArraySizeTooShort /TargetURIs']])
  })
})

describe('an aggregate', () => {
  test('takes elements and gives them up', async () => {
    const { send, get } = await startLab(['lab-1', 'lab-2'])
    const Elements = (id: string) => ({ Elements: [{ '@odata.id': uris.system(id) }] })
    expect(await send(uris.aggregates, { method: 'POST', body: Elements('1') })).toMatchObject({
      status: 201,
    })
    const act = async (name: string, id: string) =>
      send(uris.action(uris.aggregate('1'), `Aggregate.${name}Elements`), {
        method: 'POST',
        body: Elements(id),
      })
    expect(await act('Add', '2')).toMatchObject({ status: 204 })
    expect(await get(uris.aggregate('1'))).toMatchObject({ ElementsCount: 2 })
    expect(await act('Remove', '1')).toMatchObject({ status: 204 })
    expect(await get(uris.aggregate('1'))).toMatchObject({ Elements: [{ '@odata.id': uris.system('2') }] })
    expect(await act('Add', '9')).toMatchObject({ status: 400 })
    expect(await send(uris.aggregate('1'), { method: 'DELETE' })).toMatchObject({ status: 204 })
    expect(await send(uris.aggregate('1'))).toMatchObject({ status: 404 })
  })

  test('is called what its maker called it, and so is a source', async () => {
    const { send, get } = await startLab([], { 'lab-1': labDevice('lab-1') })
    const attached = await attach({ send }, 'lab-1', { Name: 'Rack 7' })
    expect(attached.json).toMatchObject({ Name: 'Rack 7' })
    expect(await get(uris.system('1'))).toMatchObject({ Name: 'lab-1' })
    const made = await send(uris.aggregates, { method: 'POST', body: { Name: 'Web', Elements: [] } })
    expect(made.json).toMatchObject({ Name: 'Web' })
    expect(await get(uris.aggregate('1'))).toMatchObject({ Name: 'Web' })
    // The schema has nothing of it that clients may change.
    const changed = await send(uris.aggregate('1'), { method: 'PATCH', body: { Name: 'Other' } })
    expect(changed.status).toBe(405)
  })

  test('may have firmware among its elements, which goes with its device', async () => {
    const { send, get, clock, bmc } = await startLab(['lab-1', 'lab-2'])
    const links = [uris.firmware('1-BIOS'), uris.system('2')].map((uri) => ({ '@odata.id': uri }))
    const made = await send(uris.aggregates, { method: 'POST', body: { Elements: links } })
    expect(made.json).toMatchObject({ Elements: links })
    const target = targetResolver(bmc)(uris.aggregate('1'))
    const ids = target.kind === 'components' ? target.components.map(({ id }) => id) : []
    expect(ids).toEqual(['1-BIOS', '2-BMC', '2-BIOS'])
    await send(uris.action(uris.aggregate('1'), 'Aggregate.Reset'), { method: 'POST', body: {} })
    await clock.advance(0)
    expect(messageKeys(await get(uris.task('1')))).toContain('DeviceRefused')
    await send(uris.aggregationSource('1'), { method: 'DELETE' })
    expect(await get(uris.aggregate('1'))).toMatchObject({ Elements: links.slice(1) })
  })
})
