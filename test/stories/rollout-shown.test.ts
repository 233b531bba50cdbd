import { describe, expect, test } from 'vitest'
import { uris } from '../../src/redfish/uris.ts'
import { watchWork } from '../support/flows/watching.ts'
import { jobLog } from '../support/jobs.ts'
import {
  bios,
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
