import { expect, test } from 'vitest'
import { createAmtAdapter } from '../../src/devices/amt/amt-adapter.ts'
import type { DeviceAdapter } from '../../src/devices/device.ts'
import { createRedfishAdapter } from '../../src/devices/redfish/redfish-adapter.ts'
import { systemClock } from '../../src/lib/clock.ts'
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

/** A console that finds a device wherever it looks, at the places that this kind of devices has. */
async function startConsole(kind: keyof typeof adapters) {
  const lab = labMethod({})
  const look: DeviceAdapter['look'] = async () => ({ ok: true, value: labDevice('lab-1').facts })
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
  expect([again.status, messageKeys(again.json)]).toEqual([409, ['ResourceAlreadyExists']])
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
