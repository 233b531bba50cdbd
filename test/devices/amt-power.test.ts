import { describe, expect, test } from 'vitest'
import { decodeRecord } from '../../src/devices/amt/audit-record.ts'
import { requests } from '../../src/devices/amt/power-states.ts'
import { ordinaryTimes } from '../../src/devices/amt/simulated/machine.ts'
import { never, startMachine } from '../support/amt-machine.ts'
import { account } from '../support/amt-peer.ts'

const { on, sleep, cycle, hibernate, off, reset, interrupt, softOff, softReset } = requests
const running = [reset, off, cycle, sleep, hibernate, softReset, softOff]

describe('the power of a machine', () => {
  test.each([
    ['on', [], 2, running],
    ['off', [off], 8, [on]],
    ['off, when it has shut down', [softOff], 8, [on]],
    ['asleep', [sleep], 4, [on, cycle, off, reset]],
    ['in hibernation', [hibernate], 7, [on, cycle, off, reset]],
    ['on, when it wakes', [sleep, on], 2, running],
    ['on, when it has booted', [off, on], 2, running],
    ['on, when it was reset gently', [softReset], 2, running],
  ])('can be asked for what is possible when it is %s', async (_what, asked, state, available) => {
    const { power, request, clock } = await startMachine()
    for (const one of asked) {
      expect(await request(one)).toBe('0')
      await clock.advance(60_000)
    }
    const [seen, offered] = await power()
    expect(Number(seen)).toBe(state)
    expect(new Set(offered)).toEqual(new Set(available.map(String)))
  })

  test.each([
    ['on', true, on, '2'],
    ['off', false, off, '2'],
    ['off', false, reset, '2'],
    ['off', false, softOff, '2'],
    ['on', true, interrupt, '2'],
    ['on', true, 77, '5'],
  ])('is not ready, when %s (%s), for %i: %s', async (_what, isOn, asked, value) => {
    const { request, events } = await startMachine({ isOn })
    expect(await request(asked)).toBe(value)
    expect(events()).toEqual([])
  })

  test('has nobody who could shut down gently while it boots', async () => {
    const { power, request, clock } = await startMachine({ isOn: false })
    await request(on)
    const { postMs, bootMs } = ordinaryTimes
    await clock.advance(postMs + bootMs - 1)
    expect((await power())[1]).not.toContain(String(softOff))
    expect(await request(softOff)).toBe('2')
    await clock.advance(1)
    expect((await power())[1]).toContain(String(softOff))
  })

  test('is recorded, with who asked', async () => {
    const { machine, request, clock, events } = await startMachine({ isOn: false })
    for (const one of [on, reset, softReset, cycle, sleep, on, softOff]) {
      await request(one)
      await clock.advance(60_000)
    }
    expect(events()).toEqual([
      'powerUp',
      'reset',
      'gracefulReset',
      'powerCycle',
      'standby',
      'powerUp',
      'gracefulPowerDown',
    ])
    const [record = ''] = machine.auditLog.read(1)
    expect(decodeRecord(record)).toMatchObject({ user: 'admin', address: '127.0.0.1' })
  })

  test('is recorded in a log that is read to its end, ten records at a time', async () => {
    const { request, adapter, address, clock } = await startMachine()
    for (let times = 0; times < 25; times++) {
      await request(reset)
      await clock.advance(60_000)
    }
    const read = await adapter.abilities.readLog(address, never)
    expect(read.ok && read.value.map(({ user }) => user)).toEqual(Array(25).fill(account.userName))
  })
})

describe('a reset by its Redfish name', () => {
  test.each([
    ['On', false, 'powerUp'],
    ['ForceOff', true, 'powerDown'],
    ['ForceRestart', true, 'reset'],
    ['PowerCycle', true, 'powerCycle'],
    ['GracefulShutdown', true, 'gracefulPowerDown'],
    ['GracefulRestart', true, 'gracefulReset'],
  ])('%s, when its power is %s, is %s', async (type, isOn, event) => {
    const { adapter, address, events } = await startMachine({ isOn })
    expect(await adapter.reset(address, { of: 'system', type }, never)).toEqual({ ok: true })
    expect(events()).toEqual([event])
  })

  test.each([
    ['On', true],
    ['ForceRestart', false],
    ['GracefulShutdown', false],
  ])('%s is not for now when its power is %s, and the machine is not even asked', async (type, isOn) => {
    const { adapter, address, events } = await startMachine({ isOn })
    const refused = await adapter.reset(address, { of: 'system', type }, never)
    expect(refused).toMatchObject({ ok: false, problem: { kind: 'busy' } })
    expect(events()).toEqual([])
  })

  test.each([
    ['system', 'Nmi'],
    ['system', 'Pause'],
    ['manager', 'ForceRestart'],
  ] as const)('of a %s there is no %s', async (of, type) => {
    const { adapter, address } = await startMachine()
    const refused = await adapter.reset(address, { of, type }, never)
    expect(refused).toMatchObject({ ok: false, problem: { kind: 'unsupported' } })
  })
})

test('what a machine tells of itself is told by the adapter', async () => {
  const { adapter, address, machine } = await startMachine({ isOn: false })
  const { uuid, serialNumber } = machine.options.identity
  expect(await adapter.look(address, never)).toMatchObject({
    ok: true,
    value: {
      name: 'Virtual vPro',
      manufacturer: 'Redflash',
      model: 'Virtual vPro',
      serialNumber,
      uuid,
      power: 'Off',
      managerResetTypes: [],
      firmware: [
        { id: 'BIOS', version: '1.4.0', of: 'system', updateable: true, softwareId: 'BIOS-Virtual-vPro' },
        { id: 'CSME', version: '16.1.25.1932', of: 'manager', updateable: true, softwareId: 'Intel-CSME' },
        { id: 'CSME-Recovery', version: '16.0.15.1620', of: 'manager', updateable: false },
      ],
    },
  })
})
