import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { type Bmc, machineMember } from '../../src/bmc/bmc.ts'
import { loadMachine } from '../../src/bmc/mockup-folder.ts'
import { isObject } from '../../src/redfish/resource.ts'
import { uris } from '../../src/redfish/uris.ts'
import { rackmountWith } from '../support/behaviours.ts'
import { type Death, leftBy, watchDeaths } from '../support/crashes.ts'
import { startEmulator, type TestOptions } from '../support/emulator.ts'
import { bundleOf } from '../support/images.ts'
import { push } from '../support/multipart.ts'
import { logged, LONG_MS, reset } from '../support/updates.ts'

const SYSTEM = uris.system('1')
const BIOS = uris.firmware('BIOS')
/** Every moment before an issue is resolved, and else every so many. */
const STEP = process.env['PROOF'] === undefined ? 4 : 1

/** What can be seen of a system's power, each state once, from now on. */
function watchPower(bmc: Bmc): string[] {
  const state = (): string => {
    const progress = machineMember(bmc, SYSTEM, 'BootProgress')
    const shown = [machineMember(bmc, SYSTEM, 'PowerState'), isObject(progress) && progress['LastState']]
    return shown.map(String).join(' ')
  }
  const seen = [state()]
  bmc.listeners.add(() => void (state() !== seen.at(-1) && seen.push(state())))
  return seen
}

/** Those moments at which a reset was promised already, some of them. */
function someOf(deaths: readonly Death[], step = STEP): Death[] {
  const promised = deaths.filter(({ records }) => records.some(({ table }) => table === 'resets'))
  return promised.filter((_death, index) => index % step === 0)
}

const image = await bundleOf({ BIOS: '1.9.0' })
const images = new Map([[createHash('sha256').update(image).digest('hex'), image]])
const afterDeath = async (death: Death, options: TestOptions = {}) =>
  startEmulator({ ...options, after: await leftBy(death, images) })

const restarts = ['GracefulRestart', 'ForceRestart', 'PowerCycle', 'FullPowerCycle', 'PushPowerButton']
const resets = [
  ...[...restarts, 'ForceOff', 'GracefulShutdown'].map((type) => [type, 'runs'] as const),
  ...[...restarts, 'On', 'ForceOn'].map((type) => [type, 'is off'] as const),
]

test.each(resets)(
  '%s of a system that %s goes on where it was when the service died, and ends as it would have',
  async (type, power) => {
    const first = await startEmulator()
    if (power === 'is off') await reset(first, SYSTEM, 'ForceOff')
    const whole = watchPower(first.bmc)
    const deaths = watchDeaths(first)
    const before = new Map<Death | undefined, number>()
    first.bmc.listeners.add(() => before.set(deaths.at(-1), whole.length - 1))
    await reset(first, SYSTEM, type)
    await first.clock.advance(LONG_MS)
    for (const [index, death] of someOf(deaths).entries()) {
      const { bmc, clock } = await afterDeath(death)
      const seen = watchPower(bmc)
      await clock.advance(LONG_MS)
      expect(seen, `moment ${index}`).toEqual(whole.slice(before.get(death)))
      expect(bmc.state.resets.size, `moment ${index}`).toBe(0)
    }
  },
)

test.each([
  [SYSTEM, 'ForceOff'],
  [uris.manager('1'), 'GracefulRestart'],
])('a reset of %s is kept before it is promised', async (resource, type) => {
  const emulator = await startEmulator()
  const kept: unknown[] = []
  emulator.bmc.listeners.add(({ resets: [entry] = [], auditLog = [] }) =>
    kept.push(...(entry?.[1] ? [entry[0]] : []), ...auditLog.map(() => 'answered')),
  )
  await reset(emulator, resource, type)
  expect(kept.slice(0, 2)).toEqual([resource, 'answered'])
})

test('a boot into the setup menu leads there, though the override for it is used up', async () => {
  const first = await startEmulator()
  const Boot = { BootSourceOverrideEnabled: 'Once', BootSourceOverrideTarget: 'BiosSetup' }
  expect((await first.send(SYSTEM, { method: 'PATCH', body: { Boot } })).status).toBe(200)
  const deaths = watchDeaths(first)
  await reset(first, SYSTEM, 'ForceRestart')
  await first.clock.advance(LONG_MS)
  for (const death of someOf(deaths)) {
    const { get, clock } = await afterDeath(death)
    await clock.advance(LONG_MS)
    expect(await get(SYSTEM)).toMatchObject({
      BootProgress: { LastState: 'SetupEntered' },
      Boot: { BootSourceOverrideEnabled: 'Disabled' },
    })
  }
})

describe('a reset of a manager', () => {
  test.each([
    ['rackmount', uris.manager('1'), true],
    ['bladed', uris.manager('Blade1BMC'), false],
    ['bladed', uris.manager('EnclosureManager'), true],
  ])(
    'of %s, %s, goes on and ends, and so does the outage that it is: %j',
    async (machine, manager, serves) => {
      const first = await startEmulator({ machine })
      const deaths = watchDeaths(first)
      await reset(first, manager)
      await first.clock.advance(LONG_MS)
      const { LastResetTime } = await first.get(manager)
      const left = someOf(deaths, 1).filter(({ records }) => records.some(({ key }) => key === manager))
      expect(left.length).toBeGreaterThan(2)
      for (const [index, death] of left.entries()) {
        const isOver = !death.records.some(({ table }) => table === 'resets')
        const { bmc, clock, get } = await afterDeath(death, { machine })
        await clock.advance(1)
        expect(bmc.state.outage !== undefined, `moment ${index}`).toBe(serves && !isOver)
        await clock.advance(bmc.machine.outage.bootMs)
        expect(bmc.state.outage, `moment ${index}`).toBe(undefined)
        expect(await get(manager), `moment ${index}`).toMatchObject({
          Status: { State: 'Enabled' },
          ...(LastResetTime !== undefined && { LastResetTime }),
        })
        expect(bmc.state.resets.size, `moment ${index}`).toBe(0)
      }
    },
  )

  test('does not strike what began while the manager was booting', async () => {
    const bladed = loadMachine('bladed')
    const options = { machine: rackmountWith({ 'Blade1-BMC': { onManagerReset: 'goes-on' } }, bladed) }
    const first = await startEmulator(options)
    await reset(first, uris.manager('Blade1BMC'))
    await first.clock.advance(10_000)
    const softwareId = bladed.components.get('Blade1-BMC')?.softwareId ?? ''
    const Targets = [uris.firmware('Blade1-BMC')]
    await push(first, await bundleOf({ 'Blade1-BMC': '1.10.0' }, { softwareId }), { Targets })
    await first.clock.advance(1_000)
    expect(await first.get(uris.firmware('Blade1-BMC'))).toMatchObject({ Status: { State: 'Updating' } })
    const { clock, bmc } = await startEmulator({ ...options, after: first })
    expect(bmc.state.resets.size).toBe(1)
    await clock.advance(LONG_MS)
    expect(bmc.state.tasks.get('1')).toMatchObject({ state: 'Completed' })
    expect(bmc.state.components.get('Blade1-BMC')).toMatchObject({ health: 'OK' })
  })

  test('ends sessions, and lets in who has a password', async () => {
    const first = await startEmulator()
    const body = { UserName: 'admin', Password: 'redflash' }
    const { headers } = await first.send(uris.sessions, { method: 'POST', user: null, body })
    const session = { user: null, headers: { 'x-auth-token': String(headers['x-auth-token']) } } as const
    expect((await first.send(uris.updateService, session)).status).toBe(200)
    const { send } = await startEmulator({ after: first })
    expect((await send(uris.updateService, session)).status).toBe(401)
    expect((await send(uris.updateService)).status).toBe(200)
  })
})

describe('an image that waits for a reset', () => {
  const machine = rackmountWith({ BIOS: { onManagerReset: 'goes-on' } })

  test.each(['pending', 'completed', 'job'] as const)(
    'awaitReset %s: is activated by it once, whenever the service died meanwhile',
    async (awaitReset) => {
      const options = { machine, adapted: { awaitReset } }
      const first = await startEmulator(options)
      await push(first, image, { Targets: [BIOS] })
      await first.clock.advance(LONG_MS)
      const deaths = watchDeaths(first)
      await reset(first, SYSTEM, 'GracefulRestart')
      await first.clock.advance(LONG_MS)
      for (const [index, death] of someOf(deaths, 2 * STEP).entries()) {
        const emulator = await afterDeath(death, options)
        await emulator.clock.advance(2 * LONG_MS)
        expect(await emulator.get(BIOS), `moment ${index}`).toMatchObject({
          Version: '1.9.0',
          Status: { State: 'Enabled', Health: 'OK' },
        })
        expect(emulator.bmc.state.history.get('BIOS')?.length, `moment ${index}`).toBe(1)
        const ends = (await logged(emulator)).filter((entry) => entry === 'UpdateSuccessful BIOS')
        expect(ends.length, `moment ${index}`).toBe(1)
      }
    },
  )

  test('that came when the reset had let go on what waited, is neither struck by it nor activated', async () => {
    const quick = { verifyMs: 1_000, installMs: 10_000, onManagerReset: 'goes-on' } as const
    const options = { machine: rackmountWith({ BIOS: quick }), adapted: { awaitReset: 'pending' } } as const
    const first = await startEmulator(options)
    await reset(first, SYSTEM, 'ForceRestart')
    await first.clock.advance(20_000)
    await push(first, image, { Targets: [BIOS] })
    await first.clock.advance(5_000)
    expect(await first.get(BIOS)).toMatchObject({ Status: { State: 'Updating' } })
    const second = await startEmulator({ ...options, after: first })
    await second.clock.advance(15_000)
    expect(await second.get(uris.task('1'))).toMatchObject({ TaskState: 'Pending' })
    expect(await second.get(SYSTEM)).toMatchObject({ PowerState: 'On' })
    expect(second.bmc.state.resets.size).toBe(1)
    const emulator = await startEmulator({ ...options, after: second })
    await emulator.clock.advance(LONG_MS)
    expect(await emulator.get(SYSTEM)).toMatchObject({ BootProgress: { LastState: 'OSRunning' } })
    expect(await emulator.get(uris.task('1'))).toMatchObject({ TaskState: 'Pending' })
    await reset(emulator, SYSTEM, 'ForceRestart')
    await emulator.clock.advance(LONG_MS)
    expect(await emulator.get(BIOS)).toMatchObject({ Version: '1.9.0' })
  })
})
