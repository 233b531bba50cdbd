import { describe, expect, test } from 'vitest'
import type { DeviceStageName } from '../../src/bmc/device-faults.ts'
import { uris } from '../../src/redfish/uris.ts'
import { scriptedFlasher } from '../contracts/scripted-flasher.ts'
import { rackmountWith } from '../support/behaviours.ts'
import { stages } from '../support/device-stages.ts'
import { startEmulator, type TestEmulator, type TestOptions } from '../support/emulator.ts'
import { watchWork } from '../support/flows/watching.ts'
import { bundleOf } from '../support/images.ts'
import { push } from '../support/multipart.ts'
import { LONG_MS, outcome, reset, untilInstalled, update } from '../support/updates.ts'
import { keysOf } from '../support/work.ts'

const MANAGER = uris.manager('1')
const SYSTEM = uris.system('1')
const CPLD = uris.firmware('CPLD')
const cpldImage = await bundleOf({ CPLD: '3.1.0' })
const biosImage = await bundleOf({ BIOS: '1.9.0' })
/** When the CPLD of rackmount is in the middle of a stage. */
const during: Readonly<Record<DeviceStageName, number>> = {
  transfer: 60,
  verify: 1_000,
  install: 10_000,
  activate: 21_000,
}
const writing = untilInstalled.slice(3)

/** An update of the CPLD, and a reset of the manager in the middle of a stage. */
async function interruptedAt(at: DeviceStageName, options: TestOptions): Promise<TestEmulator> {
  const emulator = await startEmulator(options)
  await push(emulator, cpldImage)
  await emulator.clock.advance(during[at])
  const begun = (await outcome(emulator, '1')).keys.at(-1)
  expect(begun).toBe(stages[at].begun)
  await reset(emulator, MANAGER, 'ForceRestart')
  return emulator
}

const machineThat = (onManagerReset: 'fails' | 'goes-on' | 'starts-again'): TestOptions => ({
  machine: rackmountWith({ CPLD: { onManagerReset } }),
})

describe.each(['transfer', 'verify', 'install'] as const)(
  'a manager that is reset in the middle of %s',
  (at) => {
    const { failed, begun, damages = false } = stages[at]
    const before = untilInstalled.slice(0, untilInstalled.indexOf(begun) + 1)

    test('ends the update of a device that loses it', async () => {
      const emulator = await interruptedAt(at, machineThat('fails'))
      await emulator.clock.advance(LONG_MS)
      const { task, keys } = await outcome(emulator, '1')
      expect({ state: task['TaskState'], keys }).toEqual({ state: 'Exception', keys: [...before, failed] })
      expect(await emulator.get(CPLD)).toMatchObject({
        Version: '3.0.4',
        Status: { State: 'Enabled', Health: damages ? 'Critical' : 'OK' },
      })
      expect(emulator.spool.entries.size).toBe(0)
      await update(emulator, cpldImage)
      expect(await emulator.get(CPLD)).toMatchObject({ Version: '3.1.0', Status: { Health: 'OK' } })
    })

    test('means nothing to a device that goes on by itself', async () => {
      const emulator = await interruptedAt(at, machineThat('goes-on'))
      await emulator.clock.advance(LONG_MS)
      const { task, keys } = await outcome(emulator, '1')
      expect({ state: task['TaskState'], keys }).toEqual({
        state: 'Completed',
        keys: [...untilInstalled, 'ApplyingOnComponent', 'UpdateSuccessful'],
      })
      expect(await emulator.get(CPLD)).toMatchObject({ Version: '3.1.0' })
    })

    test('lets a device that starts again do so when the manager is back', async () => {
      const emulator = await interruptedAt(at, machineThat('starts-again'))
      await emulator.clock.advance(44_000)
      // Nobody can ask meanwhile.
      const { tasks, components } = emulator.bmc.state
      expect(keysOf(tasks.get('1')?.messages)).toEqual(before)
      expect(components.get('CPLD')).toMatchObject({ state: 'Enabled', health: damages ? 'Critical' : 'OK' })
      await emulator.clock.advance(LONG_MS)
      const after = await outcome(emulator, '1')
      expect({ state: after.task['TaskState'], keys: after.keys }).toEqual({
        state: 'Completed',
        keys: [...before, ...writing, 'ApplyingOnComponent', 'UpdateSuccessful'],
      })
      expect(await emulator.get(CPLD)).toMatchObject({
        Version: '3.1.0',
        Status: { State: 'Enabled', Health: 'OK' },
      })
      expect(emulator.spool.entries.size).toBe(0)
    })
  },
)

test('a device that starts again does so however often the manager is reset', async () => {
  const emulator = await interruptedAt('transfer', machineThat('starts-again'))
  await emulator.clock.advance(46_000)
  expect((await outcome(emulator, '1')).keys.at(-1)).toBe('VerifyingAtComponent')
  await reset(emulator, MANAGER, 'ForceRestart')
  await emulator.clock.advance(LONG_MS)
  expect(await emulator.get(CPLD)).toMatchObject({ Version: '3.1.0' })
})

test('a reset during activation fails it', async () => {
  const emulator = await interruptedAt('activate', machineThat('fails'))
  await emulator.clock.advance(LONG_MS)
  expect((await outcome(emulator, '1')).keys.at(-1)).toBe('ActivateFailed')
  expect(await emulator.get(CPLD)).toMatchObject({ Version: '3.0.4', Status: { Health: 'Critical' } })
})

test('tasks and jobs, and what waits in them, outlive a reset of the manager', async () => {
  const emulator = await startEmulator({ adapted: { awaitReset: 'job' } })
  await update(emulator, biosImage)
  await update(emulator, cpldImage, { '@Redfish.OperationApplyTime': 'OnStartUpdateRequest' })
  await reset(emulator, MANAGER, 'ForceRestart')
  await emulator.clock.advance(LONG_MS)
  expect(await emulator.get(uris.job('1'))).toMatchObject({ JobState: 'UserIntervention' })
  const start = uris.action(uris.updateService, 'UpdateService.StartUpdate')
  expect((await emulator.send(start, { method: 'POST', body: {} })).status).toBe(202)
  await reset(emulator, SYSTEM, 'ForceRestart')
  await emulator.clock.advance(LONG_MS)
  expect(await emulator.get(uris.job('1'))).toMatchObject({ JobState: 'Completed' })
  expect(await emulator.get(CPLD)).toMatchObject({ Version: '3.1.0' })
})

test('a reset that another overtakes while it activates leaves that to the other', async () => {
  const emulator = await startEmulator({ adapted: { awaitReset: 'job' } })
  await update(emulator, biosImage)
  const { look } = watchWork(emulator.bmc)
  await reset(emulator, SYSTEM, 'ForceRestart')
  await emulator.clock.advance(2_000)
  await reset(emulator, SYSTEM, 'ForceRestart')
  await emulator.clock.advance(LONG_MS)
  expect(look().seen['step 1']).toMatch(/UpdateSuccessful → Completed$/)
  expect(await emulator.get(SYSTEM)).toMatchObject({ PowerState: 'On', BiosVersion: '1.9.0' })
})

test.each(['job', 'completed'] as const)(
  'awaitReset %s: a bug in a driver that activates under a reset does not keep the system from booting',
  async (awaitReset) => {
    const good = scriptedFlasher({ sleep: () => Promise.resolve() })
    const flasher = { ...good, activate: () => Promise.reject(new Error('a bug')) }
    const emulator = await startEmulator({ adapted: { awaitReset }, flasher })
    await update(emulator, biosImage)
    await reset(emulator, SYSTEM, 'ForceRestart')
    await emulator.clock.advance(LONG_MS)
    expect(await emulator.get(SYSTEM)).toMatchObject({
      PowerState: 'On',
      BootProgress: { LastState: 'OSRunning' },
    })
    expect(await emulator.get(uris.firmware('BIOS'))).toMatchObject({ Status: { State: 'Enabled' } })
    const jobs = [...emulator.bmc.state.jobs.values()].map(({ state }) => state)
    expect(jobs).toEqual(awaitReset === 'job' ? ['Exception', 'Exception'] : [])
  },
)
