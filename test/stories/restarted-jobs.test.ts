import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { VirtualClock } from '../../src/lib/clock.ts'
import type { JsonObject } from '../../src/redfish/resource.ts'
import { uris } from '../../src/redfish/uris.ts'
import { addAccount, logIn } from '../support/accounts.ts'
import { recordingSink } from '../support/events.ts'
import { rackmountWith } from '../support/behaviours.ts'
import { leftBy, toldOf, watchDeaths } from '../support/crashes.ts'
import { startEmulator, type TestEmulator, type TestOptions } from '../support/emulator.ts'
import { bundleOf } from '../support/images.ts'
import { DAILY, DAY_MS, HOUR_MS, jobLog, makeJob, postJob, renaming, tagOf } from '../support/jobs.ts'
import { messageKeys, push } from '../support/multipart.ts'
import { LONG_MS } from '../support/updates.ts'

/** Every moment of an update's life before an issue is resolved, and else every so many. */
const STEP = process.env['PROOF'] === undefined ? 3 : 1
const PROOF_MS = 300_000
const occurrence = ['JobStarted 1', 'Success 1', 'JobCompletedOK 1']
const image = await bundleOf({ 'NIC-1': '22.42.1' })
const images = new Map([[createHash('sha256').update(image).digest('hex'), image]])
const NIC = uris.firmware('NIC-1')
const startUpdate = {
  HttpOperation: 'POST',
  TargetUri: uris.action(uris.updateService, 'UpdateService.StartUpdate'),
}

/** The emulator after a crash and a time in which it was down. */
function restarted(dead: TestEmulator, downMs = 0, options: TestOptions = {}): Promise<TestEmulator> {
  const clock = new VirtualClock(dead.clock.now() + downMs)
  return startEmulator({ ...options, after: { journal: dead.journal, spool: dead.spool, clock } })
}

/** A machine whose devices mind no restart. */
const machine = rackmountWith({ 'NIC-1': { onManagerReset: 'goes-on' } })

/** An update that waits for StartUpdate. */
async function stage(emulator: TestEmulator): Promise<void> {
  await push(emulator, image, {
    '@Redfish.OperationApplyTime': 'OnStartUpdateRequest',
  })
  await emulator.clock.advance(60_000)
}

const act = ({ send }: TestEmulator, uri: string, name: string) =>
  send(uris.action(uri, `Job.${name}`), { method: 'POST', body: {} })

test('a job that waits for its time waits on, tells nothing again, and does then what it was to do', async () => {
  const first = await startEmulator()
  const TargetUri = await addAccount(first, 'somebody')
  const Payload = { HttpOperation: 'PATCH', TargetUri, JsonBody: '{"Password": "much-better"}' }
  const uri = await makeJob(first, { Payload, Schedule: { ...DAILY, MaxOccurrences: 2 } })
  await first.clock.advance(DAY_MS)
  const before = await first.get(uri)
  const emulator = await restarted(first, HOUR_MS)
  await emulator.clock.advance(1)
  expect(await emulator.get(uri)).toEqual(before)
  expect(before).toMatchObject({ JobState: 'Pending', StartTime: '2026-01-03T00:00:00Z' })
  expect(JSON.stringify([...emulator.bmc.state.jobs])).not.toContain('much-better')
  await emulator.send(TargetUri, { method: 'PATCH', body: { Password: 'another-one' } })
  await emulator.clock.advance(DAY_MS)
  expect(await emulator.get(uri)).toMatchObject({ JobState: 'Completed', EndTime: '2026-01-03T00:00:00Z' })
  expect(await jobLog(emulator)).toEqual([...occurrence, ...occurrence])
  expect((await logIn(emulator, 'somebody', { Password: 'much-better' })).status).toBe(201)
  expect(emulator.bmc.state.userJobs.size).toBe(0)
})

describe('what came due while the service was down', () => {
  const hourly = { InitialStartTime: '2026-01-01T01:00:00Z', RecurrenceInterval: 'PT1H' }
  const once = { InitialStartTime: '2026-01-01T01:00:00Z' }
  const nightly = { EnabledIntervals: ['01:00:00Z/PT1H'] }
  const done = { JobState: 'Completed', StartTime: '2026-01-01T10:30:00Z' }

  test.each<readonly [string, JsonObject, JsonObject, number]>([
    ['is done when it is back', { Schedule: once }, done, 1],
    [
      'is done once, not once for each time',
      { Schedule: hourly },
      { JobState: 'Pending', StartTime: '2026-01-01T11:00:00Z' },
      1,
    ],
    ['counts once', { Schedule: { ...hourly, MaxOccurrences: 1 } }, done, 1],
    [
      'waits until it is enabled again',
      { Schedule: { ...once, ...nightly } },
      { JobState: 'Pending', StartTime: '2026-01-02T01:00:00Z' },
      0,
    ],
    [
      'waits until it is enabled again, where it recurs, too',
      { Schedule: { ...hourly, RecurrenceInterval: 'PT15M', ...nightly } },
      { JobState: 'Pending', StartTime: '2026-01-02T01:00:00Z' },
      0,
    ],
    [
      'is done no more where its lifetime is over',
      { Schedule: { ...once, Lifetime: 'PT2H' } },
      { JobState: 'Exception', JobStatus: 'Critical' },
      0,
    ],
    ['has all its MaxExecutionTime', { Schedule: once, MaxExecutionTime: 'PT1M' }, done, 1],
  ])('%s', async (_what, members, expected, occurrences) => {
    const first = await startEmulator()
    const uri = await makeJob(first, members)
    const emulator = await restarted(first, 10.5 * HOUR_MS - 1)
    await emulator.clock.advance(1)
    const job = await emulator.get(uri)
    expect(job).toMatchObject(expected)
    expect(messageKeys(job).filter((key) => key === 'Success').length).toBe(occurrences)
    expect((await tagOf(emulator)) === 'made by a job').toBe(occurrences > 0)
  })

  test('is nothing by a schedule that was given later', async () => {
    const first = await startEmulator()
    const uri = await makeJob(first, { Schedule: DAILY })
    await first.clock.advance(12 * HOUR_MS)
    const Schedule = { InitialStartTime: '2026-01-01T01:00:00Z' }
    await first.send(uri, { method: 'PATCH', body: { Schedule } })
    await first.clock.advance(1)
    const emulator = await restarted(first)
    await emulator.clock.advance(1)
    expect(await emulator.get(uri)).toMatchObject({
      JobState: 'Pending',
      StartTime: '2026-01-02T01:00:00Z',
    })
    expect(await tagOf(emulator)).not.toBe('made by a job')
  })
})

describe('whenever the service dies', () => {
  test('a request is not sent twice, and a job that does not know what came of it says so', async () => {
    const { sink: eventSink } = recordingSink()
    const first = await startEmulator({ eventSink })
    const deaths = watchDeaths(first)
    const JsonBody = JSON.stringify({ Destination: 'http://127.0.0.1:9/', Protocol: 'Redfish' })
    const Payload = { HttpOperation: 'POST', TargetUri: uris.eventDestinations, JsonBody }
    await makeJob(first, { Payload, Schedule: { RecurrenceInterval: 'PT1H', MaxOccurrences: 2 } })
    await first.clock.advance(HOUR_MS)
    expect(deaths.length).toBeGreaterThan(8)
    const ends = new Set<string>()
    for (const [index, death] of deaths.entries()) {
      const emulator = await startEmulator({ eventSink, after: await leftBy(death, new Map()) })
      const { clock, bmc } = emulator
      const told = toldOf(bmc).get('job 1')
      await clock.advance(3 * HOUR_MS)
      const job = bmc.state.jobs.get('1')
      const keys = messageKeys(await emulator.get(uris.job('1')))
      expect(job?.messages.slice(0, told?.messages.length), `commit ${index}`).toEqual(told?.messages)
      expect(keys.length, `commit ${index}`).toBe(2)
      const lost = keys.filter((key) => key === 'OperationFailed').length
      const made = bmc.state.subscriptions.size
      expect(made, `commit ${index}`).toBeLessThanOrEqual(2)
      expect(made + lost, `commit ${index}`).toBeGreaterThanOrEqual(2)
      expect(job?.state, `commit ${index}`).toBe(keys.at(-1) === 'Created' ? 'Completed' : 'Exception')
      expect(bmc.state.userJobs.size, `commit ${index}`).toBe(0)
      ends.add(keys.join(' '))
    }
    expect(ends).toEqual(new Set(['Created Created', 'OperationFailed Created', 'Created OperationFailed']))
  })

  test(
    'a job goes on to say what its task says, each thing once, and ends as it does',
    async () => {
      const first = await startEmulator({ machine })
      await stage(first)
      const deaths = watchDeaths(first)
      await makeJob(first, { Payload: startUpdate })
      await first.clock.advance(LONG_MS)
      expect(deaths.length).toBeGreaterThan(20)
      const ends = new Set<unknown>()
      for (const [index, death] of deaths.entries()) {
        if (index % STEP > 0) continue
        const { bmc, clock, get } = await startEmulator({ machine, after: await leftBy(death, images) })
        const told = toldOf(bmc).get('job 1')
        await clock.advance(LONG_MS)
        const job = bmc.state.jobs.get('1')
        const task = bmc.state.tasks.get('2')
        expect(job?.messages.slice(0, told?.messages.length), `commit ${index}`).toEqual(told?.messages)
        const isLost = messageKeys(await get(uris.job('1')))[0] === 'OperationFailed'
        ends.add(isLost ? 'lost' : 'followed')
        const said = isLost ? job?.messages : task?.messages
        expect(job?.messages, `commit ${index}`).toEqual(said)
        expect(job?.state, `commit ${index}`).toBe(isLost ? 'Exception' : 'Completed')
      }
      expect(ends).toEqual(new Set(['lost', 'followed']))
    },
    PROOF_MS,
  )
})

describe('what a client was told of a job holds', () => {
  test('suspended, it is held until it is resumed', async () => {
    const first = await startEmulator({ machine })
    await stage(first)
    const uri = await makeJob(first, { Payload: startUpdate, Schedule: { RecurrenceInterval: 'P1D' } })
    expect((await act(first, uri, 'Suspend')).status).toBe(204)
    // While what it follows goes on, and when it is held.
    const second = await restarted(first, 0, { machine })
    await second.clock.advance(LONG_MS)
    expect(await second.get(NIC)).toMatchObject({ Version: '22.42.1' })
    expect(await second.get(uri)).toMatchObject({ JobState: 'Suspended' })
    const emulator = await restarted(second, 0, { machine })
    await emulator.clock.advance(2 * DAY_MS)
    expect(await emulator.get(uri)).toMatchObject({ JobState: 'Suspended' })
    expect((await act(emulator, uri, 'Resume')).status).toBe(204)
    await emulator.clock.advance(1)
    expect(await emulator.get(uri)).toMatchObject({ JobState: 'Pending' })
  })

  test('forced to start, it starts, and waits for its next time then', async () => {
    const first = await startEmulator()
    const uri = await makeJob(first, { Schedule: DAILY })
    const deaths = watchDeaths(first)
    expect((await act(first, uri, 'ForceStart')).status).toBe(204)
    await first.clock.advance(1)
    const tags: unknown[] = []
    for (const death of deaths) {
      const emulator = await startEmulator({ after: await leftBy(death, new Map()) })
      await emulator.clock.advance(1)
      const job = await emulator.get(uri)
      expect(job).toMatchObject({ JobState: 'Pending', StartTime: '2026-01-02T00:00:00Z' })
      expect(messageKeys(job).length).toBe(1)
      expect((await jobLog(emulator)).length).toBe(3)
      tags.push(await tagOf(emulator))
    }
    expect([tags.at(0), tags.at(-1)]).toEqual(['made by a job', 'made by a job'])
  })

  test('cancelled, it is over, and so is what it follows', async () => {
    const first = await startEmulator({ machine })
    await stage(first)
    const uri = await makeJob(first, { Payload: startUpdate })
    expect((await act(first, uri, 'Cancel')).status).toBe(204)
    const emulator = await restarted(first)
    await emulator.clock.advance(LONG_MS)
    expect(await emulator.get(uri)).toMatchObject({ JobState: 'Cancelled' })
    expect(await emulator.get(uris.task('2'))).toMatchObject({ TaskState: 'Cancelled' })
    expect(await emulator.get(NIC)).toMatchObject({ Version: '22.41.1000' })
    // Nothing of it comes again.
    const { bmc, clock } = await restarted(emulator)
    await clock.advance(DAY_MS)
    expect([bmc.state.jobs.size, bmc.state.userJobs.size, bmc.state.operations.size]).toEqual([1, 0, 0])
  })

  test.each([
    [10_000 - 2, 'Running'],
    [10_000 - 1, 'Exception'],
  ])('it has no more than MaxExecutionTime: %i ms after its start it is %s', async (ms, state) => {
    const first = await startEmulator({ machine })
    await stage(first)
    const uri = await makeJob(first, { Payload: startUpdate, MaxExecutionTime: 'PT10S' })
    await first.clock.advance(4_000)
    const { clock, get } = await restarted(first, 3_000, { machine })
    await clock.advance(ms - 7_000)
    const job = await get(uri)
    expect(job).toMatchObject({ JobState: state })
    expect(messageKeys(job).includes('OperationTimeout')).toBe(state === 'Exception')
  })

  test('where MaxExecutionTime was over meanwhile, what it follows is cancelled with it', async () => {
    const first = await startEmulator({ machine })
    await stage(first)
    const uri = await makeJob(first, { Payload: startUpdate, MaxExecutionTime: 'PT10S' })
    const emulator = await restarted(first, 60_000, { machine })
    await emulator.clock.advance(LONG_MS)
    expect(await emulator.get(uri)).toMatchObject({ JobState: 'Exception' })
    expect(await emulator.get(uris.task('2'))).toMatchObject({ TaskState: 'Cancelled' })
  })

  test('that its maker may do it, is asked again', async () => {
    const first = await startEmulator()
    const account = await addAccount(first, 'manager', { RoleId: 'Administrator' })
    const { headers } = await postJob(first, { Payload: renaming, Schedule: DAILY }, 'manager')
    await first.clock.advance(1)
    const emulator = await restarted(first)
    await emulator.send(account, { method: 'PATCH', body: { Enabled: false } })
    await emulator.clock.advance(DAY_MS)
    const job = await emulator.get(String(headers['location']))
    expect(messageKeys(job)).toEqual(['AccountDisabled', 'AccessUnauthorized'])
    expect(job).toMatchObject({ JobState: 'Exception', CreatedBy: 'manager' })
  })
})
