import { expect, test } from 'vitest'
import type { JsonObject } from '../../src/redfish/resource.ts'
import { uris } from '../../src/redfish/uris.ts'
import { MAX_TASKS } from '../../src/tasks/engine.ts'
import { startEmulator, type TestOptions } from '../support/emulator.ts'
import { bundleOf } from '../support/images.ts'
import { messageKeys, push } from '../support/multipart.ts'
import { validateBody, validateError } from '../support/schemas.ts'

const TASK = uris.task('1')
const MONITOR = uris.taskMonitor('1')
/** Two seconds of transfer to NIC-1, two and a half of verification, eighteen of installation, four of activation. */
const image = await bundleOf({ 'NIC-1': '22.42.1' }, { sizeBytes: 8 * 2 ** 20 })
const DURING_TRANSFER_MS = 1_000
const DURING_INSTALL_MS = 10_000
const AFTER_END_MS = 30_000

async function startPush(options: TestOptions = {}, parameters: JsonObject = {}) {
  const emulator = await startEmulator(options)
  const accepted = await push(emulator, image, parameters)
  return { ...emulator, accepted }
}

test('an accepted push answers with its task, the monitor and when to ask again', async () => {
  const { accepted } = await startPush()
  expect(accepted).toMatchObject({ status: 202, headers: { location: MONITOR, 'retry-after': '1' } })
  expect(accepted.json).toMatchObject({
    '@odata.id': TASK,
    Description: expect.stringMatching(/./) as string,
    TaskState: 'New',
    PercentComplete: 0,
    TaskMonitor: MONITOR,
    StartTime: '2026-01-01T00:00:00Z',
    HidePayload: false,
    Messages: [],
  })
  expect(validateBody(accepted.json)).toEqual([])
})

test('while an update runs its monitor is 202 with the task, and its task is 200 without Retry-After', async () => {
  const { send, clock } = await startPush()
  await clock.advance(DURING_TRANSFER_MS)
  const [monitor, task] = [await send(MONITOR), await send(TASK)]
  expect(monitor).toMatchObject({
    status: 202,
    headers: { location: MONITOR, 'retry-after': '1', allow: 'GET, HEAD, DELETE' },
  })
  expect(monitor.json).toMatchObject({ '@odata.id': TASK, TaskState: 'Running' })
  expect(task).toMatchObject({ status: 200, json: { ...monitor.json } })
  expect(task.headers['retry-after']).toBeUndefined()
})

test('a task says TaskStatus and EndTime at its end and not before, its percent never goes back', async () => {
  const { get, clock, send } = await startPush()
  const samples: { percent: number; state: unknown; status: unknown; end: unknown; retry: unknown }[] = []
  for (let passed = 0; passed < AFTER_END_MS; passed += 250) {
    const { json, headers, status } = await send(TASK)
    expect(status).toBe(200)
    expect(validateBody(json)).toEqual([])
    const { PercentComplete: percent, TaskState: state, TaskStatus, EndTime } = json
    samples.push({
      percent: Number(percent),
      state,
      status: TaskStatus,
      end: EndTime,
      retry: headers['retry-after'],
    })
    await clock.advance(250)
  }
  const percents = samples.map(({ percent }) => percent)
  expect(percents).toEqual(percents.toSorted((a, b) => a - b))
  expect(new Set(percents).size).toBeGreaterThan(20)
  expect([...new Set(samples.map(({ state }) => state))]).toEqual(['New', 'Running', 'Completed'])
  const early = samples.filter(({ state }) => state !== 'Completed')
  expect(new Set(early.flatMap(({ status, end }) => [status, end]))).toEqual(new Set([undefined]))
  expect(new Set(samples.map(({ retry }) => retry))).toEqual(new Set([undefined]))
  expect(await get(TASK)).toMatchObject({
    TaskState: 'Completed',
    TaskStatus: 'OK',
    PercentComplete: 100,
    StartTime: '2026-01-01T00:00:00Z',
    EndTime: '2026-01-01T00:00:26Z',
  })
})

test('at the end the monitor answers what the operation came to, with all messages, as often as it is asked', async () => {
  const { send, get, clock } = await startPush()
  await clock.advance(AFTER_END_MS)
  const [first, second] = [await send(MONITOR), await send(MONITOR)]
  expect(first.status).toBe(200)
  expect(first.headers['retry-after']).toBeUndefined()
  expect(validateError(first.json)).toEqual([])
  expect(messageKeys(first.json)).toEqual(messageKeys(await get(TASK)))
  expect(messageKeys(first.json)).toContain('UpdateSuccessful')
  expect(second.json).toEqual(first.json)
})

test.each([
  ['task', 200],
  ['empty', 204],
] as const)('a monitor of the style %s ends with %i, and is 202 before', async (monitorEnding, status) => {
  const { send, clock, get } = await startPush({ monitorEnding })
  expect(await send(MONITOR)).toMatchObject({ status: 202, headers: { 'retry-after': '1' } })
  await clock.advance(AFTER_END_MS)
  const answer = await send(MONITOR)
  const { '@odata.etag': _, ...task } = await get(TASK)
  expect(answer).toMatchObject({ status, text: monitorEnding === 'task' ? JSON.stringify(task) : '' })
  expect(task).toMatchObject({ TaskState: 'Completed' })
})

test.each([
  ['response', 400],
  ['task', 200],
  ['empty', 204],
] as const)(
  'a monitor of the style %s answers %i for an update of which nothing came',
  async (ending, status) => {
    const emulator = await startEmulator({ monitorEnding: ending })
    await push(emulator, Buffer.from('this is no firmware'))
    await emulator.clock.advance(1)
    expect((await emulator.send(MONITOR)).status).toBe(status)
    expect(await emulator.get(TASK)).toMatchObject({ TaskState: 'Exception', TaskStatus: 'Critical' })
  },
)

test.each([TASK, MONITOR])('DELETE of %s cancels an update while its image is transferred', async (uri) => {
  const { send, get, clock, spool } = await startPush()
  await clock.advance(DURING_TRANSFER_MS)
  expect(await get(uris.firmware('NIC-1'))).toMatchObject({ Status: { State: 'Updating' } })
  const cancelled = await send(uri, { method: 'DELETE' })
  expect(cancelled).toMatchObject({ status: 202, json: { TaskState: 'Cancelling' } })
  expect(validateBody(cancelled.json)).toEqual([])

  await clock.advance(1)
  expect(await get(TASK)).toMatchObject({ TaskState: 'Cancelled', TaskStatus: 'Warning' })
  expect((await send(MONITOR)).status).toBe(404)
  const { Version, Status } = await get(uris.firmware('NIC-1'))
  expect({ Version, Status }).toEqual({ Version: '22.41.1000', Status: { State: 'Enabled', Health: 'OK' } })
  expect(spool.entries.size).toBe(0)
})

test('a cancelled update can be pushed again at once', async () => {
  const emulator = await startPush()
  await emulator.clock.advance(DURING_TRANSFER_MS)
  await emulator.send(TASK, { method: 'DELETE' })
  await emulator.clock.advance(1)
  expect((await push(emulator, image)).status).toBe(202)
  await emulator.clock.advance(AFTER_END_MS)
  expect(await emulator.get(uris.firmware('NIC-1'))).toMatchObject({ Version: '22.42.1' })
})

test.each([TASK, MONITOR])(
  'DELETE of %s is refused while the device writes, and the update goes on',
  async (uri) => {
    const { send, get, clock } = await startPush()
    await clock.advance(DURING_INSTALL_MS)
    const refused = await send(uri, { method: 'DELETE' })
    expect(refused.status).toBe(409)
    expect(messageKeys(refused.json)).toEqual(['ResourceInUse'])
    expect(validateError(refused.json)).toEqual([])
    await clock.advance(AFTER_END_MS)
    expect(await get(TASK)).toMatchObject({ TaskState: 'Completed' })
  },
)

test.each([TASK, MONITOR])('DELETE of %s removes a finished task and its monitor', async (uri) => {
  const { send, get, clock } = await startPush()
  await clock.advance(AFTER_END_MS)
  expect(await send(uri, { method: 'DELETE' })).toMatchObject({ status: 204, text: '' })
  expect((await send(TASK)).status).toBe(404)
  expect((await send(MONITOR)).status).toBe(404)
  expect((await send(uri, { method: 'DELETE' })).status).toBe(404)
  expect(await get(uris.tasks)).toMatchObject({ 'Members@odata.count': 0 })
})

test('a finished task is kept for TaskAutoDeleteTimeoutMinutes to the millisecond', async () => {
  const { send, bmc, clock } = await startPush()
  await clock.advance(AFTER_END_MS)
  const endTime = bmc.state.tasks.get('1')?.endTime ?? NaN
  await clock.advance(endTime + 1_440 * 60_000 - clock.now() - 1)
  expect([(await send(TASK)).status, (await send(MONITOR)).status]).toEqual([200, 200])
  await clock.advance(1)
  expect([(await send(TASK)).status, (await send(MONITOR)).status]).toEqual([404, 404])
})

test('a new TaskAutoDeleteTimeoutMinutes holds for tasks that are finished already', async () => {
  const { send, bmc, clock } = await startPush()
  await clock.advance(AFTER_END_MS)
  const endTime = bmc.state.tasks.get('1')?.endTime ?? NaN
  await send(uris.taskService, { method: 'PATCH', body: { TaskAutoDeleteTimeoutMinutes: 1 } })
  await clock.advance(endTime + 60_000 - clock.now() - 1)
  expect((await send(TASK)).status).toBe(200)
  await clock.advance(1)
  expect((await send(TASK)).status).toBe(404)
})

test.each([
  [0, 400],
  [1, 200],
  [1.5, 400],
  ['60', 400],
])('a TaskAutoDeleteTimeoutMinutes of %j is answered %i', async (TaskAutoDeleteTimeoutMinutes, status) => {
  const { send, get } = await startEmulator()
  const body = { TaskAutoDeleteTimeoutMinutes }
  const answer = await send(uris.taskService, { method: 'PATCH', body })
  expect(answer.status).toBe(status)
  const shown = (await get(uris.taskService))['TaskAutoDeleteTimeoutMinutes']
  expect(shown).toBe(status === 200 ? TaskAutoDeleteTimeoutMinutes : 1_440)
})

test('the payload of a task says what was asked, without its secrets', async () => {
  const oem = { Contoso: { Password: 'hunter2', AuthToken: 'abc123', Deep: [{ ClientSecret: 'xyz789' }] } }
  const { accepted } = await startPush({}, { Targets: [uris.firmware('NIC-1')], Oem: oem })
  const { Payload } = accepted.json as {
    readonly Payload: { readonly HttpHeaders: readonly string[]; readonly JsonBody: string }
  }
  expect(Payload).toMatchObject({ HttpOperation: 'POST', TargetUri: uris.multipartPush })
  expect(JSON.parse(Payload.JsonBody)).toEqual({
    Targets: [uris.firmware('NIC-1')],
    Oem: { Contoso: { Password: '******', AuthToken: '******', Deep: [{ ClientSecret: '******' }] } },
  })
  expect(accepted.text).not.toMatch(/hunter2|abc123|xyz789|authorization|YWRtaW46/i)
  expect(Payload.HttpHeaders.join('\n')).toMatch(/^Content-Type: multipart\/form-data/m)
})

test('a full table takes no task while none has ended, then the oldest that has gives way', async () => {
  const emulator = await startEmulator()
  for (let count = 0; count < MAX_TASKS; count++) {
    expect((await push(emulator, Buffer.from('this is no firmware'))).status).toBe(202)
  }
  const refused = await push(emulator, image)
  expect(refused).toMatchObject({ status: 503, headers: { 'retry-after': '5' } })
  expect(messageKeys(refused.json)).toContain('ResourceExhaustion')
  // The same bytes are kept once.
  expect(emulator.spool.entries.size).toBe(1)

  await emulator.clock.advance(1)
  expect(emulator.spool.entries.size).toBe(0)
  expect((await push(emulator, image)).status).toBe(202)
  expect(await emulator.get(uris.tasks)).toMatchObject({ 'Members@odata.count': MAX_TASKS })
  const statuses = [uris.task('1'), uris.task('2'), uris.task(String(MAX_TASKS + 1))].map(
    async (uri) => (await emulator.send(uri)).status,
  )
  expect(await Promise.all(statuses)).toEqual([404, 200, 200])
})
