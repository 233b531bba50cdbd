import { expect, test } from 'vitest'
import type { Json } from '../../src/redfish/resource.ts'
import { uris } from '../../src/redfish/uris.ts'
import { addAccount } from '../support/accounts.ts'
import { startEmulator, type TestEmulator } from '../support/emulator.ts'
import { bundleOf } from '../support/images.ts'
import { messageKeys, push } from '../support/multipart.ts'
import { validateBody } from '../support/schemas.ts'

const TASK = uris.task('1')
const MONITOR = uris.taskMonitor('1')
const DELETE_ALL = uris.action(uris.taskService, 'TaskService.DeleteAllCompletedTasks')
const image = await bundleOf({ 'NIC-1': '22.42.1' })
const noImage = Buffer.from('this is no firmware')

async function expire({ send }: TestEmulator, TaskMonitorAutoExpirySeconds: Json) {
  return send(uris.taskService, { method: 'PATCH', body: { TaskMonitorAutoExpirySeconds } })
}

/** An update that came to its end while monitors lived for `seconds` after they were read. */
async function startEnded(seconds: number | null) {
  const emulator = await startEmulator()
  await expire(emulator, seconds)
  await push(emulator, noImage)
  await emulator.clock.advance(10_000)
  return emulator
}

test('TaskService says how long it keeps what', async () => {
  const { get } = await startEmulator()
  const shown = await get(uris.taskService)
  expect(shown).toMatchObject({
    CompletedTaskOverWritePolicy: 'Oldest',
    TaskAutoDeleteTimeoutMinutes: 1_440,
    TaskMonitorAutoExpirySeconds: null,
    Actions: { '#TaskService.DeleteAllCompletedTasks': { target: DELETE_ALL } },
  })
  expect(validateBody(shown)).toEqual([])
})

test.each<[Json, number]>([
  [null, 200],
  [0, 200],
  [90, 200],
  [-1, 400],
  [1.5, 400],
  ['90', 400],
])('a TaskMonitorAutoExpirySeconds of %j is answered %i', async (seconds, status) => {
  const emulator = await startEmulator()
  await expire(emulator, 7)
  expect((await expire(emulator, seconds)).status).toBe(status)
  const shown = (await emulator.get(uris.taskService))['TaskMonitorAutoExpirySeconds']
  expect(shown).toBe(status === 200 ? seconds : 7)
})

test('a monitor goes so many seconds after its final answer was first read, and the task stays', async () => {
  const { send, get, clock } = await startEnded(60)
  await clock.advance(3_600_000)
  expect((await send(MONITOR)).status).toBe(400)
  expect(await get(TASK)).toMatchObject({ TaskMonitor: MONITOR })
  await clock.advance(30_000)
  expect((await send(MONITOR)).status).toBe(400)
  await clock.advance(29_999)
  expect((await send(MONITOR)).status).toBe(400)
  await clock.advance(1)
  const statuses = [(await send(MONITOR)).status, (await send(MONITOR, { method: 'DELETE' })).status]
  expect(statuses).toEqual([404, 404])
  const task = await get(TASK)
  expect([task['TaskState'], task['TaskMonitor'], validateBody(task)]).toEqual(['Exception', undefined, []])
})

test('with TaskMonitorAutoExpirySeconds 0 the final answer is given once', async () => {
  const { send } = await startEnded(0)
  const answers = [await send(MONITOR, { method: 'HEAD' }), await send(MONITOR), await send(MONITOR)]
  expect(answers.map(({ status }) => status)).toEqual([400, 400, 404])
  expect((await send(TASK)).status).toBe(200)
})

test('a monitor that is read before the end stays for the end', async () => {
  const emulator = await startEmulator()
  await expire(emulator, 0)
  await push(emulator, image)
  await emulator.clock.advance(1_000)
  expect((await emulator.send(MONITOR)).status).toBe(202)
  await emulator.clock.advance(60_000)
  expect((await emulator.send(MONITOR)).status).toBe(200)
})

test('without TaskMonitorAutoExpirySeconds a monitor stays as long as its task', async () => {
  const { send, clock } = await startEnded(null)
  for (const ms of [1, 3_600_000]) {
    await clock.advance(ms)
    expect((await send(MONITOR)).status).toBe(400)
  }
})

test('a monitor whose time was shortened goes when that is over, and one whose time was taken away stays', async () => {
  const shortened = await startEnded(600)
  await shortened.send(MONITOR)
  await shortened.clock.advance(5_000)
  await expire(shortened, 5)
  expect((await shortened.send(MONITOR)).status).toBe(404)

  const kept = await startEnded(5)
  await kept.send(MONITOR)
  await expire(kept, null)
  await kept.clock.advance(60_000)
  expect((await kept.send(MONITOR)).status).toBe(400)
})

test('an update that is cancelled before its end shows no monitor any more', async () => {
  const emulator = await startEmulator()
  await push(emulator, await bundleOf({ 'NIC-1': '22.42.1' }, { sizeBytes: 8 * 2 ** 20 }))
  await emulator.clock.advance(1_000)
  expect((await emulator.send(MONITOR, { method: 'DELETE' })).status).toBe(202)
  await emulator.clock.advance(1)
  const { TaskState, TaskMonitor } = await emulator.get(TASK)
  expect({ TaskState, TaskMonitor }).toEqual({ TaskState: 'Cancelled', TaskMonitor: undefined })
})

test('DeleteAllCompletedTasks deletes what has ended and nothing else', async () => {
  const emulator = await startEmulator()
  const { send, get, clock } = emulator
  await push(emulator, noImage)
  await push(emulator, await bundleOf({ 'PSU-1': '9.0.0', 'PSU-2': '9.0.0' }))
  await clock.advance(60_000)
  await push(emulator, image)
  await clock.advance(1_000)
  expect(await get(uris.tasks)).toMatchObject({ 'Members@odata.count': 3 })
  const answer = await send(DELETE_ALL, { method: 'POST', body: {} })
  expect(answer).toMatchObject({ status: 204, text: '' })
  expect(await get(uris.tasks)).toMatchObject({ Members: [{ '@odata.id': uris.task('3') }] })
  expect((await send(uris.subTask('2', '1'))).status).toBe(404)
  await clock.advance(60_000)
  expect(await get(uris.task('3'))).toMatchObject({ TaskState: 'Completed' })
})

test('DeleteAllCompletedTasks is for managers, and takes no parameters', async () => {
  const emulator = await startEmulator()
  await addAccount(emulator, 'operator', { RoleId: 'Operator' })
  const refused = await emulator.send(DELETE_ALL, { method: 'POST', body: {}, user: 'operator' })
  const unknown = await emulator.send(DELETE_ALL, { method: 'POST', body: { All: true } })
  expect([refused.status, unknown.status]).toEqual([403, 400])
})

test('with the policy Manual a full table takes no task until a client makes room', async () => {
  const emulator = await startEmulator({ maxTasks: 2, taskOverWritePolicy: 'Manual' })
  const { send, get, clock } = emulator
  expect(await get(uris.taskService)).toMatchObject({ CompletedTaskOverWritePolicy: 'Manual' })
  for (const _ of [1, 2]) await push(emulator, noImage)
  await clock.advance(1)
  const refused = await push(emulator, image)
  expect({ status: refused.status, keys: messageKeys(refused.json) }).toEqual({
    status: 503,
    keys: expect.arrayContaining(['ResourceExhaustion']) as string[],
  })
  expect(emulator.spool.entries.size).toBe(0)
  await send(TASK, { method: 'DELETE' })
  expect((await push(emulator, image)).status).toBe(202)
  expect(await get(uris.tasks)).toMatchObject({
    Members: [{ '@odata.id': uris.task('2') }, { '@odata.id': uris.task('3') }],
  })
})

test('with the policy Oldest a full table lets its oldest finished task go', async () => {
  const emulator = await startEmulator({ maxTasks: 2 })
  for (const _ of [1, 2, 3]) {
    expect((await push(emulator, noImage)).status).toBe(202)
    await emulator.clock.advance(1)
  }
  expect(await emulator.get(uris.tasks)).toMatchObject({
    Members: [{ '@odata.id': uris.task('2') }, { '@odata.id': uris.task('3') }],
  })
})
