import { expect, test } from 'vitest'
import type { JsonObject } from '../../src/redfish/resource.ts'
import { uris } from '../../src/redfish/uris.ts'
import { scriptedFlasher } from '../contracts/scripted-flasher.ts'
import { startEmulator, type TestEmulator, type TestOptions } from '../support/emulator.ts'
import { watchWork } from '../support/flows/watching.ts'
import { bundleOf } from '../support/images.ts'
import { messageKeys, push } from '../support/multipart.ts'
import { validateBody } from '../support/schemas.ts'
import { LONG_MS, outcome, update } from '../support/updates.ts'

const START = uris.action(uris.updateService, 'UpdateService.StartUpdate')
const later: JsonObject = { '@Redfish.OperationApplyTime': 'OnStartUpdateRequest' }
const nicImage = await bundleOf({ 'NIC-1': '22.42.1' })
const cpldImage = await bundleOf({ CPLD: '3.1.0' })

const start = ({ send }: TestEmulator) => send(START, { method: 'POST', body: {} })
const version = async ({ get }: TestEmulator, id = 'NIC-1'): Promise<unknown> =>
  (await get(uris.firmware(id)))['Version']
const waitingTasks: TestOptions = { adapted: { awaitReset: 'job', startUpdate: 'waiting-tasks' } }

/** An emulator where two updates wait to be started. */
async function startWaiting(options: TestOptions = {}): Promise<TestEmulator> {
  const emulator = await startEmulator(options)
  await update(emulator, nicImage, later)
  await update(emulator, cpldImage, later)
  return emulator
}

test('StartUpdate with nothing to start is no operation', async () => {
  const emulator = await startEmulator()
  const { status, json } = await start(emulator)
  expect({ status, keys: messageKeys(json) }).toEqual({ status: 200, keys: ['NoOperation'] })
  expect(await emulator.get(uris.tasks)).toMatchObject({ Members: [] })
})

test('StartUpdate starts everything that waits, and answers with the task that does it', async () => {
  const emulator = await startWaiting()
  expect(emulator.spool.entries.size).toBe(2)
  const accepted = await start(emulator)
  expect(accepted).toMatchObject({ status: 202, headers: { location: uris.taskMonitor('3') } })
  expect(accepted.json).toMatchObject({ '@odata.id': uris.task('3'), Payload: { TargetUri: START } })
  expect(validateBody(accepted.json)).toEqual([])
  await emulator.clock.advance(LONG_MS)
  expect(await outcome(emulator, '3')).toMatchObject({ task: { TaskState: 'Completed', TaskStatus: 'OK' } })
  expect([await version(emulator), await version(emulator, 'CPLD')]).toEqual(['22.42.1', '3.1.0'])
  expect(emulator.spool.entries.size).toBe(0)
  expect((await start(emulator)).status).toBe(200)
})

test('until then, a component takes no second image', async () => {
  const emulator = await startWaiting()
  const refused = await push(emulator, nicImage)
  expect({ status: refused.status, keys: messageKeys(refused.json) }).toEqual({
    status: 503,
    keys: ['ServiceTemporarilyUnavailable', 'ResourceInUse'],
  })
  expect(emulator.spool.entries.size).toBe(2)
})

test.each(['own-task', 'waiting-tasks'] as const)(
  '%s: DELETE of the task of an upload drops what waits, ended or not, and nothing else',
  async (startUpdate) => {
    const emulator = await startWaiting({ adapted: { awaitReset: 'completed', startUpdate } })
    const { status } = await emulator.send(uris.task('1'), { method: 'DELETE' })
    expect(status).toBe(startUpdate === 'own-task' ? 204 : 202)
    await emulator.clock.advance(1)
    expect(emulator.spool.entries.size).toBe(1)
    await start(emulator)
    await emulator.clock.advance(LONG_MS)
    expect([await version(emulator), await version(emulator, 'CPLD')]).toEqual(['22.41.1000', '3.1.0'])
    expect((await push(emulator, nicImage)).status).toBe(202)
  },
)

test('an image that is good for nothing does not wait', async () => {
  const emulator = await startEmulator()
  const { task, keys } = await update(emulator, await bundleOf({ 'NIC-1': '22.41.1000' }), later)
  expect({ state: task['TaskState'], keys }).toEqual({
    state: 'Completed',
    keys: ['UpdateInProgress', 'UpdateSkippedSameVersion', 'AllTargetsDetermined'],
  })
  const broken = await update(emulator, Buffer.from('no bundle'), later)
  expect(broken).toMatchObject({ task: { TaskState: 'Exception' }, monitor: 400 })
  expect((await start(emulator)).status).toBe(200)
})

test('where the tasks of uploads wait themselves, StartUpdate has one that shows each as its part', async () => {
  const emulator = await startWaiting(waitingTasks)
  expect(await emulator.get(uris.task('1'))).toMatchObject({ TaskState: 'Pending' })
  const { look } = watchWork(emulator.bmc)
  expect((await start(emulator)).status).toBe(202)
  await emulator.clock.advance(15_000)
  expect(await emulator.get(uris.task('3'))).toMatchObject({
    TaskState: 'Running',
    SubTasks: { '@odata.id': uris.subTasks('3') },
  })
  expect((await emulator.get(uris.subTasks('3')))['Members']).toHaveLength(2)
  await emulator.clock.advance(LONG_MS)
  const done = expect.stringMatching(/UpdateSuccessful → Completed$/) as string
  // The umbrella was seen first, so that it counts as the first task here.
  expect(look().seen).toMatchObject({
    task: 'New → Running → Completed',
    'sub-task 1': 'New → Running → Completed',
    'sub-task 2': 'New → Running → Completed',
    'task 2': done,
    'task 3': done,
  })
})

test('the task of StartUpdate ends when it is cancelled, and what it started goes on', async () => {
  const emulator = await startWaiting(waitingTasks)
  await start(emulator)
  await emulator.clock.advance(5_000)
  expect((await emulator.send(uris.task('3'), { method: 'DELETE' })).status).toBe(202)
  await emulator.clock.advance(1)
  expect(await emulator.get(uris.task('3'))).toMatchObject({ TaskState: 'Cancelled' })
  expect(await emulator.get(uris.task('1'))).toMatchObject({ TaskState: 'Running' })
  await emulator.clock.advance(LONG_MS)
  expect([await version(emulator), await version(emulator, 'CPLD')]).toEqual(['22.42.1', '3.1.0'])
})

test.each(['own-task', 'waiting-tasks'] as const)(
  '%s: a bug in a device driver ends the task of StartUpdate, too',
  async (startUpdate) => {
    const good = scriptedFlasher({ sleep: () => Promise.resolve() })
    const flasher = { ...good, verify: () => Promise.reject(new Error('a bug')) }
    const emulator = await startEmulator({ adapted: { startUpdate }, flasher })
    await update(emulator, nicImage, later)
    await start(emulator)
    await emulator.clock.advance(LONG_MS)
    expect(await emulator.get(uris.task('2'))).toMatchObject({ TaskState: 'Exception' })
    expect(await emulator.get(uris.firmware('NIC-1'))).toMatchObject({ Status: { State: 'Enabled' } })
    expect(emulator.spool.entries.size).toBe(0)
  },
)
