import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type DeviceStageName, Faults, plannedFaults, ways } from '../src/bmc/device-faults.ts'
import { loadMachine } from '../src/bmc/mockup-folder.ts'
import { createSimulatedFlasher } from '../src/devices/simulated/simulated-flasher.ts'
import { type InjectedFault, withFaults } from '../src/faults/faulty-flasher.ts'
import { hasFaults, planFaults } from '../src/faults/plan.ts'
import { VirtualClock } from '../src/lib/clock.ts'
import { flashJob, type JobOptions, newStrikes, outcome, rejection } from './contracts/flasher.ts'
import { complaints, configFile, serve } from './support/cli.ts'
import { startEmulator } from './support/emulator.ts'
import { bundleOf } from './support/images.ts'
import { messageKeys, multipartBody, pushParts } from './support/multipart.ts'
import { LONG_MS, update } from './support/updates.ts'
import { lastTask, startWire } from './support/wire.ts'
import { upload } from './support/wire-push.ts'

const machine = loadMachine('rackmount')
const planned = (fail: unknown) => planFaults(machine, { 'NIC-1': { fail } })

describe('a plan', () => {
  test('changes the devices that it names and no others', () => {
    const changed = planned({ at: 'verify' })
    const differing = [...changed.components].filter(
      ([id, { behaviour }]) => behaviour.fail !== machine.components.get(id)?.behaviour.fail,
    )
    expect(differing.map(([id]) => id)).toEqual(['NIC-1'])
    expect([hasFaults(changed), hasFaults(machine)]).toEqual([true, false])
  })

  test('leaves out what it does not mind', () => {
    const { behaviour } = planned({ at: 'verify' }).components.get('NIC-1') ?? { behaviour: {} }
    expect(plannedFaults(behaviour)).toEqual([
      { at: 'verify', how: 'fails', after: 0, factor: 10, times: Infinity, versions: undefined },
    ])
  })

  test.each([['0%'], ['7%'], ['40%'], ['100%']])('may let %s go well', (after) => {
    expect(hasFaults(planned({ at: 'install', after }))).toBe(true)
  })

  test.each<[string, unknown, readonly string[]]>([
    ['no stage', {}, ['/at: missing']],
    ['another stage', { at: 'boot' }, ['/at: choice']],
    ['another way', { at: 'verify', how: 'explodes' }, ['/how: choice']],
    ['a member that there is not', { at: 'verify', when: '4%' }, ['/when: unknown']],
    ['more than all', { at: 'verify', after: '101%' }, ['/after: format']],
    ['a share without its sign', { at: 'verify', after: 0.4 }, ['/after: type']],
    ['no times', { at: 'verify', times: 0 }, ['/times: range']],
    ['a factor that is none', { at: 'verify', how: 'slow', factor: 1 }, ['/factor: range']],
    ['one version', { at: 'verify', versions: '1.0' }, ['/versions: type']],
    ['corruption where nothing is sent', { at: 'install', how: 'corrupts' }, ['/at: choice']],
    ['a version where none is reported', { at: 'install', how: 'wrong-version' }, ['/at: choice']],
    ['slowness that begins later', { at: 'install', how: 'slow', after: '4%' }, ['/after: unknown']],
    ['a factor of what is not slow', { at: 'install', factor: 2 }, ['/factor: unknown']],
    ['neither a fault nor a list', 'install', [': type']],
    [
      'several mistakes in several faults',
      [{ at: 'verify' }, { at: 'x', times: -1 }, { how: 'slow', after: '1%' }],
      ['/1/at: choice', '/1/times: range', '/2/at: missing', '/2/after: unknown'],
    ],
  ])('with %s is refused, and all that is wrong with it is told', (_what, fail, mistakes) => {
    expect(toldOf({ 'NIC-1': { fail } })).toEqual(mistakes.map((one) => `/NIC-1/fail${one}`).toSorted())
  })

  test('for a device that the machine does not have is refused', () => {
    expect(toldOf({ 'NIC-9': { fail: { at: 'verify' } }, BIOS: {} })).toEqual([
      '/BIOS/fail: missing',
      '/NIC-9: unknown',
    ])
  })
})

describe('devices fail as planned', () => {
  test('by a file that the command line names, and the service says so in its log only', async () => {
    const file = await configFile({ BIOS: { fail: { at: 'install' } } })
    expect((await serve(['--devices', file])).lines).toContain('user admin, machine rackmount')
    const wrong = await configFile({ BIOS: { fail: { at: 'boot' } } })
    expect((await complaints(['--devices', wrong])).join()).toContain('/BIOS/fail/at: choice')
    expect((await complaints(['--devices', `${file}.not`])).join()).toContain(`devices ${file}.not: `)
  })

  test('by what a program plans when it creates an emulator', async () => {
    const wire = await startWire({ devices: { 'NIC-1': { fail: { at: 'install' } } } })
    const { body } = multipartBody(pushParts(await bundleOf({ 'NIC-1': '22.42.1' })))
    expect((await upload(wire, body).answer()).status).toBe(202)
    expect(messageKeys(await lastTask(wire, wire.bmc)).at(-1)).toBe('ApplyFailed')
  })

  test('by what the configuration says, without a file of its own', async () => {
    const file = await configFile({ devices: { BIOS: { fail: { at: 'boot' } } } })
    expect((await complaints(['--config', file])).join()).toContain('/BIOS/fail/at: choice')
  })

  test('and each fault that strikes is told with the device that it struck', async () => {
    const { run, struck } = prepare([{ at: 'verify', times: 1 }])
    expect(await run({}, 'transfer', 'verify', 'verify')).toEqual(['ok', 'failed', 'ok'])
    expect(struck).toEqual([{ bmcId: '1', component: 'NIC-1', at: 'verify', how: 'fails' }])
  })

  test('each of several BMCs as often as planned', async () => {
    const { run } = prepare([{ at: 'transfer', times: 1 }])
    for (const bmcId of ['1', '2']) {
      const strikes = newStrikes()
      expect(await run({ bmcId, strikes }, 'transfer', 'transfer')).toEqual(['failed', 'ok'])
    }
  })

  test('with images of the versions named, and with no others', async () => {
    const { run } = prepare([{ at: 'transfer', versions: ['1.1', '1.2'] }])
    const ends: string[] = []
    for (const version of ['1.0', '1.1', '1.2']) ends.push(...(await run({ version }, 'transfer')))
    expect(ends).toEqual(['ok', 'failed', 'failed'])
  })

  test('by a problem of the kind that it is', async () => {
    const { run } = prepare([{ at: 'transfer', how: 'corrupts' }])
    expect(await run({}, 'transfer', 'verify')).toEqual(['ok', 'corrupt'])
    const { run: dead } = prepare([{ at: 'install', how: 'loses-power', after: '50%' }])
    expect(await dead({}, 'transfer', 'verify', 'install')).toEqual(['ok', 'ok', 'no-power'])
  })

  test('but a device that fails by itself before does so', async () => {
    const { run } = prepare([{ at: 'install', after: '50%' }])
    expect(await run({}, 'install')).toEqual(['nothing-installed'])
  })

  test.each(['fails', 'hangs', 'slow'] as const)(
    'and one that %s still stops when it is told to',
    async (how) => {
      const { flasher, clock, job } = prepare([
        { at: 'install', how, ...(how !== 'slow' && { after: '90%' }) },
      ])
      await Promise.all([flasher.transfer(job()), clock.advance(LONG_MS)])
      const abort = new AbortController()
      const stopped = rejection(flasher.install(job({ signal: abort.signal })))
      await clock.advance(500)
      abort.abort(new Error('the machine was reset'))
      expect(await stopped).toBe('the machine was reset')
    },
  )

  test('and what a device tells of its progress rises to where it fails, and no further', async () => {
    const { flasher, clock, job } = prepare([{ at: 'verify', after: '42%' }])
    const watched = job()
    await Promise.all([flasher.verify(watched), clock.advance(LONG_MS)])
    expect(watched.shares).toEqual([0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.42])
  })

  test('or runs its old version and says that', async () => {
    const { flasher, clock, job } = prepare([{ at: 'activate', how: 'wrong-version' }])
    const [result] = await Promise.all([flasher.activate(job()), clock.advance(LONG_MS)])
    expect(result).toEqual({ ok: true, value: { version: '22.41.1000' } })
  })

  test('and not at all where nothing is planned', async () => {
    const { task } = await update(
      await startEmulator({ devices: {} }),
      await bundleOf({ 'NIC-1': '22.42.1' }),
    )
    expect(task).toMatchObject({ TaskState: 'Completed' })
  })
})

describe('docs/faults.md', () => {
  const text = readFileSync(join(import.meta.dirname, '../docs/faults.md'), 'utf8')
  /** The first three cells of every row of its tables. */
  const rows = text
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) => line.split('|').map((cell) => cell.trim()))
  const code = (names: readonly string[]): string => names.map((name) => `\`${name}\``).join(' ')

  test('tells of every way what it is planned with, and of no other', () => {
    const told = rows.filter((cells) => cells.length === 6 && !/^\d+$/.test(cells[3] ?? ''))
    expect(told.map(([, how, at, takes]) => [how, at, takes])).toEqual(
      Object.entries(ways).map(([how, { at, takes }]) => [code([how]), code(at), code(takes)]),
    )
  })

  test('tells of every member of a fault', () => {
    const { properties } = Faults as unknown as { readonly properties: object }
    const members = rows.filter((cells) => cells.length === 4)
    expect(members.map(([, name]) => name)).toEqual(Object.keys(properties).map((name) => code([name])))
  })

  test('gives an example that works', () => {
    const [, example = ''] = /```json\n([^`]*)```/.exec(text) ?? []
    expect(hasFaults(planFaults(machine, JSON.parse(example)))).toBe(true)
  })
})

type Planned = Parameters<typeof plannedFaults>[0]['fail']

/** Simulated devices that fail like this, and jobs for them. */
function prepare(fail: NonNullable<Planned>) {
  const clock = new VirtualClock()
  const struck: InjectedFault[] = []
  const strikes = newStrikes()
  const flasher = withFaults(createSimulatedFlasher(clock), {
    clock,
    struck: (fault) => struck.push(fault),
  })
  const job = ({ version, ...options }: JobOptions & { readonly version?: string } = {}) => ({
    ...flashJob({ strikes, ...options, behaviour: { fail } }),
    ...(version !== undefined && { version }),
  })
  const run = async (options: Parameters<typeof job>[0], ...stages: readonly DeviceStageName[]) => {
    const ends: string[] = []
    for (const stage of stages) {
      const [result] = await Promise.all([flasher[stage](job(options)), clock.advance(LONG_MS)])
      ends.push(outcome(result))
    }
    return ends
  }
  return { clock, flasher, job, run, struck }
}

/** What is told to be wrong with plans, without what would be right; sorted. */
function toldOf(plans: unknown): string[] {
  try {
    planFaults(machine, plans)
    return []
  } catch (error) {
    const [, ...lines] = String(error).split('\n')
    return lines.map((line) => line.trim().replace(/, expected .*/, '')).toSorted()
  }
}
