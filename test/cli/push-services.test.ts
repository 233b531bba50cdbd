import { createServer, type Server } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import { VirtualClock } from '../../src/lib/clock.ts'
import type { JsonObject } from '../../src/redfish/resource.ts'
import { fileOf, pushTo } from '../support/pushing.ts'

const TASK = '/redfish/v1/TaskService/Tasks/1'
const JOB = '/redfish/v1/JobService/Jobs/1'
const MONITOR = '/redfish/v1/TaskService/TaskMonitors/1'
const RESET = '/redfish/v1/Managers/1/Actions/Manager.Reset'
const BMC = '/redfish/v1/UpdateService/FirmwareInventory/BMC'
const START = '/redfish/v1/UpdateService/Actions/UpdateService.StartUpdate'
const HALF_HOUR_MS = 1_800_000
/** How many times faster time passes than the client thinks. */
const HURRY = 60

/** `lose` ends the connection, `leave` closes the door after the answer, until the client has waited once. */
interface Reply {
  readonly status: number
  readonly body?: JsonObject
  readonly headers?: Readonly<Record<string, string>>
  readonly ending?: 'lose' | 'leave'
}

const message = (key: string, ...MessageArgs: string[]) => ({ MessageId: `Update.1.3.${key}`, MessageArgs })
const task = (TaskState: string, ...Messages: JsonObject[]): Reply => ({
  status: TaskState === 'New' ? 202 : 200,
  body: { '@odata.id': TASK, TaskState, Messages },
})
const job = (JobState: string, ...Messages: JsonObject[]): Reply => ({
  status: 200,
  body: { '@odata.id': JOB, JobState, Messages },
})
const inventory = (Version: string): Reply => ({ status: 200, body: { Version } })
const ok: Reply = { status: 204 }
const awaiting = message('AwaitToActivate', 'BMC 2', BMC)
const resetRequired = { MessageId: 'Base.1.22.ResetRequired', MessageArgs: [RESET, 'ForceRestart'] }

/** A service that answers each request by the next of its replies, the last for ever. */
async function startService(script: Readonly<Record<string, readonly Reply[]>>, hurry = 1) {
  const replies: Record<string, readonly Reply[]> = {
    'GET /redfish/v1/': [{ status: 200, body: { UpdateService: { '@odata.id': '/us' } } }],
    'GET /us': [
      {
        status: 200,
        body: { MultipartHttpPushUri: '/push', Actions: { '#UpdateService.StartUpdate': { target: START } } },
      },
    ],
    ...script,
  }
  const seen: string[] = []
  const counts = new Map<string, number>()
  const server = createServer((request, response) => {
    const line = `${request.method} ${request.url}`
    const at = counts.get(line) ?? 0
    counts.set(line, at + 1)
    seen.push(line)
    const known = replies[line] ?? []
    const reply = known[Math.min(at, known.length - 1)] ?? { status: 404 }
    if (reply.ending === 'lose') return void request.socket.destroy()
    request.resume().once('end', () => {
      response
        .writeHead(reply.status, { ...reply.headers, Connection: 'close' })
        .end(JSON.stringify(reply.body ?? {}))
    })
    if (reply.ending === 'leave') server.close()
  })
  const port = await listen(server, 0)
  onTestFinished(() => void server.close())
  const clock = new VirtualClock()
  const pauses: number[] = []
  const waiting = {
    now: () => clock.now(),
    sleep: async (ms: number) => {
      pauses.push(ms)
      await clock.advance(ms * hurry)
      // It was away for as long as the client has waited twice.
      if (!server.listening && pauses.length % 2 === 0) await listen(server, port)
    },
  }
  const image = await fileOf(Buffer.from('image'))
  const push = (request: Parameters<typeof pushTo>[3] = {}) =>
    pushTo(`http://127.0.0.1:${port}`, image, waiting, request)
  return { push, seen, pauses, times: (line: string) => seen.filter((one) => one === line).length }
}

async function listen(server: Server, port: number): Promise<number> {
  await once(server.listen(port, '127.0.0.1'), 'listening')
  return (server.address() as AddressInfo).port // a TCP server's address
}

describe('a push follows a service', () => {
  test('that answers 503 for a while, and asks as seldom as that says', async () => {
    const away: Reply = { status: 503, headers: { 'Retry-After': '7' } }
    const { push, pauses } = await startService({
      'POST /push': [task('New')],
      [`GET ${TASK}`]: [away, away, task('Completed')],
    })
    expect(await push()).toMatchObject({ isGood: true, waits: ['the service is away'] })
    expect(pauses).toEqual([1_000, 7_000, 7_000])
  })

  test('that loses a connection', async () => {
    const { push } = await startService({
      'POST /push': [task('New')],
      [`GET ${TASK}`]: [{ status: 0, ending: 'lose' }, task('Completed')],
    })
    expect(await push()).toMatchObject({ isGood: true, waits: ['the service is away'] })
  })

  test('that refuses connections while it resets, and resets it once', async () => {
    const { push, times } = await startService({
      'POST /push': [task('New')],
      [`GET ${TASK}`]: [task('Completed', message('OperationTransitionedToJob', JOB))],
      [`GET ${JOB}`]: [
        job('UserIntervention', resetRequired),
        job('UserIntervention', resetRequired),
        job('Completed'),
      ],
      [`POST ${RESET}`]: [{ ...ok, ending: 'leave' }],
    })
    const { isGood, waits } = await push({ resets: true })
    expect({ isGood, waits }).toEqual({
      isGood: true,
      waits: [`reset ${RESET} ForceRestart`, 'the service is away'],
    })
    expect(times(`POST ${RESET}`)).toBe(1)
  })

  test('that resets without an answer, and does not ask again', async () => {
    const { push, times } = await startService({
      'POST /push': [task('New')],
      [`GET ${TASK}`]: [
        task('Pending', awaiting, resetRequired),
        task('Completed', awaiting, resetRequired, message('UpdateSuccessful', BMC, 'BMC 2')),
      ],
      [`POST ${RESET}`]: [{ status: 0, ending: 'lose' }],
    })
    expect(await push({ resets: true })).toMatchObject({ isGood: true })
    expect(times(`POST ${RESET}`)).toBe(1)
  })

  test('that asks for the same reset twice, which it gets twice', async () => {
    const { push, times } = await startService({
      'POST /push': [task('New')],
      [`GET ${TASK}`]: [
        task('Pending', awaiting, resetRequired),
        task('Running', awaiting, resetRequired),
        task('Pending', awaiting, resetRequired, awaiting, resetRequired),
        task('Completed', awaiting, message('UpdateSuccessful', BMC, 'BMC 2')),
      ],
      [`POST ${RESET}`]: [ok],
    })
    expect(await push({ resets: true })).toMatchObject({ isGood: true })
    expect(times(`POST ${RESET}`)).toBe(2)
  })

  test('whose task has ended, until the inventory shows another version', async () => {
    const { push, times } = await startService({
      'POST /push': [task('Completed', awaiting, resetRequired)],
      [`GET ${BMC}`]: [inventory('1'), inventory('1'), { status: 503 }, inventory('2')],
      [`POST ${RESET}`]: [ok],
    })
    expect((await push({ resets: true })).waits.at(-1)).toBe(`${BMC} is at 2`)
    expect(times(`GET ${BMC}`)).toBe(4)
  })

  test('whose task has ended with everything done that it asked for', async () => {
    const done = message('UpdateSuccessful', BMC, 'BMC 2')
    const { push, times } = await startService({
      'POST /push': [task('Completed', awaiting, resetRequired, done)],
    })
    expect(await push({ resets: true })).toMatchObject({ isGood: true, waits: [] })
    expect(times(`POST ${RESET}`)).toBe(0)
  })

  test('that answers with nothing but a monitor', async () => {
    const error = { '@Message.ExtendedInfo': [message('OperationTransitionedToJob', JOB)] }
    const { push } = await startService({
      'POST /push': [{ status: 202, headers: { Location: MONITOR } }],
      [`GET ${MONITOR}`]: [{ status: 202 }, { status: 200, body: { error } }],
      [`GET ${JOB}`]: [job('Running'), job('Completed', message('UpdateSuccessful', BMC, 'BMC 2'))],
    })
    expect(await push()).toMatchObject({
      isGood: true,
      keys: ['OperationTransitionedToJob', 'UpdateSuccessful'],
    })
  })

  test('whose component falls back to another version, which is no success', async () => {
    const recovered = { status: 200, body: { Version: '0', Status: { State: 'Enabled', Health: 'Warning' } } }
    const { push } = await startService({
      'POST /push': [task('Completed', awaiting, resetRequired)],
      [`GET ${BMC}`]: [inventory('1'), recovered],
      [`POST ${RESET}`]: [ok],
    })
    expect(await push({ resets: true })).toMatchObject({ isGood: false })
  })

  test('whose component is broken before, until it is not', async () => {
    const broken = { status: 200, body: { Version: '1', Status: { State: 'Enabled', Health: 'Critical' } } }
    const { push } = await startService({
      'POST /push': [task('Completed', awaiting, resetRequired)],
      [`GET ${BMC}`]: [broken, broken, inventory('2')],
      [`POST ${RESET}`]: [ok],
    })
    expect(await push({ resets: true })).toMatchObject({ isGood: true })
  })

  test.each([
    ['Exception', false],
    ['Cancelled', false],
    ['Completed', true],
  ])('to a job’s end, and %s is no reason to ask on', async (state, isGood) => {
    const { push } = await startService({
      'POST /push': [task('Completed', message('OperationTransitionedToJob', JOB))],
      [`GET ${JOB}`]: [job('Suspended'), job(state, resetRequired)],
    })
    expect(await push({ resets: true })).toMatchObject({ isGood, waits: [] })
  })

  test('whose started task waits for what comes by itself, and starts it once', async () => {
    const waits = message('AwaitToUpdate', 'BMC 2', BMC)
    const { push, times } = await startService({
      'POST /push': [task('Completed', waits)],
      [`POST ${START}`]: [task('New')],
      [`GET ${BMC}`]: [inventory('1')],
      [`GET ${TASK}`]: [task('Pending', waits), task('Completed', message('UpdateSuccessful', BMC, 'BMC 2'))],
    })
    const parameters = { '@Redfish.OperationApplyTime': 'OnStartUpdateRequest' }
    expect(await push({ starts: true, parameters })).toMatchObject({ isGood: true, waits: [] })
    expect(times(`POST ${START}`)).toBe(1)
  })

  test('that starts updates without a word, until the inventory shows another version', async () => {
    const { push, times } = await startService({
      'POST /push': [task('Completed', message('AwaitToUpdate', 'BMC 2', BMC))],
      [`POST ${START}`]: [ok],
      [`GET ${BMC}`]: [inventory('1'), inventory('2')],
    })
    const parameters = { '@Redfish.OperationApplyTime': 'OnStartUpdateRequest' }
    expect(await push({ starts: true, parameters })).toMatchObject({
      isGood: true,
      waits: [`${BMC} is at 2`],
    })
    expect(times(`POST ${START}`)).toBe(1)
  })
})

describe('a push gives up', () => {
  test('a service that does not come back', async () => {
    const { push, pauses } = await startService({
      'POST /push': [task('New')],
      [`GET ${TASK}`]: [{ status: 503, headers: { 'Retry-After': '60' } }],
    })
    await expect(push()).rejects.toThrow(/does not come back/)
    expect(pauses.reduce((sum, ms) => sum + ms, 0)).toBe(HALF_HOUR_MS + 1_000)
  })

  test('a component that shows no other version', async () => {
    const script = {
      'POST /push': [task('Completed', awaiting, resetRequired)],
      [`GET ${BMC}`]: [inventory('1')],
      [`POST ${RESET}`]: [ok],
    }
    const { push } = await startService(script, HURRY)
    await expect(push({ resets: true })).rejects.toThrow(BMC)
  })

  test('a task that is gone', async () => {
    const { push } = await startService({ 'POST /push': [task('New')] })
    await expect(push()).rejects.toThrow(/Tasks\/1 is gone/)
  })

  test('a reset that is refused', async () => {
    const { push, times } = await startService({
      'POST /push': [task('Completed', awaiting, resetRequired)],
      [`GET ${BMC}`]: [inventory('1')],
      [`POST ${RESET}`]: [{ status: 409 }],
    })
    await expect(push({ resets: true })).rejects.toThrow(/reset was refused: HTTP 409/)
    expect(times(`POST ${RESET}`)).toBe(1)
  })

  test('a start of nothing', async () => {
    const error = { '@Message.ExtendedInfo': [message('NoOperation')] }
    const { push } = await startService({
      'POST /push': [task('Completed', message('AwaitToUpdate', 'BMC 2', BMC))],
      [`POST ${START}`]: [{ status: 200, body: { error } }],
      [`GET ${BMC}`]: [inventory('1')],
    })
    const parameters = { '@Redfish.OperationApplyTime': 'OnStartUpdateRequest' }
    await expect(push({ starts: true, parameters })).rejects.toThrow(/nothing to start/)
  })

  test('a job that wants somebody to act and does not say what', async () => {
    const { push } = await startService({
      'POST /push': [task('Completed', message('OperationTransitionedToJob', JOB))],
      [`GET ${JOB}`]: [job('UserIntervention')],
    })
    expect(await push({ resets: true })).toMatchObject({ waits: ['waits for somebody to act'] })
  })
})
