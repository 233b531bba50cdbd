import type { Duplex } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { createMqttAdapter } from '../../src/devices/mqtt/adapter.ts'
import { MAX_ERROR_CODES, MAX_LOG_ENTRIES } from '../../src/devices/mqtt/managed-device.ts'
import type { DeviceEvent } from '../../src/devices/mqtt/known-devices.ts'
import type { MqttManagerOptions } from '../../src/devices/mqtt/manager.ts'
import { VirtualClock } from '../../src/lib/clock.ts'
import {
  address,
  never,
  startBroker,
  startClient,
  startImages,
  startManaged,
  startManager,
  startScripted,
  until,
} from '../support/mqtt.ts'

const HOUR_MS = 3_600_000
const KEY = 'pump/p-1'

/** A device whose every word is a test's, and who manages it, on a clock that is moved by hand. */
async function prepare(options: Partial<MqttManagerOptions> = {}) {
  const clock = new VirtualClock()
  const broker = await startBroker()
  const manager = startManager(broker, { clock, ...options })
  const client = await startClient(`mqtt://127.0.0.1:${broker.port}`, 'd:org:pump:p-1')
  const events: DeviceEvent['kind'][] = []
  manager.watch(({ kind }) => events.push(kind))
  let count = 0
  /** Says something, and waits for what is answered. */
  const ask = async (path: string, d?: object): Promise<unknown> => {
    const reqId = `q-${++count}`
    client.say(`iotdevice-1/${path}`, { reqId, ...(d && { d }) })
    const { topic, message } = await client.hears(({ message: said }) => said['reqId'] === reqId)
    expect(topic).toBe('iotdm-1/response')
    return message['rc']
  }
  return { clock, broker, manager, client, events, ask }
}

describe('who manages devices', () => {
  test('S4-01: a device that asks is managed, with what it says of itself', async () => {
    const { manager, events, ask } = await prepare()
    const info = { manufacturer: 'Acme', model: 'P', serialNumber: '7', fwVersion: '1.2.3' }
    const supports = { firmwareActions: true, deviceActions: false }
    expect(
      await ask('mgmt/manage', { lifetime: 3_600, supports, deviceInfo: info, metadata: { a: 1 } }),
    ).toBe(200)
    expect(manager.device(KEY)).toMatchObject({ info, supports, metadata: { a: 1 }, isDormant: false })
    expect(events).toEqual(['managed'])
    const adapter = createMqttAdapter(manager, {
      clock: new VirtualClock(),
      publish: (await startImages()).publish,
    })
    expect(await adapter.look(address(KEY), never())).toMatchObject({
      value: {
        name: 'p-1',
        manufacturer: 'Acme',
        serialNumber: '7',
        resetTypes: [],
        firmware: [{ version: '1.2.3', softwareId: 'pump', updateable: true }],
      },
    })
  })

  test('a device that does not say it again is as it was', async () => {
    const { manager, events, ask } = await prepare()
    await ask('mgmt/manage', {
      supports: { firmwareActions: true },
      deviceInfo: { fwVersion: '1.0', model: 'P' },
    })
    expect(await ask('mgmt/manage', { deviceInfo: { fwVersion: '1.1', model: null } })).toBe(200)
    expect(manager.device(KEY)).toMatchObject({
      info: { fwVersion: '1.1', model: 'P' },
      supports: { firmwareActions: true },
    })
    expect(events).toEqual(['managed', 'managed'])
  })

  test('what is no request to be managed is answered so', async () => {
    const { manager, ask } = await prepare()
    expect(await ask('mgmt/manage', { lifetime: 'long' })).toBe(400)
    expect(manager.devices()).toEqual([])
  })

  test('a device is managed until it says otherwise', async () => {
    const { manager, events, ask } = await prepare()
    expect(await ask('mgmt/unmanage')).toBe(404)
    await ask('mgmt/manage')
    expect(await ask('mgmt/unmanage')).toBe(200)
    expect(manager.devices()).toEqual([])
    expect(events).toEqual(['managed', 'unmanaged'])
  })

  test('a device that was forgotten comes back when it asks, and not by what else it says', async () => {
    const { manager, events, ask } = await prepare()
    await ask('mgmt/manage')
    manager.forget(KEY)
    expect(await ask('device/update/location', { latitude: 1 })).toBe(404)
    expect(await ask('notify', { field: 'mgmt.firmware', value: {} })).toBe(404)
    expect(manager.device(KEY)).toBeUndefined()
    expect(await ask('mgmt/manage')).toBe(200)
    expect(events).toEqual(['managed', 'unmanaged', 'managed'])
  })

  test('no more devices are managed than there may be', async () => {
    const { ask, broker, manager } = await prepare({ maxDevices: 1 })
    await ask('mgmt/manage')
    const other = await startClient(`mqtt://127.0.0.1:${broker.port}`, 'd:org:pump:p-2')
    other.say('iotdevice-1/mgmt/manage', { reqId: 'm' })
    expect((await other.hears(() => true)).message).toMatchObject({ rc: 409 })
    expect(await ask('mgmt/manage')).toBe(200)
    expect(manager.devices()).toHaveLength(1)
  })

  test('a device whose lifetime is over is not to be reached until it speaks again', async () => {
    const { clock, manager, events, ask } = await prepare()
    await ask('mgmt/manage', { lifetime: 3_600, supports: { firmwareActions: true } })
    await clock.advance(HOUR_MS - 1)
    expect(events).toEqual(['managed'])
    await clock.advance(1)
    expect(events).toEqual(['managed', 'dormant'])
    const written = manager.write(KEY, [{ field: 'metadata', value: {} }], never())
    expect(await written).toMatchObject({ problem: { kind: 'unreachable' } })
    const adapter = createMqttAdapter(manager, { clock, publish: (await startImages()).publish })
    expect(await adapter.look(address(KEY), never())).toMatchObject({ problem: { kind: 'unreachable' } })
    expect(await ask('device/update/location', { latitude: 1 })).toBe(200)
    expect(events).toEqual(['managed', 'dormant', 'awake', 'changed'])
    expect(manager.device(KEY)?.isDormant).toBe(false)
    await clock.advance(HOUR_MS)
    expect(events.at(-1)).toBe('dormant')
  })

  test.each([0, undefined])('a device with the lifetime %s is managed for ever', async (lifetime) => {
    const { clock, events, ask } = await prepare()
    await ask('mgmt/manage', lifetime === undefined ? {} : { lifetime })
    await clock.advance(10_000 * HOUR_MS)
    expect(events).toEqual(['managed'])
  })

  test('a request to be managed begins a lifetime anew', async () => {
    const { clock, events, ask } = await prepare()
    await ask('mgmt/manage', { lifetime: 3_600 })
    await clock.advance(HOUR_MS - 1)
    await ask('mgmt/manage', { lifetime: 3_600 })
    await clock.advance(HOUR_MS - 1)
    expect(events).toEqual(['managed', 'managed'])
    await clock.advance(1)
    expect(events.at(-1)).toBe('dormant')
  })

  test('a simulated device asks again before its lifetime is over', async () => {
    const clock = new VirtualClock()
    const { manager } = await startManaged({ clock, traits: { lifetimeSeconds: 3_600 } })
    const events: string[] = []
    manager.watch(({ kind }) => events.push(kind))
    for (let times = 1; times <= 3; times++) {
      await clock.advance(HOUR_MS - 120_000)
      await until(manager, () => events.length >= times)
    }
    expect(events).toEqual(['managed', 'managed', 'managed'])
  })

  test('what a device tells of its attributes is kept where somebody observes it', async () => {
    const { manager, client, ask } = await prepare()
    await ask('mgmt/manage')
    const told = { fields: [{ field: 'mgmt.firmware', value: { state: 2 } }] }
    expect(await ask('notify', told)).toBe(404)
    expect(manager.device(KEY)?.firmware.state).toBe(0)
    const observed = manager.observe(KEY, ['mgmt.firmware'], never())
    const { message } = await client.hears(({ topic }) => topic === 'iotdm-1/observe')
    expect(message['d']).toEqual({ fields: [{ field: 'mgmt.firmware' }] })
    const value = { state: 1, updateStatus: 0, version: '2' }
    client.say('iotdevice-1/response', {
      rc: 200,
      reqId: message['reqId'],
      d: { fields: [{ field: 'mgmt.firmware', value }] },
    })
    expect(await observed).toMatchObject({ ok: true })
    expect(manager.device(KEY)?.firmware).toMatchObject(value)
    expect(await ask('notify', told)).toBe(200)
    expect(await ask('notify', { field: 'mgmt.firmware.updateStatus', value: 1 })).toBe(200)
    expect(manager.device(KEY)?.firmware).toMatchObject({ state: 2, updateStatus: 1 })
    expect(await ask('notify', { field: 'mgmt.firmware', value: { state: 9 } })).toBe(400)
    expect(await ask('notify', { what: 'is this' })).toBe(400)
    expect(await ask('notify', { field: 'location', value: {} })).toBe(404)
    manager.cancel(KEY, ['mgmt.firmware'])
    await client.hears(({ topic }) => topic === 'iotdm-1/cancel')
    expect(await ask('notify', told)).toBe(404)
  })

  test('an answer that holds no fields is an answer', async () => {
    const { manager, client, ask } = await prepare()
    await ask('mgmt/manage')
    for (const d of [
      { fields: [null] },
      { fields: 'none' },
      { fields: [{ field: 'mgmt.firmware', value: 7 }] },
    ]) {
      const observed = manager.observe(KEY, ['mgmt.firmware'], never())
      const { message } = await client.hears(({ topic }) => topic === 'iotdm-1/observe')
      client.heard.length = 0
      client.say('iotdevice-1/response', { rc: 200, reqId: message['reqId'], d })
      expect(await observed).toMatchObject({ ok: true })
    }
    expect(manager.device(KEY)?.firmware.state).toBe(0)
  })

  test('a device that comes back is observed again', async () => {
    const { manager, client, ask } = await prepare()
    await ask('mgmt/manage')
    void manager.observe(KEY, ['mgmt.firmware'], never())
    await client.hears(({ topic }) => topic === 'iotdm-1/observe')
    client.heard.length = 0
    await ask('mgmt/manage')
    await client.hears(({ topic }) => topic === 'iotdm-1/observe')
    expect(manager.device(KEY)?.observed).toEqual(['mgmt.firmware'])
  })

  test('who manages observes again when the broker is there again', async () => {
    const clock = new VirtualClock()
    const broker = await startBroker()
    const streams: Duplex[] = []
    const stream = (): Duplex => {
      streams.push(broker.stream())
      return streams.at(-1) ?? broker.stream()
    }
    const manager = startManager({ stream }, { clock })
    const client = await startScripted(`mqtt://127.0.0.1:${broker.port}`, { observe: 200 })
    await manager.observe(KEY, ['mgmt.firmware'], never())
    client.heard.length = 0
    streams[0]?.destroy()
    await expect.poll(() => manager.isUp).toBe(false)
    await clock.advance(1_000)
    await client.hears(({ topic }) => topic === 'iotdm-1/observe')
    expect(streams).toHaveLength(2)
  })

  test('places, error codes and logs are kept, and not more of them than there is room for', async () => {
    const { manager, ask } = await prepare()
    await ask('mgmt/manage')
    expect(await ask('device/update/location', { longitude: 1, latitude: 2 })).toBe(200)
    for (let code = 0; code <= MAX_ERROR_CODES; code++)
      expect(await ask('add/diag/errorCodes', { errorCode: code })).toBe(200)
    for (let entry = 0; entry <= MAX_LOG_ENTRIES; entry++)
      expect(await ask('add/diag/log', { message: `${entry}`, severity: 1 })).toBe(200)
    const device = manager.device(KEY)
    expect(device?.location).toEqual({ longitude: 1, latitude: 2 })
    expect(device?.errorCodes).toHaveLength(MAX_ERROR_CODES)
    expect(device?.errorCodes.at(0)).toBe(1)
    expect(device?.log).toHaveLength(MAX_LOG_ENTRIES)
    expect(device?.log.at(-1)).toMatchObject({ message: `${MAX_LOG_ENTRIES}` })
    expect(await ask('add/diag/errorCodes', { errorCode: 'seven' })).toBe(400)
    expect(await ask('add/diag/log', {})).toBe(400)
    expect(await ask('clear/diag/errorCodes')).toBe(200)
    expect(await ask('clear/diag/log')).toBe(200)
    expect(manager.device(KEY)).toMatchObject({ errorCodes: [], log: [] })
    expect(await ask('add/diag/weather', {})).toBe(404)
  })

  test('what is no JSON changes nothing', async () => {
    const { manager, client, ask } = await prepare()
    await ask('mgmt/manage')
    for (const path of ['mgmt/manage', 'notify', 'response', 'add/diag/log'])
      client.sayBytes(`iotdevice-1/${path}`, Buffer.from('{'))
    expect(await ask('mgmt/manage')).toBe(200)
    expect(manager.devices()).toHaveLength(1)
  })

  test('who is not managed is not to be reached', async () => {
    const { manager } = await prepare()
    expect(await manager.observe('pump/nobody', ['mgmt.firmware'], never())).toMatchObject({
      problem: { kind: 'unreachable' },
    })
    expect(await manager.initiate('device/reboot', ['no device'], never())).toMatchObject([{ ok: false }])
  })
})
