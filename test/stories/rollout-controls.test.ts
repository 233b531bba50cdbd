import { describe, expect, test } from 'vitest'
import { uris } from '../../src/redfish/uris.ts'
import type { JsonObject } from '../../src/redfish/resource.ts'
import { messageKeys, push } from '../support/multipart.ts'
import {
  bios,
  JOB,
  labImage,
  LONG_MS,
  pushRollOut,
  type RolloutLab,
  startLab,
  statesOf,
  UPDATE_MS,
  versionsOf,
} from '../support/rollouts.ts'

const [CANARY, REST] = [uris.job('2'), uris.job('3')]
const canary = { Name: 'Canary', Count: 1 }
const all = { Name: 'All', Percent: 100 }
const waves = [canary, all]

const set = ({ send }: RolloutLab, job: string, JobState: string) =>
  send(job, { method: 'PATCH', body: { JobState } })
const act = ({ send }: RolloutLab, job: string, action: string) =>
  send(uris.action(job, action), { method: 'POST', body: {} })
const updated = (emulator: RolloutLab): number =>
  versionsOf(emulator).filter((version) => version === '2.0.0').length

describe('a wave that needs approval', () => {
  const plan = { Waves: [canary, { ...all, ApprovalRequired: true }] }

  test.each([
    ['its own job', REST],
    ['the job of the whole', JOB],
  ])('waits for it, and goes on when %s is told to continue', async (_what, job) => {
    const emulator = await startLab(3)
    await pushRollOut(emulator, bios, plan)
    await emulator.clock.advance(LONG_MS)
    expect(updated(emulator)).toBe(1)
    for (const uri of [JOB, REST]) {
      const waiting = await emulator.get(uri)
      expect(waiting).toMatchObject({ JobState: 'UserIntervention' })
      expect(messageKeys(waiting)).toEqual(['RollOutAwaitsApproval'])
    }
    const { status, json } = await set(emulator, job, 'Continue')
    expect(status).toBe(200)
    expect(json).toMatchObject({ JobState: 'Running' })
    await emulator.clock.advance(LONG_MS)
    expect(updated(emulator)).toBe(3)
    expect(await emulator.get(JOB)).toMatchObject({ JobState: 'Completed' })
  })

  test('is not approved a second time, nor one that does not wait', async () => {
    const emulator = await startLab(3)
    await pushRollOut(emulator, bios, plan)
    await emulator.clock.advance(LONG_MS)
    expect((await set(emulator, CANARY, 'Continue')).status).toBe(409)
    expect((await set(emulator, REST, 'Continue')).status).toBe(200)
    expect((await set(emulator, REST, 'Continue')).status).toBe(409)
  })
})

describe('a roll-out that is paused', () => {
  test.each([
    ['by its state', (emulator: RolloutLab) => set(emulator, JOB, 'Suspended'), 200],
    ['by an action', (emulator: RolloutLab) => act(emulator, JOB, 'Job.Suspend'), 204],
  ])('%s lets what goes on come to its end, and begins nothing', async (_how, pause, answered) => {
    const emulator = await startLab(4)
    await pushRollOut(emulator, bios, { MaxParallel: 2 })
    await emulator.clock.advance(UPDATE_MS / 2)
    expect((await pause(emulator)).status).toBe(answered)
    expect(await emulator.get(JOB)).toMatchObject({ JobState: 'Suspended' })
    expect(await emulator.get(CANARY)).toMatchObject({ JobState: 'Suspended' })
    await emulator.clock.advance(LONG_MS)
    expect(await statesOf(emulator, '2')).toEqual(['Completed', 'Completed', 'New', 'New'])
  })

  test.each([
    ['Continue', (emulator: RolloutLab) => set(emulator, JOB, 'Continue')],
    ['Running', (emulator: RolloutLab) => set(emulator, JOB, 'Running')],
    ['an action', (emulator: RolloutLab) => act(emulator, JOB, 'Job.Resume')],
  ])('goes on by %s', async (_how, resume) => {
    const emulator = await startLab(4)
    await pushRollOut(emulator, bios, { MaxParallel: 2 })
    await emulator.clock.advance(UPDATE_MS / 2)
    await set(emulator, JOB, 'Suspended')
    await emulator.clock.advance(LONG_MS)
    expect((await resume(emulator)).status).toBeLessThan(300)
    await emulator.clock.advance(LONG_MS)
    expect(updated(emulator)).toBe(4)
  })

  test('by a threshold goes on in spite of it when that is wanted', async () => {
    const emulator = await startLab(4)
    emulator.lab.plans.set('1', { fails: 'transfer' })
    await pushRollOut(emulator, bios, { MaxParallel: 1, FailureThreshold: { Count: 1 } })
    await emulator.clock.advance(LONG_MS)
    expect(updated(emulator)).toBe(0)
    await set(emulator, JOB, 'Continue')
    await emulator.clock.advance(LONG_MS)
    expect(updated(emulator)).toBe(3)
    expect(await emulator.get(JOB)).toMatchObject({ JobState: 'Exception' })
  })
})

describe('a roll-out that is cancelled', () => {
  test.each([
    ['by its state', (emulator: RolloutLab) => set(emulator, JOB, 'Cancelled'), 200],
    ['by an action', (emulator: RolloutLab) => act(emulator, JOB, 'Job.Cancel'), 204],
    ['by DELETE', ({ send }: RolloutLab) => send(JOB, { method: 'DELETE' }), 202],
    [
      'with all others',
      (emulator: RolloutLab) => act(emulator, uris.jobService, 'JobService.CancelAllJobs'),
      204,
    ],
  ])('%s ends what goes on, and begins nothing', async (_how, cancel, answered) => {
    const emulator = await startLab(4)
    await pushRollOut(emulator, bios, { Waves: waves, MaxParallel: 2 })
    await emulator.clock.advance(UPDATE_MS * 1.5)
    expect((await cancel(emulator)).status).toBe(answered)
    await emulator.clock.advance(LONG_MS)
    expect(await emulator.get(JOB)).toMatchObject({ JobState: 'Cancelled' })
    expect(await statesOf(emulator, '3')).toEqual(['Cancelled', 'Cancelled', 'Cancelled'])
    expect(updated(emulator)).toBe(1)
  })
})

test.each([
  ['well', {}, 'Completed', '2.0.0'],
  ['badly', { fails: 'install' }, 'Exception', '1.0.0'],
] as const)(
  'a roll-out that is cancelled waits for a device that goes on all the same, and tells what came of it: %s',
  async (_how, more, ended, version) => {
    const emulator = await startLab(3)
    emulator.lab.plans.set('1', { ...more, persistsAfterMs: UPDATE_MS })
    await pushRollOut(emulator, bios, { MaxParallel: 2 })
    await emulator.clock.advance(UPDATE_MS / 2)
    await act(emulator, JOB, 'Job.Cancel')
    await emulator.clock.advance(UPDATE_MS / 2)
    expect(await emulator.get(JOB)).toMatchObject({ Oem: { Redflash: { State: 'Stopping' } } })
    await emulator.clock.advance(UPDATE_MS)
    expect(await emulator.get(JOB)).toMatchObject({ JobState: 'Cancelled' })
    expect(await statesOf(emulator, '2')).toEqual([ended, 'Cancelled', 'Cancelled'])
    expect(versionsOf(emulator)).toEqual([version, '1.0.0', '1.0.0'])
  },
)

describe('when it is over', () => {
  const redo = ({ send }: RolloutLab, action: string, body: JsonObject = {}) =>
    send(uris.action(JOB, `Oem/RedflashJob.${action}`), { method: 'POST', body })

  /** Of three devices the second has failed, and will not again; a fourth is left out. */
  async function startFailed(): Promise<RolloutLab> {
    const emulator = await startLab(4)
    emulator.lab.plans.set('2', { fails: 'install', times: 1 })
    await pushRollOut(emulator, bios, { ExcludeTargets: [uris.system('4')] })
    await emulator.clock.advance(LONG_MS)
    expect(await emulator.get(JOB)).toMatchObject({
      JobState: 'Exception',
      Actions: { Oem: { '#RedflashJob.RetryFailed': {}, '#RedflashJob.RollBack': {} } },
      Oem: { Redflash: { State: 'Failed', Devices: { Succeeded: 2, Failed: 1 } } },
    })
    return emulator
  }

  test.each([
    ['all', {}],
    ['one that is named', { Targets: [uris.manager('2')] }],
  ])('those that failed are updated once more: %s', async (_who, body) => {
    const emulator = await startFailed()
    expect((await redo(emulator, 'RetryFailed', body)).status).toBe(204)
    expect(await emulator.get(JOB)).toMatchObject({ JobState: 'Running' })
    await emulator.clock.advance(LONG_MS)
    expect(updated(emulator)).toBe(3)
    const job = await emulator.get(JOB)
    expect(job).toMatchObject({ JobState: 'Completed', PercentComplete: 100 })
    expect(messageKeys(job)).toEqual(['RollOutEnded', 'RollOutEnded'])
  })

  test('all are brought back where the image of before is kept', async () => {
    const emulator = await startLab(3)
    const before = await labImage({ BIOS: '1.5.0' })
    await push(emulator, before, { LocalImage: true })
    await emulator.clock.advance(LONG_MS)
    await pushRollOut(emulator, bios, {})
    await emulator.clock.advance(LONG_MS)
    expect(updated(emulator)).toBe(3)
    const job = [...emulator.bmc.state.jobs.values()].find(({ rollout, id }) => rollout === id)
    const uri = uris.action(uris.job(job?.id ?? ''), 'Oem/RedflashJob.RollBack')
    expect((await emulator.send(uri, { method: 'POST', body: {} })).status).toBe(204)
    await emulator.clock.advance(LONG_MS)
    expect(versionsOf(emulator)).toEqual(['1.5.0', '1.5.0', '1.5.0'])
    const over = await emulator.get(uris.job(job?.id ?? ''))
    expect(over).toMatchObject({ JobState: 'Cancelled' })
    expect(messageKeys(over).slice(-2)).toEqual(['RollOutEnded', 'RollOutBroughtBack'])
  })

  test('what cannot be done is refused with the reason', async () => {
    const emulator = await startFailed()
    const refused = async (action: string, ...Targets: readonly string[]) => {
      const { status, json } = await redo(emulator, action, Targets.length > 0 ? { Targets } : {})
      return [status, ...messageKeys(json).filter((key) => key !== 'ActionNotSupported')]
    }
    const [first, second] = [uris.system('1'), uris.system('2')]
    expect(await refused('RetryFailed', second, first)).toEqual([409, 'RollOutKeepsDevice'])
    expect(await refused('RollBack', first, uris.system('4'))).toEqual([409, 'RollOutLacksDevice'])
    expect(await refused('RollBack', first, uris.system('7'))).toEqual([400, 'ResourceMissingAtURI'])
    await redo(emulator, 'RetryFailed')
    expect(await refused('RollBack', first)).toEqual([409, 'RollOutNotNow'])
    await emulator.clock.advance(LONG_MS)
    expect(await refused('RetryFailed')).toEqual([409, 'RollOutHasNobody'])
    expect(updated(emulator)).toBe(3)
  })

  test('what is cancelled is not tried again', async () => {
    const emulator = await startLab(2)
    emulator.lab.plans.set('1', { fails: 'install' })
    await pushRollOut(emulator, bios, { MaxParallel: 1, FailureThreshold: { Count: 1 } })
    await emulator.clock.advance(LONG_MS)
    await set(emulator, JOB, 'Cancelled')
    const { status, json } = await redo(emulator, 'RetryFailed')
    expect([status, ...messageKeys(json)]).toEqual([409, 'ActionNotSupported', 'RollOutNotNow'])
  })

  test('its waves have no actions, and nobody can force it to begin', async () => {
    const emulator = await startFailed()
    expect(await emulator.get(CANARY)).not.toHaveProperty('Actions')
    for (const [job, action] of [
      [CANARY, 'Oem/RedflashJob.RetryFailed'],
      [CANARY, 'Job.Cancel'],
      [JOB, 'Job.ForceStart'],
    ] as const)
      expect((await act(emulator, job, action)).status).toBe(404)
    expect(await emulator.get(JOB)).not.toHaveProperty(['Actions', '#Job.ForceStart'])
  })
})

test('what is over is removed with its waves and steps, and nothing of it is left', async () => {
  const emulator = await startLab(2)
  await pushRollOut(emulator, bios, { Waves: waves })
  await emulator.clock.advance(LONG_MS)
  expect((await emulator.send(REST, { method: 'DELETE' })).status).toBe(409)
  expect((await emulator.send(JOB, { method: 'DELETE' })).status).toBe(204)
  expect((await emulator.get(uris.jobs))['Members']).toEqual([])
  const { jobs, rollouts, operations } = emulator.bmc.state
  expect([jobs.size, rollouts.size, operations.size]).toEqual([0, 0, 0])
})

test.each([
  ['a limit', JOB, { MaxExecutionTime: 'PT1H' }, 'PropertyNotWritable'],
  ['a state of the service', JOB, { JobState: 'Completed' }, 'PropertyValueIncorrect'],
])('%s is nothing to give to it', async (_what, job, body, told) => {
  const emulator = await startLab(2)
  await pushRollOut(emulator, bios, {})
  await emulator.clock.advance(1)
  const { status, json } = await emulator.send(job, { method: 'PATCH', body })
  expect(status).toBe(400)
  expect(JSON.stringify(json)).toContain(told)
})

test('a roll-out that waits for its start time is Pending until then', async () => {
  const emulator = await startLab(1)
  await pushRollOut(emulator, bios, { StartTime: '2026-01-01T06:00:00Z' })
  await emulator.clock.advance(3_600_000)
  expect(await emulator.get(JOB)).toMatchObject({ JobState: 'Pending', StartTime: '2026-01-01T06:00:00Z' })
  await emulator.clock.advance(5 * 3_600_000 + 2 * UPDATE_MS)
  expect(await emulator.get(JOB)).toMatchObject({ JobState: 'Completed', StartTime: '2026-01-01T06:00:00Z' })
})
