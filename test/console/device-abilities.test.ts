import { describe, expect, test } from 'vitest'
import type { DeviceProblem, DeviceRecord } from '../../src/devices/device.ts'
import { isObject, type JsonObject } from '../../src/redfish/resource.ts'
import { DEVICE_LOG, deviceActions, uris } from '../../src/redfish/uris.ts'
import { startLab } from '../support/lab.ts'
import { labDevice } from '../support/managed-devices.ts'
import { messageKeys } from '../support/multipart.ts'
import { validateBody, validateError } from '../support/schemas.ts'

const MANAGER = uris.manager('1')
const ENTRIES = uris.logEntries(MANAGER, DEVICE_LOG)

/** A console with a device that can all that only some can, and one that cannot. */
async function start(records: readonly DeviceRecord[] = []) {
  const able = labDevice('able', { abilities: ['consent', 'wake', 'log'] })
  able.records = records
  const lab = await startLab(['able', 'other'], { able })
  const act = (resource: string, action: string, body: JsonObject = {}) =>
    lab.send(uris.action(resource, action), { method: 'POST', body })
  return { ...lab, act, able: lab.device('able') }
}

const ownActionsOf = ({ Actions }: JsonObject): string[] =>
  isObject(Actions) && isObject(Actions['Oem']) ? Object.keys(Actions['Oem']) : []

const record = (seconds: number, members: Partial<DeviceRecord> = {}): DeviceRecord => ({
  time: Date.UTC(2026, 0, 1) + seconds * 1_000,
  severity: 'OK',
  text: 'The system was reset.',
  ...members,
})

describe('what only some devices can', () => {
  test('is offered by those, and by no others', async () => {
    const { get, send, act } = await start()
    expect(ownActionsOf(await get(uris.system('1')))).toEqual([
      '#RedflashComputerSystem.WakeAt',
      '#RedflashComputerSystem.CancelWake',
    ])
    expect(ownActionsOf(await get(MANAGER))).toEqual([
      '#RedflashManager.RequestUserConsent',
      '#RedflashManager.SendUserConsent',
    ])
    expect((await get(MANAGER))['LogServices']).toEqual({ '@odata.id': uris.logServices(MANAGER) })
    const other = uris.manager('2')
    for (const uri of [uris.system('2'), other]) expect(ownActionsOf(await get(uri))).toEqual([])
    expect((await act(other, deviceActions.requestConsent)).status).toBe(404)
    expect((await send(uris.logEntries(other, DEVICE_LOG))).status).toBe(404)
    expect((await send(uris.logServices(other))).status).toBe(404)
  })

  test.each([
    [MANAGER, deviceActions.requestConsent, {}, 'ask consent'],
    [MANAGER, deviceActions.sendConsent, { Code: '012345' }, 'consent 012345'],
    [
      uris.system('1'),
      deviceActions.wakeAt,
      { Time: '2026-01-02T05:00:00+01:00' },
      'wake 2026-01-02T04:00:00.000Z',
    ],
    [
      uris.system('1'),
      deviceActions.cancelWake,
      { Time: '2026-01-02T04:00:00Z' },
      'wake not 2026-01-02T04:00:00.000Z',
    ],
  ])('is asked of the device by its action: %s %s', async (resource, action, body, asked) => {
    const { act, able } = await start()
    expect((await act(resource, action, body)).status).toBe(204)
    expect(able.asked).toEqual([asked])
  })

  test.each([
    [MANAGER, deviceActions.sendConsent, {}, 'ActionParameterMissing'],
    [MANAGER, deviceActions.sendConsent, { Code: '12345' }, 'ActionParameterValueFormatError'],
    [uris.system('1'), deviceActions.wakeAt, { Time: 'soon' }, 'ActionParameterValueFormatError'],
    [
      uris.system('1'),
      deviceActions.wakeAt,
      { Time: '2026-01-01T00:00:00Z' },
      'ActionParameterValueConflict',
    ],
  ])('is not asked of the device by %s %s with %o: %s', async (resource, action, body, key) => {
    const { act, able } = await start()
    const { status, json } = await act(resource, action, body)
    expect(status).toBe(400)
    expect(messageKeys(json)).toEqual([key])
    expect(validateError(json)).toEqual([])
    expect(able.asked).toEqual([])
  })

  test.each<[DeviceProblem['kind'], number, string]>([
    ['refused', 400, 'DeviceRefused'],
    ['unreachable', 400, 'CouldNotEstablishConnection'],
    ['busy', 503, 'ResourceInUse'],
    ['failed', 500, 'OperationFailed'],
  ])('and that the device says of it (%s) is the answer', async (kind, status, key) => {
    const { act, able } = await start()
    able.refuses = { kind, detail: 'it shows another code' }
    const refused = await act(MANAGER, deviceActions.sendConsent, { Code: '123456' })
    expect(refused.status).toBe(status)
    expect(messageKeys(refused.json)).toContain(key)
  })
})

test('when a device switches itself on is shown by its system, and again when that has changed', async () => {
  const { get, act, clock, able } = await start()
  able.facts = { ...able.facts, wakeTimes: [clock.now() + 60_000] }
  await act(uris.system('1'), deviceActions.wakeAt, { Time: '2026-01-01T00:01:00Z' })
  await clock.advance(0)
  const system = await get(uris.system('1'))
  expect(system).toMatchObject({ Oem: { Redflash: { WakeTimes: ['2026-01-01T00:01:00Z'] } } })
  expect(validateBody(system)).toEqual([])
  able.facts = { ...able.facts, wakeTimes: [] }
  await act(uris.system('1'), deviceActions.cancelWake, { Time: '2026-01-01T00:01:00Z' })
  await clock.advance(0)
  expect(await get(uris.system('1'))).toMatchObject({ Oem: { Redflash: { WakeTimes: [] } } })
  expect((await get(uris.system('2')))['Oem']).toBeUndefined()
})

describe('the log of a device', () => {
  const records = [
    record(0, { severity: 'Warning', text: 'Somebody gave a wrong password.', address: 'http://192.0.2.7' }),
    record(5, { user: 'admin', address: 'http://192.0.2.7' }),
    record(5, { user: 'admin', address: 'http://192.0.2.7' }),
  ]

  test('is read when somebody looks at its entries', async () => {
    const { get, send, able, bmc } = await start(records)
    const service = await get(uris.logService(MANAGER, DEVICE_LOG))
    expect(able.asked).toEqual([])
    const { Members } = await get(ENTRIES)
    expect(Members).toMatchObject([
      { Severity: 'Warning', Message: 'Somebody gave a wrong password.', OriginatorType: 'Internal' },
      {
        Id: '1767225605-1',
        Created: '2026-01-01T00:00:05Z',
        Username: 'admin',
        OriginAddress: 'http://192.0.2.7',
      },
      { Id: '1767225605-2', OriginatorType: 'Client', EntryType: 'Oem' },
    ])
    for (const body of [service, await get(uris.logServices(MANAGER)), await get(ENTRIES)])
      expect(validateBody(body)).toEqual([])
    for (const entry of Members as readonly (JsonObject & { readonly '@odata.id': string })[]) {
      expect(validateBody(entry)).toEqual([])
      expect(await get(entry['@odata.id'])).toMatchObject(entry)
    }
    // Entries that are known are not read anew, and what has not changed changes nothing.
    const { version } = bmc.state
    expect(able.asked).toEqual(['read log', 'read log'])
    const { headers } = await send(ENTRIES)
    expect((await send(ENTRIES, { headers: { 'if-none-match': String(headers['etag']) } })).status).toBe(304)
    expect(bmc.state.version).toBe(version)
  })

  test('is read for an entry that nobody has looked at yet', async () => {
    const { get } = await start(records)
    expect(await get(`${ENTRIES}/1767225605-2`)).toMatchObject({ Id: '1767225605-2' })
  })

  test('is read once for all who look at the same time', async () => {
    const { get, able } = await start(records)
    const held = Promise.withResolvers<void>()
    able.during = () => held.promise
    const looks = [get(ENTRIES), get(ENTRIES), get(`${ENTRIES}?$top=1`)]
    await new Promise(setImmediate)
    held.resolve()
    await Promise.all(looks)
    expect(able.asked).toEqual(['read log'])
  })

  test('stays as it was read when the device cannot be reached, and goes with it', async () => {
    const { get, send, able, bmc } = await start(records)
    await get(ENTRIES)
    able.isUp = false
    able.records = []
    expect((await get(ENTRIES))['Members@odata.count']).toBe(3)
    await send(uris.aggregationSource('1'), { method: 'DELETE' })
    expect((await send(ENTRIES)).status).toBe(404)
    expect(bmc.state.deviceLogs.size).toBe(0)
  })

  test('shows the newest thousand records', async () => {
    const { get } = await start(Array.from({ length: 1_001 }, (_, index) => record(index)))
    const { Members } = await get(ENTRIES)
    expect(Members).toHaveLength(1_000)
    expect(Members).toMatchObject({ 0: { Created: '2026-01-01T00:00:01Z' } })
  })

  test('is held of fifty devices, and what was read first gives way', async () => {
    const names = Array.from({ length: 51 }, (_, index) => `able-${index + 1}`)
    const devices = Object.fromEntries(
      names.map((name) => [name, Object.assign(labDevice(name, { abilities: ['log'] }), { records })]),
    )
    const { get, bmc } = await startLab(names, devices)
    for (const id of bmc.state.devices.keys()) await get(uris.logEntries(uris.manager(id), DEVICE_LOG))
    expect(bmc.state.deviceLogs.size).toBe(50)
    expect(bmc.state.deviceLogs.has('1')).toBe(false)
  })
})
