import { expect, test } from 'vitest'
import type { DeviceStageName } from '../../src/bmc/device-faults.ts'
import { uris } from '../../src/redfish/uris.ts'
import {
  allStages,
  type Fault,
  isUpdated,
  NEW,
  NIC_1,
  nicImage,
  OLD,
  stages,
} from '../support/device-stages.ts'
import { startEmulator, type TestEmulator } from '../support/emulator.ts'
import { bundleOf } from '../support/images.ts'
import { push } from '../support/multipart.ts'
import { LONG_MS, outcome, reset, update } from '../support/updates.ts'

test.each<[DeviceStageName, number]>([
  ['transfer', 38],
  ['verify', 52],
])(
  'a device that hangs while it is to %s stays at %i percent until somebody cancels',
  async (at, percent) => {
    const emulator = await hanging(at, percent)
    const cancelled = await emulator.send(uris.task('1'), { method: 'DELETE' })
    expect(cancelled).toMatchObject({ status: 202, json: { TaskState: 'Cancelling' } })
    await emulator.clock.advance(1)
    expect(await emulator.get(uris.task('1'))).toMatchObject({
      TaskState: 'Cancelled',
      TaskStatus: 'Warning',
    })
    const Status = { State: 'Enabled', Health: 'OK' }
    expect(await emulator.get(NIC_1)).toMatchObject({ Version: OLD, Status })
    await isUpdated(emulator)
  },
)

test.each<[DeviceStageName, number]>([
  ['install', 67],
  ['activate', 91],
])(
  'a device that hangs while it is to %s stays at %i percent until its machine is reset',
  async (at, percent) => {
    const emulator = await hanging(at, percent)
    expect((await emulator.send(uris.task('1'), { method: 'DELETE' })).status).toBe(409)
    await reset(emulator, uris.system('1'), 'ForceRestart')
    const { task, keys, monitor } = await outcome(emulator, '1')
    expect(task).toMatchObject({ TaskState: 'Exception', TaskStatus: 'Critical', PercentComplete: percent })
    expect({ last: keys.at(-1), monitor }).toEqual({ last: stages[at].failed, monitor: 500 })
    const Status = { State: 'Enabled', Health: 'Critical' }
    expect(await emulator.get(NIC_1)).toMatchObject({ Version: OLD, Status })
    await emulator.clock.advance(LONG_MS)
    await isUpdated(emulator)
  },
)

// NIC-1 takes 4 MiB in 1 s, verifies for 2.5 s, installs for 18 s and activates for 4 s: 25.5 s together.
test.each<[Fault, number]>([
  [{ at: 'transfer', how: 'slow' }, 25_500 + 9 * 1_000],
  [{ at: 'verify', how: 'slow', factor: 3 }, 25_500 + 2 * 2_500],
  [{ at: 'install', how: 'slow', factor: 1.5 }, 25_500 + 0.5 * 18_000],
  [{ at: 'activate', how: 'slow', factor: 100 }, 25_500 + 99 * 4_000],
])('%j: the update takes %i ms, and is a good one', async (fail, ms) => {
  const emulator = await startEmulator({ devices: { 'NIC-1': { fail } } })
  await push(emulator, await bundleOf({ 'NIC-1': NEW }, { sizeBytes: 4 * 2 ** 20 }))
  await emulator.clock.advance(ms - 10)
  expect(await emulator.get(uris.task('1'))).toMatchObject({ TaskState: 'Running' })
  await emulator.clock.advance(20)
  expect(await emulator.get(uris.task('1'))).toMatchObject({ TaskState: 'Completed', TaskStatus: 'OK' })
  expect(await emulator.get(NIC_1)).toMatchObject({
    Version: NEW,
    Status: { State: 'Enabled', Health: 'OK' },
  })
})

test('a device that fails slowly does both', async () => {
  const fail: Fault[] = [
    { at: 'install', how: 'slow', factor: 10 },
    { at: 'install', after: '50%' },
  ]
  const emulator = await startEmulator({ devices: { 'NIC-1': { fail } } })
  await push(emulator, nicImage)
  await emulator.clock.advance(90_000)
  expect(await emulator.get(uris.task('1'))).toMatchObject({ TaskState: 'Running' })
  await emulator.clock.advance(10_000)
  expect(await emulator.get(uris.task('1'))).toMatchObject({ TaskState: 'Exception', PercentComplete: 70 })
})

test('a device that reports its old version afterwards is updated by all that is said, and runs that version', async () => {
  const emulator = await startEmulator({
    devices: { 'NIC-1': { fail: { at: 'activate', how: 'wrong-version', times: 1 } } },
  })
  const { task, keys, monitor } = await update(emulator, nicImage)
  expect(task).toMatchObject({ TaskState: 'Completed', TaskStatus: 'OK', PercentComplete: 100 })
  expect({ keys, monitor }).toEqual({ keys: [...allStages, 'UpdateSuccessful'], monitor: 200 })
  const { Version, SizeBytes, Status } = await emulator.get(NIC_1)
  expect({ Version, Status }).toEqual({ Version: OLD, Status: { State: 'Enabled', Health: 'OK' } })
  expect(SizeBytes).toBe(emulator.bmc.machine.components.get('NIC-1')?.factory.sizeBytes)
  await isUpdated(emulator)
})

/** The update of a device that hangs once after 40 % of a stage, long after it should have ended. */
async function hanging(at: DeviceStageName, percent: number): Promise<TestEmulator> {
  const fail: Fault = { at, how: 'hangs', after: '40%', times: 1 }
  const emulator = await startEmulator({ devices: { 'NIC-1': { fail } } })
  await push(emulator, nicImage)
  await emulator.clock.advance(100 * LONG_MS)
  const { task, keys } = await outcome(emulator, '1')
  expect(task).toMatchObject({ TaskState: 'Running', PercentComplete: percent })
  expect(keys.at(-1)).toBe(stages[at].begun)
  expect(await emulator.get(NIC_1)).toMatchObject({ Version: OLD, Status: { State: 'Updating' } })
  return emulator
}
