import { describe, expect, test } from 'vitest'
import { occurrencesOf } from '../../src/events/occurrences.ts'
import { uris } from '../../src/redfish/uris.ts'
import { jobUri } from '../../src/tasks/job.ts'
import { watchWork } from '../support/flows/watching.ts'
import { jobLog } from '../support/jobs.ts'
import {
  bios,
  JOB,
  LONG_MS,
  newLab,
  pushRollOut,
  type RolloutLab,
  startLab,
  UPDATE_MS,
} from '../support/rollouts.ts'
import { validateBody } from '../support/schemas.ts'
import { dangling, misleading, walk } from '../support/walk.ts'
import { runs } from '../support/managed-devices.ts'

/** A roll-out of which devices are skipped, updated, failed and still to come. */
async function startMixed(): Promise<RolloutLab> {
  const lab = newLab(8)
  for (const device of lab.devices.slice(0, 1)) runs(device, 'BIOS', '2.0.0')
  const emulator = await startLab(8, { lab })
  lab.plans.set('3', { fails: 'install' })
  lab.plans.set('4', { ms: 1_000 * UPDATE_MS })
  await pushRollOut(emulator, bios, {
    Name: 'Autumn',
    Waves: [{ Count: 2 }, { Count: 3 }, { Count: 2, ApprovalRequired: true }],
    FailureThreshold: { Count: 2 },
    MaxParallel: 2,
  })
  return emulator
}

describe('every resource of a console', () => {
  test.each([
    ['that has just begun', 1],
    ['in the middle', 1.5 * UPDATE_MS],
    ['later', 2.5 * UPDATE_MS],
    ['when a device hangs', LONG_MS],
  ])('is as its schema says, and leads somewhere, with a roll-out %s', async (_when, ms) => {
    const emulator = await startMixed()
    await emulator.clock.advance(ms)
    const found = await walk(emulator)
    expect(dangling(found)).toEqual([])
    expect(misleading(found)).toEqual([])
    const bodies = [...found.visited.values()]
    expect(bodies.flatMap(({ uri, body }) => validateBody(body).map((one) => `${uri} ${one}`))).toEqual([])
    const visited = bodies.filter(({ uri }) => uri.startsWith(`${uris.jobs}/`))
    expect(visited.length).toBe(4 * 2 + 8)
  })
})

test('every change of a roll-out is told once, by the job that shows it', async () => {
  const emulator = await startLab(2)
  const { look } = watchWork(emulator.bmc)
  await pushRollOut(emulator, bios, { Waves: [{ Count: 1 }] })
  await emulator.clock.advance(LONG_MS)
  expect(look().seen).toMatchObject({
    job: expect.stringMatching(/^New → Running → Completed: RollOutEnded$/) as string,
  })
  expect(await jobLog(emulator)).toEqual([
    'JobStarted 1',
    'JobStarted 2',
    'JobCompletedOK 2',
    'JobStarted 3',
    'JobCompletedOK 3',
    'JobCompletedOK 1',
  ])
})

test('the history of a component tells who asked for its roll-out, and of which image', async () => {
  const emulator = await startLab(1)
  await pushRollOut(emulator, bios, {})
  await emulator.clock.advance(LONG_MS)
  const history = await emulator.get(uris.firmwareHistory('1-BIOS'))
  expect(JSON.stringify(history)).toContain('"Username":"admin"')
  expect(JSON.stringify(history)).toMatch(/"Version":"2\.0\.0"/)
})

test('every change of what a roll-out, a wave or a device does is an event of the job that shows it', async () => {
  const emulator = await startLab(4)
  emulator.lab.plans.set('2', { fails: 'install', times: 1 })
  emulator.lab.plans.set('3', { fails: 'verify', times: 2 })
  const silent: string[] = []
  const seen = new Set<string>()
  const ofRollOut: string[] = []
  emulator.bmc.listeners.add((change, before) => {
    const occurrences = occurrencesOf(emulator.bmc, change, before)
    const told = new Set(occurrences.map(({ origin }) => origin))
    const own = occurrences.filter(({ message: { MessageId } }) => MessageId.includes('.RollOut'))
    ofRollOut.push(
      ...own.map(({ message: { MessageId }, origin }) => `${MessageId.split('.').at(-1)} ${origin}`),
    )
    const was = new Map(before.jobs)
    for (const [key, job] of change.jobs ?? []) {
      const [from, to] = [was.get(key)?.rolloutState, job?.rolloutState]
      if (to !== undefined && from !== to) seen.add(to)
      if (to !== undefined && from !== to && !told.has(jobUri(key))) silent.push(`${key}: ${from} → ${to}`)
    }
  })
  const move = (JobState: string) => emulator.send(JOB, { method: 'PATCH', body: { JobState } })
  const redo = (action: string) =>
    emulator.send(uris.action(JOB, `Oem/RedflashJob.${action}`), { method: 'POST', body: {} })
  await pushRollOut(emulator, bios, {
    Waves: [{ Count: 1 }, { Percent: 100, ApprovalRequired: true, Delay: 'PT1M' }],
    FailureThreshold: { Count: 1 },
    Retries: { MaxRetries: 1, Stages: ['Verify'] },
    MaintenanceWindows: [{ Cron: '*/10 * * * *', Duration: 'PT1M' }],
    MaxParallel: 2,
    StartTime: '2026-01-01T00:05:00Z',
  })
  await emulator.clock.advance(LONG_MS)
  await move('Continue')
  await emulator.clock.advance(LONG_MS)
  await move('Suspended')
  for (const again of ['Continue', 'Continue', 'Continue']) {
    await emulator.clock.advance(LONG_MS)
    await move(again)
  }
  await emulator.clock.advance(LONG_MS)
  await redo('RetryFailed')
  await emulator.clock.advance(LONG_MS)
  await redo('RollBack')
  await emulator.clock.advance(LONG_MS)
  expect(silent).toEqual([])
  const states = ['Scheduled', 'WaitingForApproval', 'Paused', 'RollingBack', 'Completed', 'Failed']
  const ofDevices = [
    'WaitingForWindow',
    'WaitingForRetry',
    'Flashing',
    'WaitingForRollBack',
    'RollbackFailed',
  ]
  expect([...states, ...ofDevices].filter((one) => !seen.has(one))).toEqual([])
  expect(ofRollOut.slice(0, 2)).toEqual([
    `RollOutAwaitsApproval ${uris.job('3')}`,
    `RollOutThresholdReached ${JOB}`,
  ])
})

describe('of a roll-out that goes on', () => {
  test('the end is estimated by the devices that have ended, and anew as they do', async () => {
    const emulator = await startLab(5)
    await pushRollOut(emulator, bios, { MaxParallel: 1 })
    const estimated = async () => (await emulator.get(JOB))['EstimatedCompletionTime']
    await emulator.clock.advance(UPDATE_MS / 2)
    expect(await estimated()).toBeUndefined()
    await emulator.clock.advance(UPDATE_MS)
    expect(await estimated()).toBe('2026-01-01T00:00:50Z')
    emulator.lab.plans.set('3', { ms: 3 * UPDATE_MS })
    await emulator.clock.advance(4 * UPDATE_MS)
    // Three took 50 s, and two are left.
    expect(await estimated()).toBe('2026-01-01T00:01:23Z')
    await emulator.clock.advance(LONG_MS)
    expect(await emulator.get(JOB)).toMatchObject({ EndTime: '2026-01-01T00:01:10Z' })
    expect(await estimated()).toBeUndefined()
  })

  test('its wave tells what it did when, and each device what was done there', async () => {
    const emulator = await startLab(1)
    emulator.lab.plans.set('1', { fails: 'install', times: 1 })
    await pushRollOut(emulator, bios, { Waves: [{ Count: 1, Delay: 'PT1M' }], Retries: { MaxRetries: 1 } })
    await emulator.clock.advance(LONG_MS)
    const at = (seconds: string): string => `2026-01-01T00:${seconds}Z`
    expect(await emulator.get(uris.job('2'))).toMatchObject({
      Oem: {
        Redflash: {
          History: [
            { State: 'Delayed', Time: at('00:00') },
            { State: 'Running', Time: at('01:00') },
            { State: 'Completed', Time: at('02:20') },
          ],
        },
      },
    })
    const attempt = { Kind: 'Update', Bytes: bios.length }
    expect(await emulator.get(uris.step('2', '1'))).toMatchObject({
      Oem: {
        Redflash: {
          State: 'Succeeded',
          Attempts: [
            { ...attempt, StartTime: at('01:00'), EndTime: at('01:10'), Result: 'Failed', Stage: 'Install' },
            { ...attempt, StartTime: at('02:10'), EndTime: at('02:20'), Result: 'Succeeded' },
          ],
        },
      },
    })
  })
})
