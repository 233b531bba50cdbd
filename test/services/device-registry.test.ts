import { expect, test } from 'vitest'
import { isToken } from '../../src/console/registry.ts'
import type { JsonObject } from '../../src/redfish/resource.ts'
import { uris } from '../../src/redfish/uris.ts'
import { startEmulator } from '../support/emulator.ts'
import { mqttMethod, MqttLab } from '../support/mqtt-lab.ts'

async function startConsole(after?: NonNullable<Parameters<typeof startEmulator>[0]>['after']) {
  const lab = new MqttLab()
  lab.add('pump', 'p-1')
  const emulator = await startEmulator({
    machine: 'console',
    methods: [mqttMethod],
    mqttDevices: (clock) => lab.managedBy(clock),
    ...(after && { after }),
  })
  const call = async (method: 'POST' | 'PUT' | 'DELETE', url: string, body?: JsonObject | JsonObject[]) => {
    const headers = { 'content-type': 'application/json' }
    const request = { method, headers, ...(body && { body: JSON.stringify(body) }) }
    return emulator.send(url, request)
  }
  return { ...emulator, lab, call }
}

test('types and devices are registered, changed, listed and removed', async () => {
  const { call, get, send, bmc } = await startConsole()
  const type = {
    id: 'valve',
    description: 'Valves',
    deviceInfo: { manufacturer: 'Acme', model: null },
    metadata: null,
  }
  expect(await call('POST', uris.deviceTypes, type)).toMatchObject({
    status: 201,
    json: { id: 'valve', classId: 'Device', deviceInfo: { manufacturer: 'Acme' } },
  })
  expect((await call('POST', uris.deviceTypes, type)).status).toBe(409)
  const added = await call('POST', uris.devicesOfType('valve'), { deviceId: 'v-1' })
  expect(added).toMatchObject({ status: 201, json: { typeId: 'valve', deviceId: 'v-1' } })
  const { authToken } = added.json as { authToken: string }
  expect(isToken(bmc, 'valve/v-1', authToken)).toBe(true)
  expect(isToken(bmc, 'valve/v-1', 'another')).toBe(false)
  expect(isToken(bmc, 'pump/p-1', 'another')).toBeUndefined()
  expect(await get(uris.device('valve', 'v-1'))).not.toHaveProperty('authToken')
  await call('PUT', uris.device('valve', 'v-1'), { metadata: { place: 'cellar' } })
  expect(await get(uris.device('valve', 'v-1'))).toMatchObject({
    clientId: 'd:redflash:valve:v-1',
    metadata: { place: 'cellar' },
    registration: { auth: { id: 'admin' } },
  })
  expect((await call('DELETE', uris.deviceType('valve'))).status).toBe(409)
  expect((await call('DELETE', uris.device('valve', 'v-1'))).status).toBe(204)
  expect((await send(uris.device('valve', 'v-1'))).status).toBe(404)
  expect((await call('DELETE', uris.deviceType('valve'))).status).toBe(204)
  expect(bmc.state.registrations.size).toBe(0)
})

test('many devices are registered, listed by pages and removed at once', async () => {
  const { call, get } = await startConsole()
  const names = Array.from({ length: 5 }, (_, index) => ({ typeId: 'pump', deviceId: `r-${index}` }))
  const added = await call('POST', uris.addDevices, names)
  expect(added.status).toBe(201)
  const again = await call('POST', uris.addDevices, [
    { typeId: 'pump', deviceId: 'r-9', authToken: 'chosen-token' },
    ...names,
  ])
  expect(again.status).toBe(202)
  expect((again.json as unknown as JsonObject[]).map(({ success }) => success)).toEqual([
    true,
    false,
    false,
    false,
    false,
    false,
  ])
  expect(await get(`${uris.allDevices}?_limit=3`)).toMatchObject({
    results: [{ deviceId: 'p-1' }, { deviceId: 'r-0' }, { deviceId: 'r-1' }],
    meta: { total_rows: 7 },
    bookmark: 'pump/r-1',
  })
  expect(await call('POST', uris.removeDevices, [...names, { typeId: 'pump', deviceId: 'x' }])).toMatchObject(
    {
      status: 202,
    },
  )
  expect(await get(`${uris.devicesOfType('pump')}?_bookmark=pump/p-1`)).toMatchObject({
    results: [{ deviceId: 'r-9' }],
  })
})

test('a device that came by itself is shown with what it says, and how it is managed', async () => {
  const { get, send, call, lab } = await startConsole()
  expect(await get(uris.deviceTypes)).toMatchObject({ results: [{ id: 'pump' }] })
  expect(await get(uris.device('pump', 'p-1'))).toMatchObject({ deviceInfo: { fwVersion: '1.0.0' } })
  expect(await get(uris.deviceManagement('pump', 'p-1'))).toMatchObject({
    dormant: false,
    supports: { firmwareActions: true },
    firmware: { state: 0, updateStatus: 0 },
  })
  await call('DELETE', uris.device('pump', 'p-1'))
  expect(lab.managedBy({} as never).device('pump/p-1')).toBeUndefined()
  expect((await send(uris.deviceManagement('pump', 'p-1'))).status).toBe(404)
})

test('what is registered outlives a restart', async () => {
  const first = await startConsole()
  const { json } = await first.call('POST', uris.devicesOfType('pump'), { deviceId: 'p-2' })
  const { journal, spool, clock } = first
  await first.app.fastify.close()
  const second = await startConsole({ journal, spool, clock })
  expect(isToken(second.bmc, 'pump/p-2', (json as { authToken: string }).authToken)).toBe(true)
})

test.each<[string, string, JsonObject | JsonObject[], number]>([
  ['a type without a name', uris.deviceTypes, { description: 'x' }, 400],
  ['a type with a name that topics cannot have', uris.deviceTypes, { id: 'a/b' }, 400],
  [
    'a device with a token that is too short',
    uris.devicesOfType('pump'),
    { deviceId: 'p', authToken: 'short' },
    400,
  ],
  ['a device of no type', uris.devicesOfType('valve'), { deviceId: 'p' }, 404],
  ['devices that are no list', uris.addDevices, { typeId: 'pump', deviceId: 'p' }, 400],
])('%s is not registered', async (_what, uri, body, status) => {
  const { call, bmc } = await startConsole()
  expect((await call('POST', uri, body)).status).toBe(status)
  expect(bmc.state.registrations.size).toBe(0)
})
