import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { expect, onTestFinished, test } from 'vitest'
import { buildBundle } from '../../src/image/build/bundle.ts'
import { createEmulator } from '../../src/index.ts'
import { uris } from '../../src/redfish/uris.ts'
import { account, softwareIds, startAmtPeer } from '../support/amt-peer.ts'
import { startConsole } from '../support/console-wire.ts'
import { PASSWORD } from '../support/emulator.ts'
import { bundleOf } from '../support/images.ts'
import { startAgents } from '../support/mqtt.ts'
import { temporaryFolder } from '../support/wire.ts'

const LONG = { timeout: 120_000 }

test('a console updates real BMCs of an aggregate, and no others', LONG, async () => {
  const fleet = await createEmulator({ bmcs: 3, https: false, speed: 'max' })
  onTestFinished(() => fleet.close())
  const console = await startConsole()
  for (const bmc of fleet.bmcs) {
    const HostName = fleet.urlsOf(bmc)[0]?.url
    expect(await console.attach('Redfish', { HostName, UserName: 'admin', Password: PASSWORD })).toBe(201)
  }
  const Elements = ['1', '3'].map((id) => ({ '@odata.id': uris.system(id) }))
  await console.post(uris.aggregates, { Elements })
  await console.update(await bundleOf({ 'NIC-1': '99.1.0' }), { Targets: [uris.aggregate('1')] })
  expect(await console.ended(uris.job('1'))).toMatchObject({ JobState: 'Completed' })
  const versions = ['1', '2', '3'].map(
    async (id) => (await console.get(uris.firmware(`${id}-NIC-1`)))['Version'],
  )
  expect(await Promise.all(versions)).toEqual(['99.1.0', '22.41.1000', '99.1.0'])
  expect(fleet.bmcs.map(({ state }) => state.components.get('NIC-1')?.version)).toEqual([
    '99.1.0',
    undefined,
    '99.1.0',
  ])
})

test(
  'devices that manage themselves by MQTT are there by themselves, fetch their image, and leave',
  LONG,
  async () => {
    const console = await startConsole()
    const devices = ['p-1', 'p-2'].map((deviceId) => ({ typeId: 'pump', deviceId }))
    const agents = await startAgents({ broker: console.emulator.mqttUrl ?? '', devices })
    await console.has(2)
    const component = { name: 'pump', version: '2.0.0', softwareId: 'pump', sizeBytes: 4_096 }
    const image = await buffer(buildBundle([component]))
    expect(await console.update(image, {})).toMatchObject({ TaskStatus: 'OK' })
    expect(await console.ended(uris.job('1'))).toMatchObject({ JobState: 'Completed' })
    for (const id of ['1', '2'])
      expect(await console.get(uris.firmware(`${id}-firmware`))).toMatchObject({ Version: '2.0.0' })
    await agents.close()
  },
)

test('a console may be behind another one, and never behind itself', async () => {
  const [one, other] = [await startConsole({ mqtt: '' }), await startConsole({ mqtt: '' })]
  const attach = (HostName: string | undefined) =>
    one.attach('Redfish', { HostName, UserName: 'admin', Password: PASSWORD })
  expect(await attach(other.emulator.url)).toBe(201)
  expect(await attach(one.emulator.url)).toBe(409)
})

test('a console that cannot start leaves no broker behind', async () => {
  const freePort = async (port = 0): Promise<number> => {
    const server = createServer().listen(port, '127.0.0.1')
    await once(server, 'listening')
    const { port: free } = server.address() as AddressInfo
    await new Promise((resolve) => server.close(resolve))
    return free
  }
  const mqtt = await freePort()
  const nowhere = `${await temporaryFolder()}/missing.pem`
  const starting = createEmulator({ console: true, mqtt: String(mqtt), tlsCert: nowhere, tlsKey: nowhere })
  await expect(starting).rejects.toThrow(/missing\.pem/)
  expect(await freePort(mqtt)).toBe(mqtt)
})

test('a computer with Intel AMT boots to the image that the console gives it', LONG, async () => {
  const { machine, address } = await startAmtPeer()
  const console = await startConsole()
  const { userName: UserName, password: Password } = account
  expect(await console.attach('AMT', { HostName: address.hostName, UserName, Password })).toBe(201)
  const [softwareId = ''] = softwareIds.bios
  const component = { name: 'BIOS', version: '1.5.0', softwareId, sizeBytes: 4_096 }
  const task = await console.update(await buffer(buildBundle([component])), { Targets: [uris.system('1')] })
  expect(task).toMatchObject({ TaskState: 'Completed', TaskStatus: 'OK' })
  expect(await console.get(uris.system('1'))).toMatchObject({ BiosVersion: '1.5.0' })
  expect(machine.versions.bios).toBe('1.5.0')
})

test('a console that was ended and started again knows its devices', LONG, async () => {
  const fleet = await createEmulator({ bmcs: 2, https: false, speed: 'max' })
  onTestFinished(() => fleet.close())
  const data = await temporaryFolder()
  const before = await startConsole({ data })
  for (const bmc of fleet.bmcs) {
    const HostName = fleet.urlsOf(bmc)[0]?.url
    await before.attach('Redfish', { HostName, UserName: 'admin', Password: PASSWORD })
  }
  await before.emulator.close()
  const after = await startConsole({ data })
  expect(await after.get(uris.systems)).toMatchObject({ 'Members@odata.count': 2 })
  const Targets = [uris.system('2')]
  expect(await after.update(await bundleOf({ 'NIC-1': '99.1.0' }), { Targets })).toMatchObject({
    TaskState: 'Completed',
  })
})
