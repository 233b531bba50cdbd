import { describe, expect, test } from 'vitest'
import type { JsonObject } from '../../src/redfish/resource.ts'
import { uris } from '../../src/redfish/uris.ts'
import { startEmulator } from '../support/emulator.ts'
import { HOUR_MS, postJob } from '../support/jobs.ts'
import { messageKeys, mistakesIn } from '../support/multipart.ts'
import {
  bios,
  JOB,
  LONG_MS,
  type RolloutLab,
  serving,
  startLab,
  UPDATE_MS,
  versionsOf,
} from '../support/rollouts.ts'
import { validateBody } from '../support/schemas.ts'

/** The job of the roll-out that the first job begins, and the first of its waves. */
const [ROLL_OUT, WAVE] = [uris.job('2'), uris.job('3')]
const plan = { Name: 'By night', Waves: [{ Count: 1 }, { Percent: 100 }] }
const order = { ImageURI: 'http://images.example/bios.tar', Password: 'hush', RollOut: plan }
const wanted = (more: JsonObject = {}, own: JsonObject = {}): JsonObject => ({
  Oem: { Redflash: { ...order, ...own } },
  ...more,
})
const startServed = (count: number): Promise<RolloutLab> => startLab(count, { fetcher: serving(bios) })

describe('a roll-out that is POSTed as a job', () => {
  test('begins when its schedule says so, and the job follows it to its end', async () => {
    const emulator = await startServed(2)
    const Schedule = { InitialStartTime: '2026-01-01T01:00:00Z' }
    const { status, headers, json } = await postJob(emulator, wanted({ Schedule }))
    expect({ status, location: headers['location'] }).toEqual({ status: 201, location: JOB })
    expect(json).toMatchObject({
      Name: 'By night',
      JobType: 'UserSpecified',
      StartTime: '2026-01-01T01:00:00Z',
      Payload: { TargetUri: uris.action(uris.updateService, 'Oem/RedflashUpdateService.SimpleUpdate') },
    })
    expect(JSON.stringify(json)).not.toContain('hush')
    await emulator.clock.advance(HOUR_MS - 1)
    expect(emulator.lab.written).toEqual([])
    await emulator.clock.advance(1.5 * UPDATE_MS)
    expect(await emulator.get(JOB)).toMatchObject({
      JobState: 'Running',
      PercentComplete: 50,
      Links: { SubsidiaryJobs: [{ '@odata.id': ROLL_OUT }] },
    })
    expect(await emulator.get(ROLL_OUT)).toMatchObject({
      Name: 'By night',
      CreatedBy: 'admin',
      Links: { SubsidiaryJobs: [{ '@odata.id': WAVE }, { '@odata.id': uris.job('4') }] },
    })
    await emulator.clock.advance(LONG_MS)
    expect(versionsOf(emulator)).toEqual(['2.0.0', '2.0.0'])
    const job = await emulator.get(JOB)
    expect(validateBody(job)).toEqual([])
    expect(job).toMatchObject({ JobState: 'Completed', PercentComplete: 100 })
    expect(messageKeys(job).at(-1)).toBe('RollOutEnded')
  })

  test('ends with it when it is cancelled, and by whom the audit log tells', async () => {
    const emulator = await startServed(2)
    await postJob(emulator, wanted())
    await emulator.clock.advance(UPDATE_MS / 2)
    expect(await emulator.get(ROLL_OUT)).toMatchObject({ JobState: 'Running' })
    await emulator.send(JOB, { method: 'PATCH', body: { JobState: 'Cancelled' } })
    await emulator.clock.advance(LONG_MS)
    for (const uri of [JOB, ROLL_OUT])
      expect(await emulator.get(uri)).toMatchObject({ JobState: 'Cancelled' })
    expect(versionsOf(emulator)).toEqual(['1.0.0', '1.0.0'])
    const entries = [...emulator.bmc.state.auditLog.values()]
    const entry = entries.find(({ message }) => message.MessageId.endsWith('RollOutCancelled'))
    expect(entry?.actor?.username).toBe('admin')
  })

  test('goes on after a restart, and is begun once', async () => {
    const first = await startServed(3)
    await postJob(first, wanted({}, { RollOut: { MaxParallel: 1, Retries: { MaxRetries: 1 } } }))
    await first.clock.advance(UPDATE_MS)
    const second = await startLab(3, { lab: first.lab, after: first, fetcher: serving(bios) })
    await second.clock.advance(LONG_MS)
    expect(second.lab.written.toSorted()).toEqual(['1', '2', '3'])
    expect(await second.get(JOB)).toMatchObject({ JobState: 'Completed' })
  })

  test('shows no more what it began when that is deleted', async () => {
    const emulator = await startServed(1)
    await postJob(emulator, wanted())
    await emulator.clock.advance(LONG_MS)
    expect((await emulator.send(ROLL_OUT, { method: 'DELETE' })).status).toBe(204)
    expect((await emulator.get(JOB))['Links']).toBeUndefined()
  })
})

describe('a job for a roll-out that is wrong', () => {
  test('is refused with all of its mistakes, and where they are', async () => {
    const emulator = await startServed(1)
    const own = {
      ImageURI: 'gopher://images.example/x',
      Stage: true,
      RollOut: { Waves: [{ Count: 0 }], Targets: [uris.system('9')] },
    }
    const { status, json } = await postJob(emulator, wanted({ MaxExecutionTime: 'PT0S' }, own))
    expect(status).toBe(400)
    const at = '/Oem/Redflash'
    expect(
      mistakesIn(json)
        .map((one) => one.replace(/^\w+ /, ''))
        .toSorted(),
    ).toEqual([
      '/MaxExecutionTime',
      `${at}/ImageURI`,
      `${at}/RollOut/Targets/0`,
      `${at}/RollOut/Waves/0/Count`,
      `${at}/Stage`,
    ])
    expect((await emulator.get(uris.jobs))['Members']).toEqual([])
  })

  test.each<readonly [string, JsonObject, readonly string[]]>([
    ['without an image', { Oem: { Redflash: { RollOut: {} } } }, ['PropertyMissing']],
    ['without a plan', { Oem: { Redflash: { ImageURI: order.ImageURI } } }, ['PropertyMissing']],
    ['that has no plan, and no request', {}, ['PropertyMissing']],
    [
      'beside a request',
      wanted({ Payload: { HttpOperation: 'PATCH', TargetUri: uris.updateService } }),
      ['PropertyValueConflict'],
    ],
  ])('is one %s', async (_what, body, told) => {
    const emulator = await startServed(1)
    const { status, json } = await postJob(emulator, body)
    expect({ status, told: messageKeys(json) }).toEqual({ status: 400, told })
  })

  test('is any, for what is no console', async () => {
    const { status, json } = await postJob(await startEmulator(), wanted())
    expect({ status, told: messageKeys(json) }).toEqual({ status: 400, told: ['PropertyUnknown'] })
  })
})
