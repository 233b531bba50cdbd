import { describe, expect, test, vi } from 'vitest'
import type { DeviceStageName } from '../../src/bmc/device-faults.ts'
import type { ApplyTime } from '../../src/redfish/apply-times.ts'
import type { JsonObject } from '../../src/redfish/resource.ts'
import { uris } from '../../src/redfish/uris.ts'
import { startEmulator, type TestEmulator } from '../support/emulator.ts'
import { bundleOf } from '../support/images.ts'
import { messageKeys, push } from '../support/multipart.ts'
import { LONG_MS, reset, update } from '../support/updates.ts'

const [TASK, JOB, STEP] = [uris.task('1'), uris.job('1'), uris.step('1', '1')]
const ACTIVATE = uris.action(uris.updateService, 'UpdateService.Activate')
const SYSTEM = uris.system('1')
const nicImage = await bundleOf({ 'NIC-1': '22.42.1' })
const nicAndCpld = await bundleOf({ 'NIC-1': '22.42.1', CPLD: '3.1.0' })
const biosImage = await bundleOf({ BIOS: '1.9.0' })
const biosAndNic = await bundleOf({ BIOS: '1.9.0', 'NIC-1': '22.42.1' })

const remove = async ({ send, clock }: TestEmulator, uri: string) => {
  const answer = await send(uri, { method: 'DELETE' })
  await clock.advance(1)
  return answer
}
const cancelStep = ({ send }: TestEmulator, uri: string) =>
  send(uri, { method: 'PATCH', body: { JobState: 'Cancelled' } })
const nic = ({ get }: TestEmulator) => get(uris.firmware('NIC-1'))
const atRest = { Version: '22.41.1000', Status: { State: 'Enabled', Health: 'OK' } }

/** An update whose NIC stops in the middle of a stage, as a task, or as a job where the CPLD is updated beside it. */
async function startHanging(at: DeviceStageName, form: 'task' | 'job'): Promise<TestEmulator> {
  const emulator = await startEmulator({
    adapted: { awaitReset: 'job' },
    devices: { 'NIC-1': { fail: { at, how: 'hangs', after: '40%', times: 1 } } },
  })
  await push(emulator, form === 'task' ? nicImage : nicAndCpld)
  await emulator.clock.advance(LONG_MS)
  return emulator
}

describe.each(['transfer', 'verify'] as const)('in the middle of %s', (at) => {
  test('a task is cancelled, and the device is as it was', async () => {
    const emulator = await startHanging(at, 'task')
    expect(await remove(emulator, uris.taskMonitor('1'))).toMatchObject({ status: 202 })
    expect(await emulator.get(TASK)).toMatchObject({ TaskState: 'Cancelled', TaskStatus: 'Warning' })
    expect((await emulator.send(uris.taskMonitor('1'))).status).toBe(404)
    expect(await nic(emulator)).toMatchObject(atRest)
    expect(emulator.spool.entries.size).toBe(0)
    expect((await push(emulator, nicImage)).status).toBe(202)
  })

  test('a job is cancelled; what had been done by then stays done', async () => {
    const emulator = await startHanging(at, 'job')
    expect(await remove(emulator, JOB)).toMatchObject({ status: 202 })
    expect(await emulator.get(JOB)).toMatchObject({ JobState: 'Cancelled' })
    expect(await emulator.get(STEP)).toMatchObject({ JobState: 'Cancelled' })
    expect(await emulator.get(uris.step('1', '2'))).toMatchObject({ JobState: 'Completed' })
    expect(await nic(emulator)).toMatchObject(atRest)
    expect(await emulator.get(uris.firmware('CPLD'))).toMatchObject({ Version: '3.1.0' })
    expect(emulator.spool.entries.size).toBe(0)
  })

  test('one step is cancelled, and the job ends as the others do', async () => {
    const emulator = await startHanging(at, 'job')
    expect((await cancelStep(emulator, STEP)).status).toBe(200)
    await emulator.clock.advance(1)
    expect(await emulator.get(STEP)).toMatchObject({ JobState: 'Cancelled' })
    expect(await emulator.get(JOB)).toMatchObject({ JobState: 'Completed' })
  })
})

test.each(['install', 'activate'] as const)('in the middle of %s neither can be cancelled', async (at) => {
  for (const [form, uri] of [
    ['task', TASK],
    ['job', JOB],
  ] as const) {
    const emulator = await startHanging(at, form)
    const { status, json } = await remove(emulator, uri)
    expect({ status, keys: messageKeys(json) }).toEqual({ status: 409, keys: ['ResourceInUse'] })
    expect(await nic(emulator)).toMatchObject({ Status: { State: 'Updating' } })
  }
})

describe('while the manager verifies the image', () => {
  /** Pushes an image, and does this in the middle of its verification. */
  async function pushAnd(deed: (emulator: TestEmulator) => Promise<unknown>, parameters: JsonObject = {}) {
    const emulator = await startEmulator({ adapted: { awaitReset: 'job' } })
    await push(emulator, nicAndCpld, parameters)
    const { clock } = emulator
    const io = vi.spyOn(clock, 'io').mockImplementationOnce(async (work) => {
      const [done] = await clock.io(Promise.all([work, deed(emulator)]))
      return done
    })
    await clock.advance(1)
    expect(io).toHaveBeenCalled()
    return emulator
  }

  /** No job goes on, and nobody holds the components or a place in the spool. */
  async function expectReleased(emulator: TestEmulator) {
    expect(await emulator.get(uris.jobs)).toMatchObject({ Members: [] })
    expect(emulator.spool.entries.size).toBe(0)
    expect((await push(emulator, nicAndCpld)).status).toBe(202)
  }

  test.each<[string, JsonObject]>([
    ['an update', {}],
    ['one that is to wait', { '@Redfish.OperationApplyTime': 'OnStartUpdateRequest' }],
    ['one whose image is to be kept', { LocalImage: true }],
    ['a dry run', { Oem: { Redflash: { DryRun: true } } }],
  ])('%s is cancelled, and nothing comes of it', async (_what, parameters) => {
    const emulator = await pushAnd(async ({ send }) => {
      expect((await send(TASK, { method: 'DELETE' })).status).toBe(202)
    }, parameters)
    const task = await emulator.get(TASK)
    expect(task).toMatchObject({ TaskState: 'Cancelled' })
    expect(messageKeys(task)).toEqual(['UpdateInProgress'])
    expect(await emulator.get(uris.localImages)).toMatchObject({ Members: [] })
    await expectReleased(emulator)
  })

  test('a bug leaves nothing behind', async () => {
    const emulator = await pushAnd(() => Promise.reject(new Error('a bug')))
    const task = await emulator.get(TASK)
    expect(task).toMatchObject({ TaskState: 'Exception' })
    expect(messageKeys(task)).toContain('InternalError')
    await expectReleased(emulator)
  })
})

// What waits for a reset is a job, for the window a task: see docs/flows.md.
const waits: readonly (readonly [ApplyTime, string])[] = [
  ['OnReset', JOB],
  ['OnTargetReset', JOB],
  ['InMaintenanceWindowOnReset', JOB],
  ['AtMaintenanceWindowStart', TASK],
  ['OnStartUpdateRequest', TASK],
]
test.each(waits)('%s: what waits is cancelled, and nothing comes of it', async (applyTime, uri) => {
  const emulator = await startEmulator({ adapted: { awaitReset: 'job', startUpdate: 'waiting-tasks' } })
  await update(emulator, nicImage, { '@Redfish.OperationApplyTime': applyTime })
  expect(await remove(emulator, uri)).toMatchObject({ status: 202 })
  const { TaskState, JobState } = await emulator.get(uri)
  expect(TaskState ?? JobState).toBe('Cancelled')
  expect(emulator.spool.entries.size).toBe(0)
  await emulator.clock.advance(3 * 3_600_000)
  await reset(emulator, SYSTEM, 'ForceRestart')
  await emulator.clock.advance(LONG_MS)
  expect(await nic(emulator)).toMatchObject(atRest)
  expect((await push(emulator, nicImage)).status).toBe(202)
})

test.each(['OnReset', 'OnTargetReset'] as const)(
  '%s: DELETE of a task that has ended ends the wait that it has left',
  async (applyTime) => {
    const emulator = await startEmulator({ adapted: { awaitReset: 'completed' } })
    await update(emulator, nicImage, { '@Redfish.OperationApplyTime': applyTime })
    expect(await remove(emulator, TASK)).toMatchObject({ status: 204 })
    expect(emulator.spool.entries.size).toBe(0)
    await reset(emulator, SYSTEM, 'ForceRestart')
    await emulator.clock.advance(LONG_MS)
    expect(await nic(emulator)).toMatchObject(atRest)
  },
)

test.each([
  ['job', JOB],
  ['pending', TASK],
] as const)(
  'awaitReset %s: what is installed and waits for its reset is cancelled, and the reset activates nothing',
  async (awaitReset, uri) => {
    const emulator = await startEmulator({ adapted: { awaitReset } })
    await update(emulator, biosImage)
    expect(await remove(emulator, uri)).toMatchObject({ status: 202 })
    await reset(emulator, SYSTEM, 'ForceRestart')
    await emulator.clock.advance(LONG_MS)
    const bios = await emulator.get(uris.firmware('BIOS'))
    expect(bios).toMatchObject({ Version: '1.8.0', Status: { State: 'Enabled', Health: 'OK' } })
    expect(bios['Status']).not.toHaveProperty('Conditions')
  },
)

test('a step that waits is cancelled by itself, and its job goes on', async () => {
  const emulator = await startEmulator({ adapted: { awaitReset: 'job' } })
  await update(emulator, biosAndNic, { '@Redfish.OperationApplyTime': 'OnReset' })
  expect((await cancelStep(emulator, STEP)).status).toBe(200)
  await emulator.clock.advance(1)
  expect(await emulator.get(JOB)).toMatchObject({ JobState: 'UserIntervention' })
  await reset(emulator, SYSTEM, 'ForceRestart')
  await emulator.clock.advance(LONG_MS)
  expect(await emulator.get(JOB)).toMatchObject({ JobState: 'Completed', PercentComplete: 100 })
  expect(await emulator.get(uris.firmware('BIOS'))).toMatchObject({ Version: '1.8.0' })
  expect(await nic(emulator)).toMatchObject({ Version: '22.42.1' })
})

test('the activation of a staged image that waits for its reset is cancelled, and the image stays staged', async () => {
  const emulator = await startEmulator({ adapted: { awaitReset: 'job' } })
  await update(emulator, biosImage, { Stage: true })
  const staged = uris.firmware('BIOS-1.9.0')
  await emulator.send(ACTIVATE, { method: 'POST', body: { Targets: [staged] } })
  await emulator.clock.advance(1)
  expect(await remove(emulator, JOB)).toMatchObject({ status: 202 })
  await reset(emulator, SYSTEM, 'ForceRestart')
  await emulator.clock.advance(LONG_MS)
  expect(await emulator.get(uris.firmware('BIOS'))).toMatchObject({ Version: '1.8.0' })
  expect(await emulator.get(staged)).toMatchObject({ Staged: true })
})

test('a suspended job that is cancelled between two stages leaves its device as it was', async () => {
  const emulator = await startEmulator({ adapted: { awaitReset: 'job' } })
  await push(emulator, biosAndNic)
  await emulator.clock.advance(1_000)
  const suspend = uris.action(JOB, 'Job.Suspend')
  expect((await emulator.send(suspend, { method: 'POST', body: {} })).status).toBe(204)
  await emulator.clock.advance(LONG_MS)
  expect(await emulator.get(JOB)).toMatchObject({ JobState: 'Suspended' })
  expect(await remove(emulator, JOB)).toMatchObject({ status: 202 })
  expect(await emulator.get(JOB)).toMatchObject({ JobState: 'Cancelled' })
  expect(await nic(emulator)).toMatchObject(atRest)
  expect(await emulator.get(uris.firmware('BIOS'))).toMatchObject({
    Status: { State: 'Enabled', Health: 'OK' },
  })
})
