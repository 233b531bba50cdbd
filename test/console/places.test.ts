import { describe, expect, test } from 'vitest'
import { createAmtAdapter } from '../../src/devices/amt/amt-adapter.ts'
import type { DeviceAdapter, DeviceFacts } from '../../src/devices/device.ts'
import { createRedfishAdapter } from '../../src/devices/redfish/redfish-adapter.ts'
import { systemClock } from '../../src/lib/clock.ts'
import type { JsonObject } from '../../src/redfish/resource.ts'
import { uris } from '../../src/redfish/uris.ts'
import { startEmulator } from '../support/emulator.ts'
import { attach, startLab } from '../support/lab.ts'
import { labDevice, labMethod } from '../support/managed-devices.ts'
import { messageKeys } from '../support/multipart.ts'

const nowhere = async () => {
  throw new Error('nothing is published here')
}
const adapters = {
  Redfish: createRedfishAdapter({ clock: systemClock, publish: nowhere }),
  AMT: createAmtAdapter({ clock: systemClock, publish: nowhere }),
}

const taken = ['ResourceAlreadyExists', 'PropertyValueResourceConflict']

/** A console that finds a device wherever it looks, at the places that this kind of devices has. */
async function startConsole(kind: keyof typeof adapters) {
  const lab = labMethod({})
  const look: DeviceAdapter['look'] = async ({ hostName }) => ({ ok: true, value: labDevice(hostName).facts })
  const { placeOf } = adapters[kind]
  const adapter = { ...lab.adapter, look, ...(placeOf && { placeOf }) }
  return startEmulator({ machine: 'console', methods: [{ ...lab, adapter }] })
}

test.each([
  ['Redfish', 'http://127.11.0.1:18110', 'http://127.11.0.1:18110/'],
  ['Redfish', 'http://127.11.0.1:18110', 'http://127.11.0.1:18110/redfish/v1'],
  ['Redfish', 'http://127.11.0.1:18110/redfish/v1', 'HTTP://127.11.0.1:18110/redfish/v1/'],
  ['Redfish', 'https://bmc.example', 'https://BMC.example'],
  ['Redfish', 'bmc.example', 'BMC.Example'],
  ['Redfish', 'bmc.example', 'bmc.example:443'],
  ['Redfish', 'bmc.example:443', 'https://bmc.example'],
  ['Redfish', 'https://bmc.example:443', 'bmc.example/'],
  ['Redfish', 'http://bmc.example', 'http://bmc.example:80'],
  ['Redfish', '2001:db8::1', 'https://[2001:DB8:0::1]:443'],
  ['AMT', 'pc.example', 'https://PC.example:16993/'],
  ['AMT', 'pc.example:16992', 'http://pc.example/wsman'],
] as const)('a %s device at %s is not attached again at %s', async (kind, first, second) => {
  const console = await startConsole(kind)
  expect(await attach(console, first)).toMatchObject({ status: 201, json: { HostName: first } })
  const again = await attach(console, second)
  expect([again.status, messageKeys(again.json)]).toEqual([409, taken])
  expect(JSON.stringify(again.json)).toContain(uris.aggregationSource('1'))
  expect(console.bmc.state.devices.size).toBe(1)
})

test('devices of one host at other ports are others', async () => {
  const console = await startConsole('Redfish')
  const names = ['bmc.example', 'bmc.example:8443', 'http://bmc.example:8000']
  for (const name of names) expect(await attach(console, name)).toMatchObject({ status: 201 })
})

test('who is moved to where another device is is refused, and may be called otherwise where it is', async () => {
  const console = await startConsole('Redfish')
  for (const name of ['one.example', 'two.example']) await attach(console, name)
  const move = (HostName: string) =>
    console.send(uris.aggregationSource('2'), { method: 'PATCH', body: { HostName } })
  expect(await move('https://ONE.example/')).toMatchObject({ status: 409 })
  expect(await move('https://two.example:443')).toMatchObject({ status: 200 })
})

test.each([
  ['Redfish', 'http://bmc.example/redfish/v1/Systems'],
  ['Redfish', 'http://bmc.example/other'],
  ['Redfish', 'bmc.example/wsman'],
  ['Redfish', 'https://bmc.example?a=b'],
  ['Redfish', 'https://bmc.example/?'],
  ['Redfish', 'https://bmc.example/redfish/v1#x'],
  ['Redfish', 'bmc.example#'],
  ['Redfish', 'bmc.example\\x'],
  ['Redfish', 'ftp://bmc.example'],
  ['Redfish', 'two words'],
  ['Redfish', 'http://bmc.example:0'],
  ['Redfish', '0.0.0.0'],
  ['Redfish', 'https://0'],
  ['Redfish', '255.255.255.255'],
  ['Redfish', '::ffff:224.0.0.1'],
  ['Redfish', 'http://[::]:8000'],
  ['Redfish', 'fe80::1'],
  ['Redfish', 'fe80::1%eth0'],
  ['Redfish', 'ff02::1'],
  ['AMT', '224.0.0.1'],
  ['AMT', 'http://pc.example/redfish/v1'],
  ['AMT', 'pc.example?a=b'],
] as const)('by %s, %s leads to no device, and is told so', async (kind, hostName) => {
  const console = await startConsole(kind)
  await attach(console, 'right.example')
  const answers = [
    await attach(console, hostName),
    await console.send(uris.aggregationSource('1'), { method: 'PATCH', body: { HostName: hostName } }),
  ]
  for (const { status, json } of answers) {
    expect([status, messageKeys(json)]).toEqual([400, ['PropertyValueFormatError']])
    expect(JSON.stringify(json)).toContain('/HostName')
  }
  expect(console.bmc.state.devices.size).toBe(1)
})

describe('a device that has several addresses', () => {
  const SERVICE = '8e962832-9797-5642-809c-4aea917f0f35'
  const facts = { serialNumber: 'S1', serviceUuid: SERVICE }
  const start = (first: Partial<DeviceFacts>, second: Partial<DeviceFacts>) =>
    startLab(['first'], { first: labDevice('one', first), second: labDevice('two', second) })

  test.each<[string, Partial<DeviceFacts>]>([
    ['by its service', { ...facts, serviceUuid: SERVICE.toUpperCase() }],
    ['by itself', { serialNumber: 'S1' }],
  ])('is attached once, and known %s', async (_what, second) => {
    const console = await start('serviceUuid' in second ? facts : { serialNumber: 'S1' }, second)
    const again = await attach(console, 'second')
    expect([again.status, messageKeys(again.json)]).toEqual([409, taken])
    expect(JSON.stringify(again.json)).toContain(uris.aggregationSource('1'))
    await console.send(uris.aggregationSource('1'), { method: 'DELETE' })
    expect(await attach(console, 'second')).toMatchObject({ status: 201 })
  })

  test('may be reached by another of them', async () => {
    const console = await start(facts, facts)
    const body = { HostName: 'second' }
    const moved = await console.send(uris.aggregationSource('1'), { method: 'PATCH', body })
    expect(moved).toMatchObject({ status: 200, json: body })
    expect((await attach(console, 'first')).status).toBe(409)
  })

  test.each<[string, Partial<DeviceFacts>]>([
    ['another serial number', { serialNumber: 'S2' }],
    ['another UUID', { uuid: '7f2e9c3a-1b7d-4c58-9a3e-0d5f1e2a4b6d' }],
    ['another service', { serviceUuid: '9e962832-9797-5642-809c-4aea917f0f35' }],
  ])('is not one that has %s', async (_what, other) => {
    const console = await start(facts, { ...facts, ...other })
    expect(await attach(console, 'second')).toMatchObject({ status: 201 })
  })

  test.each(['00000000-0000-0000-0000-000000000000', 'FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF', undefined])(
    'is not known by the UUID %s, which many have',
    async (uuid) => {
      const console = await start({ serialNumber: 'S1', uuid }, { serialNumber: 'S1', uuid })
      expect(await attach(console, 'second')).toMatchObject({ status: 201 })
    },
  )

  test('is attached once, however many try at the same time', async () => {
    const console = await startLab([], { first: labDevice('one', facts), second: labDevice('two', facts) })
    const both = await Promise.all([attach(console, 'first'), attach(console, 'second')])
    expect(new Set(both.map(({ status }) => status))).toEqual(new Set([201, 409]))
  })
})

describe('while a device is asked who it is', () => {
  /** A lab of which only lab-1 answers at once. */
  const start = async () => {
    const method = labMethod({ 'lab-1': labDevice('lab-1'), 'lab-2': labDevice('lab-2') })
    const { promise: answers, resolve: answer } = Promise.withResolvers<void>()
    const look: DeviceAdapter['look'] = async (device, signal) => {
      if (device.hostName !== 'lab-1') await answers
      return method.adapter.look(device, signal)
    }
    const methods = [{ ...method, adapter: { ...method.adapter, look } }]
    const console = await startEmulator({ machine: 'console', methods })
    await attach(console, 'lab-1')
    const patch = (body: JsonObject) => console.send(uris.aggregationSource('1'), { method: 'PATCH', body })
    return { ...console, answer, patch }
  }

  test('by another address, nobody else changes how it is reached', async () => {
    const { get, answer, patch } = await start()
    const first = patch({ HostName: 'lab-2' })
    const second = await patch({ UserName: 'operator' })
    expect([second.status, messageKeys(second.json)]).toEqual([503, ['ResourceInUse', 'DeviceFailed']])
    answer()
    expect((await first).status).toBe(200)
    expect((await patch({ UserName: 'operator' })).status).toBe(200)
    expect(await get(uris.aggregationSource('1'))).toMatchObject({
      HostName: 'lab-2',
      UserName: 'operator',
    })
  })

  test('to be attached, no other is moved to its place', async () => {
    const { send, answer, patch } = await start()
    const coming = attach({ send }, 'lab-2')
    const moved = await patch({ HostName: 'lab-2' })
    expect([moved.status, messageKeys(moved.json)]).toEqual([409, ['ResourceAlreadyExists']])
    answer()
    expect((await coming).status).toBe(201)
  })
})

test('a console is not attached to itself, neither at once nor later', async () => {
  const me = labDevice('me')
  const console = await startLab(['lab-1'], { me })
  const { UUID } = await console.get(uris.root)
  me.facts = { ...me.facts, serviceUuid: (UUID as string).toUpperCase() }
  const answers = [
    await attach(console, 'me'),
    await console.send(uris.aggregationSource('1'), { method: 'PATCH', body: { HostName: 'me' } }),
  ]
  for (const { status, json } of answers)
    expect([status, messageKeys(json)]).toEqual([409, ['PropertyValueResourceConflict']])
  expect(await console.get(uris.aggregationSource('1'))).toMatchObject({ HostName: 'lab-1' })
  expect(console.bmc.state.devices.size).toBe(1)
})
