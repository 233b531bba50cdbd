import { describe, expect, test } from 'vitest'
import { uris } from '../../src/redfish/uris.ts'
import { startEmulator } from '../support/emulator.ts'
import { DAILY, DAY_MS, HOUR_MS, jobLog, makeJob, renaming, tagOf } from '../support/jobs.ts'
import { messageKeys } from '../support/multipart.ts'
import { validateBody } from '../support/schemas.ts'

describe('a schedule', () => {
  test('has a job wait, run and wait again until its last occurrence', async () => {
    const emulator = await startEmulator()
    const uri = await makeJob(emulator, { Schedule: { ...DAILY, MaxOccurrences: 2 } })
    const seen: unknown[] = []
    for (const hours of [0, 24, 23, 1]) {
      await emulator.clock.advance(hours * HOUR_MS)
      const job = await emulator.get(uri)
      expect(validateBody(job)).toEqual([])
      const { JobState, StartTime, EndTime } = job
      seen.push([JobState, StartTime, EndTime, messageKeys(job).length])
    }
    expect(seen).toEqual([
      ['Pending', '2026-01-02T00:00:00Z', undefined, 0],
      ['Pending', '2026-01-03T00:00:00Z', undefined, 1],
      ['Pending', '2026-01-03T00:00:00Z', undefined, 1],
      ['Completed', '2026-01-03T00:00:00Z', '2026-01-03T00:00:00Z', 2],
    ])
    const occurrence = ['JobStarted 1', 'Success 1', 'JobCompletedOK 1']
    expect(await jobLog(emulator)).toEqual([...occurrence, ...occurrence])
  })

  test('of which the last occurrence fails ends as an exception, one before it does not', async () => {
    const emulator = await startEmulator()
    const Payload = { ...renaming, JsonBody: '{"AssetTag": 5}' }
    const uri = await makeJob(emulator, { Payload, Schedule: { ...DAILY, MaxOccurrences: 2 } })
    await emulator.clock.advance(DAY_MS)
    expect(await emulator.get(uri)).toMatchObject({ JobState: 'Pending', JobStatus: 'Warning' })
    await emulator.clock.advance(DAY_MS)
    const job = await emulator.get(uri)
    expect(job).toMatchObject({ JobState: 'Exception' })
    expect(messageKeys(job)).toEqual(['PropertyValueTypeError', 'PropertyValueTypeError'])
  })

  test('keeps to its windows in UTC, whatever offset they are written in', async () => {
    const emulator = await startEmulator()
    const Schedule = { EnabledIntervals: ['04:30:00+02:00/PT1H'], EnabledDaysOfWeek: ['Sunday'] }
    const uri = await makeJob(emulator, { Schedule })
    expect(await emulator.get(uri)).toMatchObject({ JobState: 'Pending', StartTime: '2026-01-04T02:30:00Z' })
    await emulator.clock.advance(3 * DAY_MS + 2 * HOUR_MS)
    expect(await tagOf(emulator)).not.toBe('made by a job')
    await emulator.clock.advance(HOUR_MS)
    expect(await emulator.get(uri)).toMatchObject({ JobState: 'Completed', EndTime: '2026-01-04T02:30:00Z' })
  })

  test('may be changed while the job waits, and holds at once', async () => {
    const emulator = await startEmulator()
    const uri = await makeJob(emulator, { Schedule: DAILY })
    const body = { Schedule: { InitialStartTime: '2026-01-01T01:00:00Z', MaxOccurrences: 1 } }
    const { status, json } = await emulator.send(uri, { method: 'PATCH', body })
    expect({ status, json }).toMatchObject({
      status: 200,
      json: { Schedule: { ...body.Schedule, RecurrenceInterval: 'P1D' }, StartTime: '2026-01-02T00:00:00Z' },
    })
    await emulator.clock.advance(1)
    expect(await emulator.get(uri)).toMatchObject({ JobState: 'Pending', StartTime: '2026-01-01T01:00:00Z' })
    await emulator.clock.advance(HOUR_MS)
    expect(await emulator.get(uri)).toMatchObject({ JobState: 'Completed' })
  })

  test('waits for a manager that boots', async () => {
    const emulator = await startEmulator()
    const uri = await makeJob(emulator, { Schedule: { InitialStartTime: '2026-01-01T01:00:00Z' } })
    await emulator.clock.advance(HOUR_MS - 2_000)
    await emulator.send(uris.action(uris.manager('1'), 'Manager.Reset'), { method: 'POST', body: {} })
    await emulator.clock.advance(3_000)
    expect(emulator.bmc.state.outage).toBeDefined()
    expect(emulator.bmc.state.jobs.get('1')).toMatchObject({ state: 'Running' })
    await emulator.clock.advance(HOUR_MS)
    expect(await emulator.get(uri)).toMatchObject({ JobState: 'Completed' })
    expect(await tagOf(emulator)).toBe('made by a job')
  })

  test('leaves of a job that goes on for long what it said lately', async () => {
    const emulator = await startEmulator()
    const uri = await makeJob(emulator, { Schedule: { RecurrenceInterval: 'PT1S' } })
    await emulator.clock.advance(200_000)
    const job = await emulator.get(uri)
    expect(job).toMatchObject({ JobState: 'Pending', StartTime: '2026-01-01T00:03:21Z' })
    expect(messageKeys(job).length).toBeLessThan(150)
  })
})
