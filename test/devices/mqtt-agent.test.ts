import { describe, expect, onTestFinished, test } from 'vitest'
import { Agent } from '../../src/devices/mqtt/agent/agent.ts'
import { Downloads } from '../../src/devices/mqtt/agent/download.ts'
import { VirtualClock } from '../../src/lib/clock.ts'
import { failed, pump, quick } from '../support/mqtt.ts'
import { type AgentState, answer } from '../../src/devices/mqtt/agent/answers.ts'
import { allQuirks, failures, type Quirk } from '../../src/devices/mqtt/agent/traits.ts'
import { type Firmware, noFirmware } from '../../src/devices/mqtt/firmware.ts'

const uri = 'http://127.0.0.1/image'
const state = (firmware: Partial<Firmware> = {}, observed: readonly string[] = []): AgentState => ({
  runs: '1.0.0',
  firmware: { ...noFirmware, uri, ...firmware },
  observed,
})
type Asked = readonly [path: string, message: object]
const ask = (from: AgentState, [path, message]: Asked, quirks: readonly Quirk[] = []) =>
  answer(from, { path, payload: Buffer.from(JSON.stringify(message)), quirks: new Set(quirks) })

const installing = state({ state: 2, updateStatus: 1 })
const downloading = state({ state: 1 })
const fields = (...names: readonly string[]): object => ({ d: { fields: names.map((field) => ({ field })) } })
const write = (value: unknown): object => ({ d: { fields: [{ field: 'mgmt.firmware', value }] } })

describe('a simulated device', () => {
  test.each<readonly [string, AgentState, Asked, object]>([
    ['takes a description', state(), ['device/update', write({ version: '2' })], { response: { rc: 204 } }],
    [
      'takes what it does not know',
      state(),
      ['device/update', { d: { fields: [{ field: 'colour', value: 'red' }] } }],
      { response: { rc: 204 } },
    ],
    [
      'takes none of a wrong form',
      state(),
      ['device/update', write({ state: 7 })],
      { response: { rc: 400 } },
    ],
    ['takes none without fields', state(), ['device/update', { d: {} }], { response: { rc: 400 } }],
    ['takes none while it works', downloading, ['device/update', write({})], { response: { rc: 409 } }],
    ['lets itself be observed', state(), ['observe', fields('mgmt.firmware')], { response: { rc: 200 } }],
    ['knows no other attribute', state(), ['observe', fields('mgmt.colour')], { response: { rc: 404 } }],
    ['needs to be told which', state(), ['observe', {}], { response: { rc: 400 } }],
    [
      'ends an observation',
      state({}, ['mgmt.firmware']),
      ['cancel', fields('mgmt.firmware')],
      { state: { observed: [] } },
    ],
    ['needs to be told which one', state(), ['cancel', {}], { response: { rc: 400 } }],
    ['knows no custom actions', state(), ['mgmt/custom/b/act', {}], { response: { rc: 501 } }],
    [
      'reboots',
      downloading,
      ['mgmt/initiate/device/reboot', {}],
      { response: { rc: 202 }, deed: 'device/reboot' },
    ],
  ])('%s', (_what, from, asked, expected) => {
    expect(ask(from, asked)).toMatchObject(expected)
  })

  test('does not reboot while it installs', () => {
    for (const action of ['reboot', 'factory_reset']) {
      const { deed, response } = ask(installing, [`mgmt/initiate/device/${action}`, {}])
      expect([deed, response?.rc]).toEqual([undefined, 409])
    }
  })

  test('says what it observes is now', () => {
    const from = state({ state: 2, version: '2' })
    const names = ['mgmt.firmware', 'mgmt.firmware.state', 'deviceInfo.fwVersion']
    expect(ask(from, ['observe', fields(...names)]).response?.d).toEqual({
      fields: [
        { field: 'mgmt.firmware', value: from.firmware },
        { field: 'mgmt.firmware.state', value: 2 },
        { field: 'deviceInfo.fwVersion', value: '1.0.0' },
      ],
    })
  })

  test.each<readonly [Quirk, AgentState, Asked, object]>([
    [
      'acts-when-refusing',
      downloading,
      ['mgmt/initiate/firmware/download', {}],
      { response: { rc: 400 }, deed: 'firmware/download' },
    ],
    [
      'acts-when-refusing',
      state(),
      ['mgmt/initiate/firmware/update', {}],
      { response: { rc: 400 }, deed: 'firmware/update' },
    ],
    [
      'overwrites',
      downloading,
      ['device/update', write({ version: '2', state: 0 })],
      { response: { rc: 204 }, state: { firmware: { version: '2', state: 0 } } },
    ],
    [
      'dumb-undescribed',
      state({ uri: '' }),
      ['mgmt/initiate/firmware/download', {}],
      { state: { firmware: { state: 0 } } },
    ],
    ['omits-values', state(), ['observe', fields('mgmt.firmware')], { response: { rc: 200 } }],
  ])('with the quirk %s differs from one without', (quirk, from, asked, expected) => {
    const odd = ask(from, asked, [quirk])
    expect(odd).toMatchObject(expected)
    expect(odd).not.toEqual(ask(from, asked))
  })

  test('IBM’s SDK has every quirk, and every failure its status', () => {
    expect(allQuirks.size).toBe(7)
    expect(Object.values(failures).map(({ during, status }) => `${during} ${status}`)).toEqual([
      'download 2',
      'download 3',
      'download 4',
      'download 6',
      'update 2',
      'update 5',
    ])
  })
})

describe('a simulated device and its broker', () => {
  /** A device whose words go astray where a test says so. */
  const prepare = () => {
    const said: (readonly [path: string, message: Readonly<Record<string, unknown>>])[] = []
    let isHeard = true
    const clock = new VirtualClock()
    const downloads = new Downloads(clock)
    const agent = new Agent({
      ...pump,
      clock,
      traits: quick,
      downloads,
      told: () => {},
      failed,
      link: {
        say: (path, message) => {
          said.push([path, { ...message }])
          return Promise.resolve(isHeard)
        },
        leave: () => Promise.resolve(),
        come: () => {},
      },
    })
    onTestFinished(async () => {
      await agent.close()
      await downloads.close()
    })
    const hear = (path: string, message: object): void =>
      agent.hear(path, Buffer.from(JSON.stringify(message)))
    const manage = (): void => {
      agent.up()
      const [, message] = said.findLast(([path]) => path === 'mgmt/manage') ?? []
      hear('response', { rc: 200, reqId: message?.['reqId'] })
    }
    const spoken = (path: string): number => said.filter(([one]) => one === path).length
    return { agent, clock, hear, manage, spoken, hearing: (is: boolean) => (isHeard = is) }
  }

  test('says again what has gone astray, when it is managed again', async () => {
    const { agent, clock, hear, manage, spoken, hearing } = prepare()
    manage()
    hear('observe', { reqId: 'o', ...fields('mgmt.firmware') })
    hear('device/update', { reqId: 'u', ...write({ uri: 'no uri' }) })
    hearing(false)
    hear('mgmt/initiate/firmware/download', { reqId: 'd' })
    await clock.advance(1)
    const before = spoken('notify')
    hearing(true)
    agent.down()
    manage()
    expect(spoken('notify')).toBe(before + 1)
    manage()
    expect(spoken('notify')).toBe(before + 1)
  })

  test('asks to be managed again when nobody knows it any more, or nobody has answered', async () => {
    const { agent, clock, hear, manage, spoken } = prepare()
    manage()
    hear('response', { rc: 404, reqId: 'of something' })
    expect(spoken('mgmt/manage')).toBe(2)
    expect(agent.isManaged).toBe(false)
    await clock.advance(10_000)
    expect(spoken('mgmt/manage')).toBe(3)
    manage()
    expect(agent.isManaged).toBe(true)
  })
})
