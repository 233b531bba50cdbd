import { describe, expect, test } from 'vitest'
import type { JsonObject } from '../../src/redfish/resource.ts'
import { JOB_LOG, uris } from '../../src/redfish/uris.ts'
import { MAX_JOBS } from '../../src/tasks/job-engine.ts'
import { addAccount } from '../support/accounts.ts'
import { startEmulator, type TestEmulator } from '../support/emulator.ts'
import { bundleOf } from '../support/images.ts'
import { DAY_MS, HOUR_MS, jobLog, makeJob, postJob, renaming } from '../support/jobs.ts'
import { messageKeys, push } from '../support/multipart.ts'
import { validateBody, validateError } from '../support/schemas.ts'

const TOMORROW = { InitialStartTime: '2026-01-02T00:00:00Z' }
const LOG = uris.logService(uris.manager('1'), JOB_LOG)

const patch = ({ send }: TestEmulator, uri: string, body: JsonObject, user = 'admin') =>
  send(uri, { method: 'PATCH', body, user })
const act = ({ send }: TestEmulator, uri: string, action: string, user = 'admin') =>
  send(uris.action(uri, `Job.${action}`), { method: 'POST', body: {}, user })

/** An update that waits for a reset: a job of the service's own, with a step that has ended and one that waits. */
async function startWaiting(user = 'admin'): Promise<TestEmulator> {
  const emulator = await startEmulator({ adapted: { awaitReset: 'job' } })
  await addAccount(emulator, 'operator', { RoleId: 'Operator' })
  await push(emulator, await bundleOf({ BIOS: '99.1.0', 'NIC-1': '99.1.0' }), {}, { user })
  await emulator.clock.advance(120_000)
  return emulator
}

/** A job whose request started an update, which runs. */
async function startRunning(): Promise<TestEmulator & { readonly uri: string }> {
  const emulator = await startEmulator()
  const parameters = { '@Redfish.OperationApplyTime': 'OnStartUpdateRequest' }
  await push(emulator, await bundleOf({ 'NIC-1': '22.42.1' }), parameters)
  await emulator.clock.advance(60_000)
  const TargetUri = uris.action(uris.updateService, 'UpdateService.StartUpdate')
  const uri = await makeJob(emulator, { Payload: { HttpOperation: 'POST', TargetUri } })
  return { ...emulator, uri }
}

describe('the job service', () => {
  test('says what it can do', async () => {
    const emulator = await startEmulator()
    const service = await emulator.get(uris.jobService)
    expect(validateBody(service)).toEqual([])
    expect(service).toMatchObject({
      ServiceEnabled: true,
      ServiceCapabilities: {
        MaxJobs: MAX_JOBS,
        MaxSteps: 9,
        Scheduling: true,
        DocumentBasedJobs: false,
        UserSpecifiedJobs: true,
      },
      Jobs: { '@odata.id': uris.jobs },
      Log: { '@odata.id': '/redfish/v1/JobService/Log' },
    })
    expect(await emulator.get(uris.root)).toMatchObject({ JobService: { '@odata.id': uris.jobService } })
  })

  test('takes no jobs of users while it is disabled, and goes on with those that it has', async () => {
    const emulator = await startEmulator()
    const uri = await makeJob(emulator, { Schedule: TOMORROW })
    await patch(emulator, uris.jobService, { ServiceEnabled: false })
    expect(await emulator.get(uris.jobService)).toMatchObject({
      ServiceEnabled: false,
      Status: { State: 'Disabled' },
    })
    const { status, json } = await postJob(emulator, { Payload: renaming })
    expect({ status, keys: messageKeys(json) }).toEqual({ status: 503, keys: ['ServiceDisabled'] })
    await emulator.clock.advance(DAY_MS)
    expect(await emulator.get(uri)).toMatchObject({ JobState: 'Completed' })
  })

  test('ends all jobs that can be ended when asked to', async () => {
    const emulator = await startEmulator()
    await makeJob(emulator)
    await makeJob(emulator, { Schedule: TOMORROW })
    await makeJob(emulator, { Schedule: TOMORROW })
    const target = uris.action(uris.jobService, 'JobService.CancelAllJobs')
    expect(await emulator.send(target, { method: 'POST', body: {} })).toMatchObject({ status: 204 })
    await emulator.clock.advance(DAY_MS)
    const states = [...emulator.bmc.state.jobs.values()].map(({ state }) => state)
    expect(states).toEqual(['Completed', 'Cancelled', 'Cancelled'])
  })

  test('tells which jobs it could not end', async () => {
    const emulator = await startRunning()
    await makeJob(emulator, { Schedule: TOMORROW })
    // While the device is written, nothing stops it.
    await emulator.clock.advance(10_000)
    const target = uris.action(uris.jobService, 'JobService.CancelAllJobs')
    const { status, json } = await emulator.send(target, { method: 'POST', body: {} })
    expect({ status, keys: messageKeys(json) }).toEqual({
      status: 200,
      keys: ['PropertyValueResourceConflict'],
    })
    await emulator.clock.advance(120_000)
    const states = [...emulator.bmc.state.jobs.values()].map(({ state }) => state)
    expect(states).toEqual(['Completed', 'Cancelled'])
  })
})

describe('the log of the job service', () => {
  test('says what became of jobs, and can be cleared', async () => {
    const emulator = await startEmulator()
    await makeJob(emulator)
    const entries = await emulator.get(`${LOG}/Entries`)
    expect(validateBody(entries)).toEqual([])
    expect(await jobLog(emulator)).toEqual(['JobStarted 1', 'Success 1', 'JobCompletedOK 1'])
    expect(await emulator.get(`${LOG}/Entries/1`)).toMatchObject({ Username: 'admin', MessageArgs: ['1'] })
    const target = uris.action(LOG, 'LogService.ClearLog')
    expect(await emulator.send(target, { method: 'POST', body: {} })).toMatchObject({ status: 204 })
    expect(await jobLog(emulator)).toEqual([])
  })

  test('is no log of the manager', async () => {
    const { get } = await startEmulator()
    expect(validateBody(await get(LOG))).toEqual([])
    expect(await get(uris.logServices(uris.manager('1')))).toMatchObject({ 'Members@odata.count': 2 })
  })

  test('knows the jobs of the service, too, and no longer links to one that is gone', async () => {
    const emulator = await startWaiting()
    expect(await jobLog(emulator)).toEqual(['JobStarted 1'])
    await emulator.send(uris.job('1'), { method: 'DELETE' })
    await emulator.clock.advance(1)
    expect(await jobLog(emulator)).toEqual(['JobStarted 1', 'JobCancelled 1'])
    await emulator.send(uris.job('1'), { method: 'DELETE' })
    expect(await jobLog(emulator)).toEqual(['JobStarted gone', 'JobCancelled gone'])
  })
})

describe('a client may make of a job', () => {
  test('what its state allows, by action', async () => {
    const emulator = await startEmulator()
    const uri = await makeJob(emulator, { Schedule: TOMORROW })
    for (const action of ['Cancel', 'Suspend', 'Resume']) {
      const { status, json } = await act(emulator, uri, action)
      expect({ action, status, keys: messageKeys(json) }).toEqual({
        action,
        status: 409,
        keys: ['ActionNotSupported'],
      })
      expect(validateError(json)).toEqual([])
    }
    expect(await act(emulator, uri, 'ForceStart')).toMatchObject({ status: 204 })
    await emulator.clock.advance(1)
    expect(await emulator.get(uri)).toMatchObject({
      JobState: 'Completed',
      StartTime: '2026-01-01T00:00:00Z',
    })
    for (const action of ['Cancel', 'Suspend', 'Resume', 'ForceStart'])
      expect(await act(emulator, uri, action)).toMatchObject({ status: 409 })
  })

  test.each<
    readonly [string, (emulator: TestEmulator, uri: string, to: string) => Promise<{ status: number }>]
  >([
    ['by action', (emulator, uri, to) => act(emulator, uri, to === 'Suspended' ? 'Suspend' : 'Resume')],
    ['by PATCH', (emulator, uri, to) => patch(emulator, uri, { JobState: to })],
  ])('one that is held before it goes on, and goes on, %s', async (_how, move) => {
    const emulator = await startRunning()
    const { uri } = emulator
    expect((await move(emulator, uri, 'Suspended')).status).toBeLessThan(300)
    await emulator.clock.advance(120_000)
    expect(await emulator.get(uri)).toMatchObject({ JobState: 'Suspended' })
    expect((await move(emulator, uri, 'Running')).status).toBeLessThan(300)
    await emulator.clock.advance(1)
    expect(await emulator.get(uri)).toMatchObject({ JobState: 'Completed' })
  })

  test.each([
    ['PATCH', (emulator: TestEmulator, uri: string) => patch(emulator, uri, { JobState: 'Cancelled' })],
    ['DELETE', ({ send }: TestEmulator, uri: string) => send(uri, { method: 'DELETE' })],
  ])('one that is cancelled by %s while it waits, and does nothing any more', async (_method, cancel) => {
    const emulator = await startEmulator()
    const uri = await makeJob(emulator, { Schedule: TOMORROW })
    expect((await cancel(emulator, uri)).status).toBeLessThan(300)
    await emulator.clock.advance(1)
    expect(await emulator.get(uri)).toMatchObject({ JobState: 'Cancelled', EndTime: '2026-01-01T00:00:00Z' })
    await emulator.clock.advance(2 * DAY_MS)
    expect((await emulator.get(uris.system('1')))['AssetTag']).not.toBe('made by a job')
    expect(await emulator.send(uri, { method: 'DELETE' })).toMatchObject({ status: 204 })
    expect(await emulator.send(uri)).toMatchObject({ status: 404 })
  })

  test('one that ends with the update that it started, where that can be stopped', async () => {
    const emulator = await startRunning()
    await emulator.clock.advance(500)
    expect(await act(emulator, emulator.uri, 'Cancel')).toMatchObject({ status: 204 })
    await emulator.clock.advance(120_000)
    expect(await emulator.get(emulator.uri)).toMatchObject({ JobState: 'Cancelled' })
    expect(await emulator.get(uris.firmware('NIC-1'))).not.toMatchObject({ Version: '22.42.1' })
  })

  test('nothing while that update is past stopping', async () => {
    const emulator = await startRunning()
    await emulator.clock.advance(10_000)
    const deleted = await emulator.send(emulator.uri, { method: 'DELETE' })
    expect({ status: deleted.status, keys: messageKeys(deleted.json) }).toEqual({
      status: 409,
      keys: ['ResourceInUse'],
    })
    expect(await act(emulator, emulator.uri, 'Cancel')).toMatchObject({ status: 409 })
    expect(await patch(emulator, emulator.uri, { JobState: 'Cancelled' })).toMatchObject({ status: 409 })
    await emulator.clock.advance(120_000)
    expect(await emulator.get(emulator.uri)).toMatchObject({ JobState: 'Completed' })
  })

  test('nothing that is not for clients to say', async () => {
    const emulator = await startEmulator()
    const uri = await makeJob(emulator, { Schedule: TOMORROW })
    const cases = [
      [{ JobState: 'Completed' }, 400, 'PropertyValueIncorrect'],
      [{ JobState: 'Dancing' }, 400, 'PropertyValueNotInList'],
      [{ JobState: 'Suspended' }, 409, 'PropertyValueResourceConflict'],
      [{ JobState: 'Continue' }, 409, 'PropertyValueResourceConflict'],
      [{ PercentComplete: 50 }, 400, 'PropertyNotWritable'],
      [{ MaxExecutionTime: 'PT0S' }, 400, 'PropertyValueOutOfRange'],
      [{ MaxExecutionTime: 'an hour' }, 400, 'PropertyValueFormatError'],
      [{ Schedule: { EnabledIntervals: ['x'] } }, 400, 'PropertyValueFormatError'],
      [{ Schedule: { Lifetime: 'PT1H' } }, 400, 'PropertyValueError'],
    ] as const
    for (const [body, status, key] of cases) {
      const answer = await patch(emulator, uri, body)
      expect({ body, status: answer.status, keys: messageKeys(answer.json) }).toEqual({
        body,
        status,
        keys: [key],
      })
    }
    expect(await emulator.get(uri)).toMatchObject({
      JobState: 'Pending',
      Schedule: TOMORROW,
      MaxExecutionTime: null,
    })
  })

  test('nothing at all once it has ended', async () => {
    const emulator = await startEmulator()
    const uri = await makeJob(emulator)
    for (const body of [{ JobState: 'Cancelled' }, { MaxExecutionTime: 'PT1H' }, { Schedule: TOMORROW }]) {
      const { status, json } = await patch(emulator, uri, body)
      expect({ status, keys: messageKeys(json) }).toEqual({
        status: 409,
        keys: ['PropertyValueResourceConflict'],
      })
    }
  })
})

describe('MaxExecutionTime', () => {
  test('ends a job that takes longer', async () => {
    const emulator = await startRunning()
    await patch(emulator, emulator.uri, { MaxExecutionTime: 'PT1S' })
    expect(await emulator.get(emulator.uri)).toMatchObject({ MaxExecutionTime: 'PT1S' })
    await emulator.clock.advance(2_000)
    const job = await emulator.get(emulator.uri)
    expect(job).toMatchObject({ JobState: 'Exception' })
    expect(messageKeys(job)).toContain('OperationTimeout')
  })

  test('is of an occurrence, not of the time between two', async () => {
    const emulator = await startEmulator()
    const Schedule = { RecurrenceInterval: 'P1D', MaxOccurrences: 3 }
    const uri = await makeJob(emulator, { Schedule, MaxExecutionTime: 'PT1M' })
    await emulator.clock.advance(HOUR_MS)
    expect(await emulator.get(uri)).toMatchObject({ JobState: 'Pending' })
    await emulator.clock.advance(2 * DAY_MS)
    expect(await emulator.get(uri)).toMatchObject({ JobState: 'Completed' })
  })
})

describe('the steps of a job', () => {
  test('are listed with it and belong to it', async () => {
    const { get, send } = await startWaiting()
    expect(await get(uris.jobs)).toMatchObject({ Members: [{ '@odata.id': uris.job('1') }] })
    const steps = await get(uris.steps('1'))
    expect(validateBody(steps)).toEqual([])
    expect(steps).toMatchObject({
      Members: [{ '@odata.id': uris.step('1', '1') }, { '@odata.id': uris.step('1', '2') }],
    })
    const step = await get(uris.step('1', '1'))
    expect(validateBody(step)).toEqual([])
    expect(step).toMatchObject({
      JobState: 'UserIntervention',
      Links: { ParentJob: { '@odata.id': uris.job('1') } },
    })
    expect(step).not.toHaveProperty('Steps')
    for (const uri of [uris.steps('2'), uris.step('1', '3'), uris.job('1%2F1'), uris.steps('1%2F1')])
      expect(await send(uri)).toMatchObject({ status: 404 })
  })

  test('can be ended one by one, and are not deleted', async () => {
    const emulator = await startWaiting()
    const step = uris.step('1', '1')
    expect(await emulator.send(step, { method: 'DELETE' })).toMatchObject({ status: 405 })
    expect(await emulator.send(uris.steps('1'), { method: 'POST', body: {} })).toMatchObject({ status: 405 })
    expect(await patch(emulator, uris.step('1', '2'), { JobState: 'Cancelled' })).toMatchObject({
      status: 409,
    })
    expect(await patch(emulator, step, { JobState: 'Cancelled' })).toMatchObject({ status: 200 })
    await emulator.clock.advance(1)
    expect(await emulator.get(step)).toMatchObject({ JobState: 'Cancelled' })
  })

  test('go with their job', async () => {
    const emulator = await startWaiting()
    expect(await patch(emulator, uris.job('1'), { JobState: 'Cancelled' })).toMatchObject({ status: 200 })
    await emulator.clock.advance(1)
    expect(await emulator.get(uris.job('1'))).toMatchObject({ JobState: 'Cancelled' })
    await emulator.send(uris.job('1'), { method: 'DELETE' })
    expect(emulator.bmc.state.jobs.size).toBe(0)
  })
})

test('a Schedule is for jobs of users alone', async () => {
  const emulator = await startWaiting()
  const { status, json } = await patch(emulator, uris.job('1'), { Schedule: TOMORROW })
  expect({ status, keys: messageKeys(json) }).toEqual({ status: 400, keys: ['PropertyNotWritable'] })
})

describe('a job that an operator started by an update', () => {
  test('is the operator’s to change and to end', async () => {
    const emulator = await startWaiting('operator')
    const uri = uris.job('1')
    expect(await patch(emulator, uri, { MaxExecutionTime: 'PT1H' }, 'operator')).toMatchObject({
      status: 200,
    })
    expect(await act(emulator, uri, 'Suspend', 'operator')).toMatchObject({ status: 409 })
    expect(await patch(emulator, uris.step('1', '1'), { JobState: 'Cancelled' }, 'operator')).toMatchObject({
      status: 200,
    })
    await emulator.clock.advance(1)
    expect(await emulator.send(uri, { method: 'DELETE', user: 'operator' })).toMatchObject({ status: 204 })
  })

  test('and another’s is not', async () => {
    const emulator = await startWaiting('admin')
    const uri = uris.job('1')
    expect(await patch(emulator, uri, { JobState: 'Cancelled' }, 'operator')).toMatchObject({ status: 403 })
    expect(await act(emulator, uri, 'Cancel', 'operator')).toMatchObject({ status: 403 })
    expect(await patch(emulator, uris.step('1', '1'), { JobState: 'Cancelled' }, 'operator')).toMatchObject({
      status: 403,
    })
    expect(await emulator.send(uri, { method: 'DELETE', user: 'operator' })).toMatchObject({ status: 403 })
  })
})
