import { describe, expect, test } from 'vitest'
import type { JsonObject } from '../../src/redfish/resource.ts'
import { uris } from '../../src/redfish/uris.ts'
import { noFirmware } from '../../src/devices/mqtt/firmware.ts'
import { startEmulator, type TestEmulator } from '../support/emulator.ts'
import { mqttMethod, MqttLab, WORK_MS } from '../support/mqtt-lab.ts'

const URI = 'http://images.example/pump-2.bin'

async function startConsole(prepare: (lab: MqttLab) => void, lab = new MqttLab()) {
  prepare(lab)
  const emulator = await startEmulator({
    machine: 'console',
    methods: [mqttMethod],
    mqttDevices: (clock) => lab.managedBy(clock),
  })
  lab.attachTo(emulator)
  return { ...emulator, lab }
}

type Console = Pick<TestEmulator, 'send'>

const deviceOf = (key: string) => {
  const [typeId, deviceId] = key.split('/')
  return { typeId, deviceId }
}

const download = (keys: readonly string[], parameters: JsonObject[] = [{ name: 'uri', value: URI }]) =>
  ({ action: 'firmware/download', parameters, devices: keys.map(deviceOf) }) as JsonObject

const act = (action: string, keys: readonly string[]) =>
  ({ action, devices: keys.map(deviceOf) }) as JsonObject

const post = ({ send }: Console, body: JsonObject | string, user = 'admin') =>
  send(uris.deviceRequests, {
    method: 'POST',
    body,
    user,
    headers: { 'content-type': 'application/json' },
  })

/** The keys of all that is wrong, as the platform tells it. */
function mistakes({ json }: { readonly json: JsonObject }): string[] {
  const { exception, violations } = json as {
    readonly exception: { readonly id: string }
    readonly violations?: readonly { readonly exception: { readonly id: string } }[]
  }
  const all = violations?.map((one) => one.exception.id) ?? [exception.id]
  return all.map((id) => id.split('.').at(-1) ?? '')
}

const pumps = (count: number) => Array.from({ length: count }, (_, index) => `pump/p-${index + 1}`)
const addPumps = (count: number) => (lab: MqttLab) =>
  pumps(count).forEach((key) => lab.add('pump', key.slice(5)))

describe('a request of device management', () => {
  test('S4-05, S4-12: is a job: devices download, then install, and both sides show the same', async () => {
    const console = await startConsole(addPumps(3))
    const parameters = [
      { name: 'uri', value: URI },
      { name: 'version', value: '2.0.0' },
      { name: 'verifier', value: 'abc' },
    ]
    const accepted = await post(console, download(pumps(3), parameters))
    expect(accepted).toMatchObject({ status: 202, json: { reqId: '1' } })
    console.lab.agent('pump/p-2').downloadFails = 4
    await console.clock.advance(WORK_MS / 2)
    expect(await console.get(uris.deviceRequest('1'))).toMatchObject({ complete: false, deviceCount: 3 })
    expect(await console.get(uris.job('1'))).toMatchObject({
      JobState: 'Running',
      Oem: { Redflash: { Action: 'firmware/download', Devices: { Running: 3 } } },
    })
    await console.clock.advance(WORK_MS)
    expect(console.lab.agent('pump/p-1').written).toMatchObject([
      { uri: URI, version: '2.0.0', verifier: 'abc', state: 0 },
    ])
    expect(await console.get(uris.job('1'))).toMatchObject({
      JobState: 'Exception',
      PercentComplete: 100,
      Oem: { Redflash: { Devices: { Succeeded: 2, Failed: 1 } } },
    })
    expect(await console.get(uris.step('1', '2'))).toMatchObject({ JobState: 'Exception' })
    const { results } = (await console.get(uris.deviceStatuses('1'))) as { results: JsonObject[] }
    expect(results.map(({ status, complete }) => [status, complete])).toEqual([
      [0, true],
      [2, true],
      [0, true],
    ])
    await post(console, act('firmware/update', ['pump/p-1', 'pump/p-3']))
    await console.clock.advance(2 * WORK_MS)
    expect(await console.get(uris.deviceRequest('2'))).toMatchObject({ complete: true, percentComplete: 100 })
    expect(await console.get(uris.job('2'))).toMatchObject({ JobState: 'Completed' })
    expect(console.lab.agent('pump/p-1').asked).toEqual(['firmware/download', 'firmware/update'])
  })

  test.each(['device/reboot', 'device/factoryReset'])(
    '%s is over when the device is back',
    async (action) => {
      const console = await startConsole(addPumps(1))
      await post(console, act(action, pumps(1)))
      await console.clock.advance(WORK_MS - 1)
      expect(await console.get(uris.deviceStatus('1', 'pump', 'p-1'))).toMatchObject({ status: 1 })
      await console.clock.advance(1)
      expect(await console.get(uris.deviceStatus('1', 'pump', 'p-1'))).toMatchObject({
        status: 0,
        complete: true,
      })
      expect(await console.get(uris.job('1'))).toMatchObject({ JobState: 'Completed' })
    },
  )

  test('waits for devices that are dormant, and gives up those that say nothing', async () => {
    const console = await startConsole(addPumps(2))
    console.lab.become('pump/p-1', { isDormant: true })
    console.lab.agent('pump/p-2').isSilent = true
    await post(console, download(pumps(2)))
    await console.clock.advance(86_400_000)
    const { results } = (await console.get(uris.deviceStatuses('1'))) as { results: JsonObject[] }
    expect(results.map(({ status }) => status)).toEqual([1, 3])
    console.lab.become('pump/p-1', { isDormant: false }, 'awake')
    await console.clock.advance(WORK_MS)
    expect(await console.get(uris.deviceStatus('1', 'pump', 'p-1'))).toMatchObject({ status: 0 })
    expect(await console.get(uris.job('1'))).toMatchObject({
      Oem: { Redflash: { Devices: { Succeeded: 1, TimedOut: 1 } } },
    })
  })

  test('is listed by pages, and its devices are', async () => {
    const console = await startConsole(addPumps(3))
    for (const key of pumps(3)) await post(console, download([key]))
    const pageOf = async (path: string, query: string) =>
      (await console.get(`${path}?${query}`)) as { results: JsonObject[]; bookmark?: string }
    const first = await pageOf(uris.deviceRequests, '_limit=2')
    expect(first).toMatchObject({
      results: [{ id: '1' }, { id: '2' }],
      meta: { total_rows: 3 },
      bookmark: '2',
    })
    const last = await pageOf(uris.deviceRequests, '_limit=2&_bookmark=2')
    expect(last.results.map(({ id }) => id)).toEqual(['3'])
    expect(last).not.toHaveProperty('bookmark')
    const wrong: readonly (readonly [path: string, query: string, keys: readonly string[]])[] = [
      [uris.deviceRequests, '_limit=0', ['QueryParameterOutOfRange']],
      [uris.deviceRequests, '_bookmark=two', ['QueryParameterValueFormatError']],
      [uris.deviceStatuses('1'), '_bookmark=', ['QueryParameterValueFormatError']],
      [uris.deviceTypes, '_bookmark=pump/p-1', ['QueryParameterValueFormatError']],
      [
        uris.allDevices,
        '_limit=x&_bookmark=pump',
        ['QueryParameterOutOfRange', 'QueryParameterValueFormatError'],
      ],
    ]
    for (const [path, query, keys] of wrong) {
      const answer = await console.send(`${path}?${query}`)
      expect([query, answer.status, mistakes(answer)]).toEqual([query, 400, keys])
    }
    expect((await pageOf(uris.deviceRequests, '_bookmark=7')).results).toEqual([])
    await post(console, act('device/reboot', []))
    expect((await pageOf(uris.deviceRequests, '')).results).toHaveLength(3)
  })

  test('that is cancelled as a job, or deleted as a request, has ended on the other side', async () => {
    const console = await startConsole(addPumps(2))
    await post(console, download(['pump/p-1']))
    await post(console, download(['pump/p-2']))
    await console.clock.advance(1)
    expect((await console.send(uris.job('1'), { method: 'DELETE' })).status).toBe(202)
    await console.clock.advance(1)
    expect(await console.get(uris.deviceRequest('1'))).toMatchObject({ complete: true })
    expect(await console.get(uris.job('1'))).toMatchObject({
      JobState: 'Cancelled',
      Oem: { Redflash: { Devices: { Cancelled: 1 } } },
    })
    expect((await console.send(uris.job('1'), { method: 'DELETE' })).status).toBe(204)
    expect((await console.send(uris.deviceRequest('1'))).status).toBe(404)
    expect((await console.send(uris.deviceRequest('2'), { method: 'DELETE' })).status).toBe(204)
    for (const uri of [uris.deviceRequest('2'), uris.job('2'), uris.step('2', '1')])
      expect((await console.send(uri)).status).toBe(404)
  })

  test('has failed of a device that comes back with another version than that which was installed', async () => {
    const console = await startConsole(addPumps(3))
    const parameters = [
      { name: 'uri', value: URI },
      { name: 'version', value: '2.0.0' },
    ]
    await post(console, download(pumps(3), parameters))
    await console.clock.advance(2 * WORK_MS)
    await post(console, act('firmware/update', pumps(3)))
    await console.clock.advance(WORK_MS / 2)
    const idle = { ...noFirmware }
    // What is said of the second nobody has ever known.
    for (const [key, info] of [
      ['pump/p-1', { fwVersion: '1.0.0' }],
      ['pump/p-2', {}],
    ] as const) {
      console.lab.agent(key).firmware = idle
      console.lab.become(key, { firmware: idle, info })
    }
    await console.clock.advance(60 * WORK_MS)
    const { results } = (await console.get(uris.deviceStatuses('2'))) as { results: JsonObject[] }
    expect(results.map(({ status, complete }) => [status, complete])).toEqual([
      [2, true],
      [0, true],
      [0, true],
    ])
  })

  test('goes on after a restart, and asks no device twice', async () => {
    const lab = new MqttLab()
    const first = await startConsole(addPumps(4), lab)
    for (const key of pumps(4)) lab.agent(key).firmware = { ...lab.agent(key).firmware, uri: URI, state: 2 }
    lab.become('pump/p-4', { isDormant: true })
    const held = lab.agent('pump/p-3')
    await post(first, act('firmware/update', pumps(4)))
    await first.clock.advance(1)
    // It has done it, and the console has not heard.
    lab.agent('pump/p-2').firmware = { ...lab.agent('pump/p-2').firmware, state: 0, updateStatus: 0 }
    held.isSilent = true
    lab.forgotten()
    const after = { journal: first.journal, spool: first.spool, clock: first.clock }
    await first.app.fastify.close()
    const second = await startEmulator({
      machine: 'console',
      methods: [mqttMethod],
      mqttDevices: (clock) => lab.managedBy(clock),
      after,
    })
    // What it works on, it works on.
    lab.become('pump/p-4', { isDormant: false }, 'awake')
    await second.clock.advance(1)
    lab.agent('pump/p-1').firmware = { ...lab.agent('pump/p-1').firmware, state: 0, updateStatus: 0 }
    lab.become('pump/p-1', { firmware: lab.agent('pump/p-1').firmware })
    await second.clock.advance(WORK_MS)
    expect(pumps(4).map((key) => lab.agent(key).asked)).toEqual(pumps(4).map(() => ['firmware/update']))
    const { results } = (await second.get(uris.deviceStatuses('1'))) as { results: JsonObject[] }
    expect(results.map(({ status }) => status)).toEqual([0, 0, 2, 0])
    expect(await second.get(uris.job('1'))).toMatchObject({
      JobState: 'Exception',
      Oem: { Redflash: { Devices: { Succeeded: 3, Failed: 1 } } },
    })
  })
})

describe('a request that cannot be', () => {
  const prepare = (lab: MqttLab): void => {
    addPumps(3)(lab)
    lab.add('valve', 'v-1')
    lab.add('valve', 'v-2', { supports: {} })
    lab.agent('pump/p-3').firmware = { ...lab.agent('pump/p-3').firmware, state: 1 }
  }
  const uri = { name: 'uri', value: URI }

  const cases: readonly [what: string, body: JsonObject | string, status: number, keys: readonly string[]][] =
    [
      ['is no JSON', '{"action":', 400, ['MalformedJSON']],
      ['is no object', '[]', 400, ['UnrecognizedRequestBody']],
      ['is empty', {}, 400, ['PropertyMissing', 'PropertyMissing']],
      ['has an unknown action', act('firmware/eat', pumps(1)), 400, ['PropertyValueNotInList']],
      ['has an unknown member', { ...act('device/reboot', pumps(1)), now: true }, 400, ['PropertyUnknown']],
      ['has no URI', download(pumps(1), []), 400, ['PropertyMissing']],
      ...['x', 'file:///pump.bin', 'file://host/pump.bin', 'data:,pump', 'mailto:a@b.example'].map(
        (value): (typeof cases)[number] => [
          `has the URI ${value}, from where no device fetches`,
          download(pumps(1), [{ name: 'uri', value }]),
          400,
          ['PropertyValueFormatError'],
        ],
      ),
      [
        'has an empty URI',
        download(pumps(1), [{ name: 'uri', value: '' }]),
        400,
        ['PropertyValueFormatError'],
      ],
      ['has a URI twice', download(pumps(1), [uri, uri]), 400, ['PropertyValueConflict']],
      [
        'has another parameter',
        download(pumps(1), [uri, { name: 'x', value: '1' }]),
        400,
        ['PropertyValueNotInList'],
      ],
      [
        'has a parameter for a reboot',
        { ...act('device/reboot', pumps(1)), parameters: [uri] as never },
        400,
        ['PropertyValueNotInList'],
      ],
      ['is for nobody', act('device/reboot', []), 400, ['ArraySizeTooShort']],
      [
        'is for a device twice',
        act('device/reboot', ['pump/p-1', 'pump/p-1']),
        400,
        ['PropertyValueConflict'],
      ],
      ['is for nobody who is known', act('device/reboot', ['pump/p-9']), 404, ['ResourceNotFound']],
      [
        'is an update of two types',
        act('firmware/update', ['pump/p-1', 'valve/v-1']),
        400,
        ['DeviceTypesMixed'],
      ],
      [
        'is an update of what is not downloaded',
        act('firmware/update', ['pump/p-1']),
        409,
        ['DeviceInWrongState'],
      ],
      ['is a download of who downloads', download(['pump/p-3']), 409, ['DeviceInWrongState']],
      ['is for a device that cannot', act('device/reboot', ['valve/v-2']), 501, ['DeviceActionUnsupported']],
      [
        'has all of it',
        { ...download(['pump/p-9', 'valve/v-2'], [{ name: 'x', value: '1' }]), y: 1 },
        400,
        [
          'PropertyUnknown',
          'PropertyValueNotInList',
          'PropertyMissing',
          'ResourceNotFound',
          'DeviceActionUnsupported',
        ],
      ],
    ]

  test('begins nothing, and tells all that is wrong', async () => {
    const console = await startConsole(prepare)
    for (const [what, body, status, keys] of cases) {
      const answer = await post(console, body)
      expect([what, answer.status, mistakes(answer).toSorted()]).toEqual([what, status, keys.toSorted()])
    }
    expect(console.bmc.state.jobs.size).toBe(0)
  })

  test('begins nothing while another has its hold on a device', async () => {
    const console = await startConsole(addPumps(1))
    expect((await post(console, download(pumps(1)))).status).toBe(202)
    const again = await post(console, act('device/reboot', pumps(1)))
    expect([again.status, mistakes(again)]).toEqual([409, ['ComponentBusy']])
    await console.clock.advance(2 * WORK_MS)
    expect((await post(console, act('device/reboot', pumps(1)))).status).toBe(202)
  })

  test('needs the privileges of an update', async () => {
    const console = await startConsole(addPumps(1))
    expect((await post(console, download(pumps(1)), 'reader')).status).toBe(403)
    const nobody = await console.send(uris.deviceRequests, { user: null })
    expect([nobody.status, mistakes(nobody)]).toEqual([401, ['AccessUnauthorized']])
    expect((await console.send(uris.deviceRequests, { user: 'reader' })).status).toBe(200)
  })
})

/** More than are asked at the same time. */
const MANY = process.env['PROOF'] === undefined ? 600 : 5_000

test('many devices are asked by one request, each once', async () => {
  const console = await startConsole(addPumps(MANY))
  await post(console, act('device/reboot', pumps(MANY)))
  await console.clock.advance(11 * WORK_MS)
  expect(await console.get(uris.job('1'))).toMatchObject({
    JobState: 'Completed',
    Oem: { Redflash: { Devices: { Succeeded: MANY } } },
  })
  expect(pumps(MANY).every((key) => console.lab.agent(key).asked.length === 1)).toBe(true)
})

test('5,000 devices may be named, and one more is too many', async () => {
  const console = await startConsole(addPumps(1))
  const asked = async (count: number) =>
    new Set(mistakes(await post(console, act('device/reboot', pumps(count)))))
  expect(await asked(5_000)).toEqual(new Set(['ResourceNotFound']))
  expect(await asked(5_001)).toEqual(new Set(['ResourceNotFound', 'ArraySizeTooLong']))
})
