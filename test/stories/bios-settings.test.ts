import { expect, test } from 'vitest'
import { getPointer } from '../../src/redfish/pointer.ts'
import type { JsonObject } from '../../src/redfish/resource.ts'
import { uris } from '../../src/redfish/uris.ts'
import { startEmulator, type TestEmulator } from '../support/emulator.ts'
import { messageKeys } from '../support/multipart.ts'
import { validateBody } from '../support/schemas.ts'
import { LONG_MS, reset } from '../support/updates.ts'

const system = uris.system('1')
const bios = uris.bios(system)
const settings = uris.biosSettings(system)

const attributes = async ({ get }: TestEmulator, uri: string): Promise<JsonObject> =>
  (await get(uri))['Attributes'] as JsonObject
const change = ({ send }: TestEmulator, method: 'PATCH' | 'PUT', body: JsonObject) =>
  send(settings, { method, body })

/** Resets the system and waits until it is up again. */
async function boot(emulator: TestEmulator, type = 'ForceRestart'): Promise<void> {
  expect(await reset(emulator, system, type)).toMatchObject({ status: 204 })
  await emulator.clock.advance(LONG_MS)
}

test('by links alone a client finds where to change a BIOS, and when that takes effect', async () => {
  const { get } = await startEmulator()
  const found = getPointer(await get(system), '/Bios/@odata.id')
  const active = await get(found as string)
  expect(active['@Redfish.Settings']).toMatchObject({ SupportedApplyTimes: ['OnReset'] })
  const object = getPointer(active, '/@Redfish.Settings/SettingsObject/@odata.id')
  expect(await get(object as string)).toMatchObject({ Attributes: active['Attributes'] })
})

test('BIOS settings wait for the reset of their system, and are in force when it boots', async () => {
  const emulator = await startEmulator()
  const factory = await attributes(emulator, bios)
  const changed = { ...factory, ProcTurbo: false, BootTimeoutSeconds: 12 }
  const answer = await change(emulator, 'PATCH', { Attributes: { ProcTurbo: false, BootTimeoutSeconds: 12 } })
  expect(answer).toMatchObject({ status: 200, json: { Attributes: changed } })
  await emulator.clock.advance(3_600_000)
  expect(await attributes(emulator, bios)).toEqual(factory)
  await reset(emulator, uris.manager('1'))
  await emulator.clock.advance(LONG_MS)
  expect(await attributes(emulator, bios)).toEqual(factory)

  await boot(emulator)
  expect(await attributes(emulator, bios)).toEqual(changed)
  expect(await attributes(emulator, settings)).toEqual(changed)
})

test('the BIOS tells when settings were applied, how that went, and by its ETag whether it changed since', async () => {
  const emulator = await startEmulator()
  const before = await emulator.get(bios)
  expect(getPointer(before, '/@Redfish.Settings/Time')).toBeUndefined()
  await change(emulator, 'PATCH', { Attributes: { SriovEnabled: true } })
  await boot(emulator)
  const after = await emulator.get(bios)
  expect(validateBody(after)).toEqual([])
  expect(after['@Redfish.Settings']).toMatchObject({ Messages: [{ MessageId: 'Base.1.22.Success' }] })
  expect(getPointer(after, '/@Redfish.Settings/Time')).toBe((await emulator.get(system))['LastResetTime'])
  expect(getPointer(after, '/@Redfish.Settings/ETag')).toBe(after['@odata.etag'])

  await change(emulator, 'PATCH', { Attributes: { SriovEnabled: false } })
  expect(await emulator.get(bios)).toEqual(after)
  await boot(emulator)
  const again = await emulator.get(bios)
  expect(getPointer(again, '/@Redfish.Settings/ETag')).toBe(again['@odata.etag'])
  expect(again['@odata.etag']).not.toBe(after['@odata.etag'])
})

test('a reset without waiting settings applies none', async () => {
  const emulator = await startEmulator()
  const before = await emulator.get(bios)
  await change(emulator, 'PATCH', { Attributes: { ProcTurbo: true } })
  await boot(emulator)
  expect(await emulator.get(bios)).toEqual(before)
})

test('settings changed while the system is off are in force when it is switched on', async () => {
  const emulator = await startEmulator()
  await boot(emulator, 'ForceOff')
  await change(emulator, 'PATCH', { Attributes: { BootMode: 'Legacy' } })
  expect(await attributes(emulator, bios)).toMatchObject({ BootMode: 'Uefi' })
  await boot(emulator, 'On')
  expect(await attributes(emulator, bios)).toMatchObject({ BootMode: 'Legacy' })
})

test('the last of several changes before a reset is what counts', async () => {
  const emulator = await startEmulator()
  await change(emulator, 'PATCH', { Attributes: { NumaGroups: 4, ProcTurbo: false } })
  await change(emulator, 'PATCH', { Attributes: { NumaGroups: 8 } })
  await boot(emulator)
  expect(await attributes(emulator, bios)).toMatchObject({ NumaGroups: 8, ProcTurbo: false })
})

test('PUT replaces all settings: what it leaves out is as it left the factory', async () => {
  const emulator = await startEmulator()
  const factory = await attributes(emulator, bios)
  await change(emulator, 'PATCH', { Attributes: { NumaGroups: 4, ProcTurbo: false } })
  await boot(emulator)
  const answer = await change(emulator, 'PUT', { Attributes: { NumaGroups: 8 } })
  expect(answer).toMatchObject({ status: 200, json: { Attributes: { ...factory, NumaGroups: 8 } } })
  await boot(emulator)
  expect(await attributes(emulator, bios)).toEqual({ ...factory, NumaGroups: 8 })
})

test('PUT takes the resource as it was read, changed', async () => {
  const emulator = await startEmulator()
  const { headers, json } = await emulator.send(settings)
  const body = { ...json, Attributes: { ...(json['Attributes'] as JsonObject), PowerProfile: 'MaxPerf' } }
  const ifMatch = { 'if-match': String(headers['etag']) }
  expect(await emulator.send(settings, { method: 'PUT', headers: ifMatch, body })).toMatchObject({
    status: 200,
    json: { Attributes: { PowerProfile: 'MaxPerf' } },
  })
  expect(await emulator.send(settings, { method: 'PUT', headers: ifMatch, body })).toMatchObject({
    status: 412,
  })
})

test.each<[string, JsonObject, string[]]>([
  ['no attributes', {}, ['PropertyMissing']],
  ['an attribute that there is not', { Attributes: { NumaGroups: 8, Colour: 'red' } }, ['PropertyUnknown']],
  ['an attribute of a wrong type', { Attributes: { NumaGroups: '8' } }, ['PropertyValueTypeError']],
  ['another Id', { Id: 'Other', Attributes: { NumaGroups: 8 } }, ['PropertyNotWritable']],
  [
    'another apply time',
    { Attributes: { NumaGroups: 8 }, '@Redfish.SettingsApplyTime': { ApplyTime: 'Immediate' } },
    ['PropertyValueNotInList'],
  ],
])('a PUT with %s replaces nothing', async (_what, body, keys) => {
  const emulator = await startEmulator()
  const before = await emulator.get(settings)
  const answer = await change(emulator, 'PUT', body)
  expect([answer.status, messageKeys(answer.json)]).toEqual([400, keys])
  expect(await emulator.get(settings)).toEqual(before)
})

test('Bios.ResetBios brings the factory settings back with the next reset', async () => {
  const emulator = await startEmulator()
  const factory = await attributes(emulator, bios)
  await change(emulator, 'PATCH', { Attributes: { NumaGroups: 4 } })
  await boot(emulator)
  const action = uris.action(bios, 'Bios.ResetBios')
  expect(await emulator.send(action, { method: 'POST', body: {} })).toMatchObject({ status: 204 })
  expect(await emulator.get(bios)).toMatchObject({
    ResetBiosToDefaultsPending: true,
    Attributes: { NumaGroups: 4 },
  })
  await boot(emulator)
  expect(await emulator.get(bios)).toMatchObject({ ResetBiosToDefaultsPending: false, Attributes: factory })
})
