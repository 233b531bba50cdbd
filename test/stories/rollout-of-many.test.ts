import { expect, test } from 'vitest'
import { uris } from '../../src/redfish/uris.ts'
import { bios, type Planned, pushRollOut, startLab, UPDATE_MS } from '../support/rollouts.ts'

const PROOF_MS = 300_000
/** More only where a proof is wanted. */
const COUNT = process.env['PROOF'] === undefined ? 300 : 5_000
const stages = ['transfer', 'verify', 'install', 'activate'] as const

/** A small generator with a seed (mulberry32): the same devices fail each time. */
function seeded(seed: number): () => number {
  let at = seed
  return () => {
    at = (at + 0x6d2b79f5) | 0
    let mixed = Math.imul(at ^ (at >>> 15), 1 | at)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

test(
  'a roll-out of thousands comes for each device to just what was planned for it',
  async () => {
    const emulator = await startLab(COUNT, { maxTasks: 500 })
    const { lab, clock, bmc } = emulator
    const draw = seeded(7)
    const expected = lab.devices.map((_, index): 'Completed' | 'Exception' => {
      const chance = draw()
      const at = stages[Math.floor(draw() * stages.length)] ?? 'transfer'
      const planned: Planned = {
        ms: UPDATE_MS * (1 + draw()),
        ...(chance < 0.1 && { fails: at, ...(chance < 0.05 && { times: 1 }) }),
      }
      lab.plans.set(String(index + 1), planned)
      return chance >= 0.05 && chance < 0.1 ? 'Exception' : 'Completed'
    })
    await pushRollOut(emulator, bios, {
      Waves: [{ Count: 10 }, { Percent: 10 }, { Percent: 90 }],
      MaxParallel: 100,
      FailureThreshold: { Percent: 40 },
      Retries: { MaxRetries: 1, Delay: 'PT30S' },
    })
    await clock.advance((COUNT / 100 + 20) * 4 * UPDATE_MS)
    const failed = expected.filter((one) => one === 'Exception').length
    expect(await emulator.get(uris.job('1'))).toMatchObject({ JobState: 'Exception', PercentComplete: 100 })
    const steps = [...bmc.state.jobs.values()].filter(({ parent }) => parent !== undefined)
    const states = steps.map(({ state }) => state)
    expect(states).toEqual(expected)
    expect(failed).toBeGreaterThan(0)
    expect(lab.busiest).toBeLessThanOrEqual(100)
    const twice = lab.written.filter((id, index) => lab.written.indexOf(id) !== index)
    // Who failed when it ran already was written once more.
    expect(
      twice.every((id) => lab.plans.get(id) !== undefined || expected[Number(id) - 1] === 'Completed'),
    ).toBe(true)
  },
  PROOF_MS,
)
