import { describe, expect, test } from 'vitest'
import type { FlashResult } from '../../src/devices/flasher.ts'
import { createMqttAdapter, type MqttAdapter } from '../../src/devices/mqtt/adapter.ts'
import { allQuirks, type Failure } from '../../src/devices/mqtt/agent/traits.ts'
import { systemClock, VirtualClock } from '../../src/lib/clock.ts'
import { type DeviceJob, stages } from '../contracts/device-adapter.ts'
import {
  address,
  listen,
  never,
  pumpJob,
  startBroker,
  startClient,
  startImages,
  startManaged,
  startManager,
  startScripted,
} from '../support/mqtt.ts'

const image = Buffer.alloc(100_000, 7)
const job = (options: Partial<Parameters<typeof pumpJob>[0]> = {}): DeviceJob =>
  pumpJob({ image, version: '2.0.0', ...options })

/** Stages until one fails, each with what it came to. */
async function run(adapter: MqttAdapter, what = job()): Promise<Readonly<Record<string, string>>> {
  const results: Record<string, string> = {}
  for (const stage of stages) {
    const result = await adapter[stage](what)
    results[stage] = wordOf(result)
    if (!result.ok) break
  }
  return results
}

function wordOf(result: FlashResult): string {
  if (result.ok) return result.value === undefined ? 'ok' : `ok ${result.value.version}`
  const { problem } = result
  const why =
    problem.kind === 'failed' ? (problem.why ?? []).map(({ MessageId: id }) => id.split('.').at(-1)) : []
  return [problem.kind, ...why].join(' ')
}

/** The path on which an installation is asked for. */
const INSTALL = 'firmware/update'
const allWell = { transfer: 'ok', verify: 'ok', install: 'ok', activate: 'ok' }

describe('an update over MQTT', () => {
  test('S4-06, S4-11, S4-13, S4-15, S4-17, S4-18: is the sequence of IBM’s documents', async () => {
    const { adapter, broker, look } = await startManaged()
    const said = await listen(broker)
    expect(await run(adapter)).toEqual(allWell)
    expect((await look()).firmware).toMatchObject([{ version: '2.0.0' }])
    await expect.poll(() => said.filter(({ topic }) => topic.endsWith('/cancel')).length).toBe(2)
    const told = said
      .filter(({ topic }) => !/\/(response|manage)$/.test(topic))
      .map(({ topic, message }) => {
        const path = topic.replace('/type/pump/id/p-1/', ' ')
        const { fields } = (message['d'] ?? {}) as {
          readonly fields?: readonly { readonly value?: object }[]
        }
        return path.endsWith('notify') ? [path, ...(fields ?? []).map(({ value }) => value)] : [path]
      })
    expect(told).toEqual([
      ['iotdm-1 device/update'],
      ['iotdm-1 observe'],
      ['iotdm-1 mgmt/initiate/firmware/download'],
      ['iotdevice-1 notify', { state: 1, updateStatus: 0 }],
      ['iotdevice-1 notify', { state: 2, updateStatus: 0 }],
      ['iotdm-1 cancel'],
      ['iotdm-1 observe'],
      ['iotdm-1 mgmt/initiate/firmware/update'],
      ['iotdevice-1 notify', { state: 2, updateStatus: 1 }],
      // It came back from its reboot, and may have forgotten.
      ['iotdm-1 observe'],
      ['iotdevice-1 notify', { state: 0, updateStatus: 0 }],
      ['iotdm-1 cancel'],
    ])
    const codes = said
      .filter(({ topic }) => topic.endsWith('p-1/response') && topic.startsWith('iotdevice-1'))
      .map(({ message }) => message['rc'])
    expect(codes.slice(0, 3)).toEqual([204, 200, 202])
  })

  test.each<readonly [string, Failure, object]>([
    ['S4-09', 'out-of-memory', { transfer: 'failed InsufficientStorage' }],
    ['S4-09', 'connection-lost', { transfer: 'failed CouldNotEstablishConnection' }],
    ['S4-09', 'invalid-uri', { transfer: 'failed ResourceMissingAtURI' }],
    ['S4-10', 'verification-failed', { transfer: 'ok', verify: 'corrupt' }],
    ['S4-16', 'unsupported-image', { transfer: 'ok', verify: 'ok', install: 'failed UpdateNotApplicable' }],
    [
      'S4-16',
      'out-of-memory-installing',
      { transfer: 'ok', verify: 'ok', install: 'failed InsufficientStorage' },
    ],
  ])('%s: a device whose failure is %s says so, and runs what it ran', async (_seed, failure, expected) => {
    const { adapter, look } = await startManaged({ traits: { failure } })
    expect(await run(adapter)).toEqual(expected)
    expect((await look()).firmware).toMatchObject([{ version: '1.0.0' }])
    // It is not left in a state from which there is no way.
    expect(await run(adapter)).toEqual(expected)
  })

  test('a device finds out itself what is wrong with an image', async () => {
    const { adapter, images, manager } = await startManaged({ traits: { capacityBytes: image.byteLength } })
    const larger = Buffer.concat([image, Buffer.from('x')])
    expect(await run(adapter, job({ image: larger }))).toEqual({ transfer: 'failed InsufficientStorage' })
    const whole = job()
    const other = { ...whole, image: { ...whole.image, sha256: '0'.repeat(64) } }
    expect(await run(adapter, other)).toEqual({ transfer: 'ok', verify: 'corrupt' })
    const cut = { ...whole, image: { ...whole.image, read: () => halfOf(image) } }
    expect(await run(adapter, cut)).toEqual({ transfer: 'failed CouldNotEstablishConnection' })
    const gone = createMqttAdapter(manager, {
      clock: systemClock,
      publish: (one) => {
        const { uri, done } = images.publish(one)
        done()
        return { uri, done }
      },
    })
    expect(await run(gone)).toEqual({ transfer: 'failed ResourceMissingAtURI' })
    expect(await run(adapter)).toEqual(allWell)
  })

  test('a device with every quirk of IBM’s SDK is updated all the same', async () => {
    const { adapter, broker, look } = await startManaged({ traits: { quirks: allQuirks } })
    const said = await listen(broker)
    expect(await run(adapter)).toEqual(allWell)
    expect((await look()).firmware).toMatchObject([{ version: '2.0.0' }])
    const told = said.filter(({ topic }) => topic.endsWith('/notify')).map(({ message }) => message)
    expect(told).toContainEqual({
      d: { fields: [{ field: 'mgmt.firmware', value: { state: 0, updateStatus: 1 } }] },
    })
  })

  test('S4-07, S4-14: a device in the wrong state answers 400, and begins nothing', async () => {
    const { manager, broker } = await startManaged()
    const said = await listen(broker)
    for (const action of ['firmware/download', 'firmware/update'] as const)
      expect(await manager.initiate(action, ['pump/p-1'], never())).toMatchObject([{ problem: { rc: 400 } }])
    await manager.observe('pump/p-1', ['mgmt.firmware'], never())
    expect(manager.device('pump/p-1')?.firmware).toMatchObject({ state: 0, updateStatus: 0 })
    expect(said.filter(({ topic }) => topic.endsWith('/notify'))).toEqual([])
  })

  test('S4-12: devices of two types are not asked for an update together', async () => {
    const devices = [
      { typeId: 'pump', deviceId: 'p-1' },
      { typeId: 'fan', deviceId: 'f-1' },
    ]
    const { manager } = await startManaged({ agents: { devices } })
    const keys = ['pump/p-1', 'fan/f-1']
    expect(await manager.initiate('firmware/update', keys, never())).toMatchObject([
      { problem: { detail: 'the devices are not all of the same type' } },
      { problem: { detail: 'the devices are not all of the same type' } },
    ])
    expect(await manager.initiate('device/reboot', keys, never())).toMatchObject([{ ok: true }, { ok: true }])
  })

  test('a device reboots, and becomes what it was when it was made', async () => {
    const told: string[] = []
    const { adapter, look } = await startManaged({ agents: { told: (_device, what) => told.push(what) } })
    const since = async (what: string): Promise<void> => {
      told.length = 0
      await expect.poll(() => told).toContain(what)
    }
    await run(adapter)
    const reset = adapter.reset(address('pump/p-1'), { of: 'system', type: 'ForceRestart' }, never())
    await since('is managed, runs 2.0.0')
    expect(await reset).toMatchObject({ ok: true })
    expect((await look()).firmware).toMatchObject([{ version: '2.0.0' }])
    const renewed = adapter.factoryReset(address('pump/p-1'), never())
    await since('is managed, runs 1.0.0')
    expect(await renewed).toMatchObject({ ok: true })
    expect((await look()).firmware).toMatchObject([{ version: '1.0.0' }])
  })

  test('many devices are updated at once, behind a gateway too', async () => {
    const devices = Array.from({ length: 20 }, (_, at) => ({ typeId: 'pump', deviceId: `p-${at + 1}` }))
    const gateway = { typeId: 'hub', deviceId: 'h-1' }
    for (const agents of [{ devices }, { devices, gateway }]) {
      const { adapter, manager } = await startManaged({ agents })
      const results = await Promise.all(
        devices.map(({ deviceId }) => run(adapter, pumpJob({ image, version: '2.0.0' }, `pump/${deviceId}`))),
      )
      expect(results).toEqual(devices.map(() => allWell))
      expect(manager.devices().map(({ info }) => info.fwVersion)).toEqual(devices.map(() => '2.0.0'))
    }
  })
})

describe('a device that answers otherwise', () => {
  const prepare = async (
    rcs: Readonly<Record<string, number>>,
    supports?: Readonly<Record<string, boolean>>,
  ) => {
    const clock = new VirtualClock()
    const broker = await startBroker()
    const manager = startManager(broker, { clock })
    const url = `mqtt://127.0.0.1:${broker.port}`
    const client = await startScripted(url, rcs, supports)
    const images = await startImages()
    const adapter = createMqttAdapter(manager, { clock, publish: images.publish, patienceMs: 60_000 })
    const notify = (value: object): void => {
      client.say('iotdevice-1/notify', { d: { fields: [{ field: 'mgmt.firmware', value }] } })
    }
    return { clock, manager, client, adapter, notify, images, url }
  }
  const willing = { 'device/update': 204, observe: 200, cancel: 200, download: 202, reboot: 202 }

  test.each<readonly [string, Readonly<Record<string, number>>]>([
    ['takes no description', { ...willing, 'device/update': 400 }],
    ['is not to be observed', { ...willing, observe: 404 }],
    ['refuses a download', { ...willing, download: 400 }],
    ['has failed at it', { ...willing, download: 500 }],
  ])('fails when it %s', async (_what, rcs) => {
    const { adapter, images } = await prepare(rcs)
    expect(await run(adapter)).toEqual({ transfer: 'failed DeviceFailed' })
    expect([...images.published]).toEqual([])
  })

  test.each([
    [404, 'unsupported'],
    [409, 'busy'],
    [500, 'failed'],
    [501, 'unsupported'],
  ])('%i is told as %s', async (code, kind) => {
    const { adapter } = await prepare({ reboot: code })
    const reset = adapter.reset(address('pump/p-1'), { of: 'system', type: 'ForceRestart' }, never())
    expect(await reset).toMatchObject({ problem: { kind } })
  })

  test('what it does not support it is not asked for', async () => {
    const { adapter, client } = await prepare(willing, { firmwareActions: true })
    const reset = adapter.reset(address('pump/p-1'), { of: 'system', type: 'ForceRestart' }, never())
    expect(await reset).toMatchObject({ problem: { kind: 'unsupported' } })
    expect(client.heard.filter(({ topic }) => topic.endsWith('reboot'))).toEqual([])
  })

  test('a busy device is asked again', async () => {
    const { clock, adapter, client } = await prepare({ ...willing, 'device/update': 409 })
    const ended = adapter.transfer(job())
    const asked = (): number => client.heard.filter(({ topic }) => topic === 'iotdm-1/device/update').length
    while (asked() < 3) {
      await client.hears(({ topic }) => topic === 'iotdm-1/device/update')
      await clock.advance(500)
    }
    await clock.advance(60_000)
    expect(wordOf(await ended)).toBe('failed DeviceFailed')
  })

  test('one that says nothing while it works is not waited for for ever', async () => {
    const { clock, adapter, client } = await prepare(willing)
    const ended = adapter.transfer(job())
    await client.hears(({ topic }) => topic.endsWith('firmware/download'))
    await clock.advance(60_000)
    expect(wordOf(await ended)).toBe('failed DeviceFailed')
    await client.hears(({ topic }) => topic === 'iotdm-1/cancel')
  })

  test('one that never answers is not waited for for ever', async () => {
    const broker = await startBroker()
    const manager = startManager(broker, { answerMs: 20 })
    await startScripted(`mqtt://127.0.0.1:${broker.port}`)
    const written = await manager.write('pump/p-1', [{ field: 'metadata', value: {} }], never())
    expect(written).toMatchObject({ problem: { kind: 'unreachable' } })
  })

  test.each<readonly [string, readonly object[], string]>([
    ['state and status apart', [{ state: 1 }, { updateStatus: 0 }, { state: 2 }], 'ok'],
    ['nothing but the end', [{ state: 2 }], 'ok'],
    ['that it gave up', [{ state: 1 }, { state: 0 }], 'failed DeviceFailed'],
    ['a status that there is not before', [{ state: 1 }, { updateStatus: 9 }, { state: 2 }], 'ok'],
  ])('a download tells %s', async (_what, values, expected) => {
    const { adapter, client, notify } = await prepare(willing)
    const ended = adapter.transfer(job())
    await client.hears(({ topic }) => topic.endsWith('firmware/download'))
    for (const value of values) notify(value)
    expect(wordOf(await ended)).toBe(expected)
  })

  test.each<readonly [string, readonly object[], object]>([
    ['as IBM’s documents have it', [{ updateStatus: 1 }, { state: 0, updateStatus: 0 }], { install: 'ok' }],
    [
      'as IBM’s SDK does',
      [
        { state: 0, updateStatus: 1 },
        { state: 0, updateStatus: 0 },
      ],
      { install: 'ok' },
    ],
    ['that it failed', [{ updateStatus: 1 }, { updateStatus: 5 }], { install: 'failed UpdateNotApplicable' }],
  ])('S4-15, S4-16, S4-17: it installs and tells %s', async (_what, values, expected) => {
    const { adapter, client, notify, manager } = await prepare({ ...willing, [INSTALL]: 202 })
    const ended = run(adapter)
    await client.hears(({ topic }) => topic.endsWith('firmware/download'))
    notify({ state: 2 })
    await client.hears(({ topic }) => topic.endsWith(INSTALL))
    for (const value of values) notify(value)
    expect(await ended).toMatchObject(expected)
    // What was installed runs, though it never said so.
    const isNew = 'ok' === Reflect.get(expected, 'install')
    expect(manager.device('pump/p-1')?.info.fwVersion).toBe(isNew ? '2.0.0' : '1.0.0')
  })

  test('S4-14: a device that has nothing to install says so', async () => {
    const { adapter, client, notify } = await prepare({ ...willing, [INSTALL]: 400 })
    const ended = run(adapter)
    await client.hears(({ topic }) => topic.endsWith('firmware/download'))
    notify({ state: 2 })
    expect(await ended).toEqual({ transfer: 'ok', verify: 'ok', install: 'nothing-installed' })
  })

  test('what was so before it was asked is no end', async () => {
    const { adapter, client, notify } = await prepare(willing)
    const ended = run(adapter)
    await client.hears(({ topic }) => topic.endsWith('firmware/download'))
    notify({ state: 2 })
    const { message } = await client.hears(({ topic }) => topic.endsWith(INSTALL))
    notify({ state: 0 })
    client.say('iotdevice-1/response', { rc: 400, reqId: message['reqId'] })
    expect(await ended).toMatchObject({ install: 'nothing-installed' })
  })

  test('that it is managed no more ends an update', async () => {
    const { adapter, client } = await prepare(willing)
    const ended = adapter.transfer(job())
    await client.hears(({ topic }) => topic.endsWith('firmware/download'))
    client.say('iotdevice-1/mgmt/unmanage', { reqId: 'u' })
    expect(wordOf(await ended)).toBe('failed DeviceFailed')
  })

  test('a refusal is none where the device does what it was asked for', async () => {
    const { download: _unanswered, ...others } = willing
    const { adapter, client, notify } = await prepare(others)
    const ended = adapter.transfer(job())
    await client.hears(({ topic }) => topic.endsWith('firmware/download'))
    notify({ state: 1 })
    const { message } = await client.hears(({ topic }) => topic.endsWith('firmware/download'))
    client.say('iotdevice-1/response', { rc: 400, reqId: message['reqId'] })
    notify({ state: 2 })
    expect(wordOf(await ended)).toBe('ok')
  })

  test('another device cannot answer for it', async () => {
    const { manager, client, url } = await prepare({})
    const other = await startClient(url, 'd:org:pump:p-2')
    const written = manager.write('pump/p-1', [{ field: 'metadata', value: { a: 1 } }], never())
    const { message } = await client.hears(({ topic }) => topic.endsWith('device/update'))
    const reqId = message['reqId']
    other.say('iotdevice-1/response', { rc: 400, reqId })
    other.say('iotdevice-1/mgmt/manage', { reqId: 'o' })
    await other.hears(({ message: said }) => said['reqId'] === 'o')
    client.say('iotdevice-1/response', { rc: 204, reqId })
    expect(await written).toMatchObject({ ok: true })
    expect(manager.device('pump/p-1')?.metadata).toEqual({ a: 1 })
  })
})

/** Bytes of which half never comes. */
// eslint-disable-next-line @typescript-eslint/require-await -- the port is asynchronous, memory is not
async function* halfOf(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes.subarray(0, bytes.byteLength / 2)
  throw new Error('the rest is gone')
}
