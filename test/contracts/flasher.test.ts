import { expect, test } from 'vitest'
import { createSimulatedFlasher } from '../../src/devices/simulated/simulated-flasher.ts'
import type { Flasher } from '../../src/devices/flasher.ts'
import { withFaults } from '../../src/faults/faulty-flasher.ts'
import { type Speed, VirtualClock } from '../../src/lib/clock.ts'
import { flasherContract, flashJob, type JobOptions, outcome, rejection } from './flasher.ts'
import { scriptedFlasher } from './scripted-flasher.ts'

flasherContract('simulated', (clock) => createSimulatedFlasher(clock))
flasherContract('simulated without waiting', (clock) => withSpeed(createSimulatedFlasher(clock), 'max'))
flasherContract('scripted', (clock) => scriptedFlasher(clock))
flasherContract('simulated without faults', (clock) => withFaults(createSimulatedFlasher(clock), { clock }))

// 4 MiB at 1 MiB per second, then what the behaviour says of each stage.
test.each([
  ['transfer', 4_000],
  ['verify', 1_000],
  ['install', 2_000],
  ['activate', 3_000],
] as const)(
  'a simulated device takes its time for %s: not a millisecond less, and none more',
  async (stage, ms) => {
    const { clock, flasher, start } = simulated()
    if (stage === 'verify' || stage === 'install') await finish(clock, flasher.transfer(flashJob()))
    const work = start(flasher[stage](flashJob()))
    await clock.advance(ms - 1)
    expect(work.result).toBeUndefined()
    await clock.advance(1)
    expect(work.result).toBe('ok')
  },
)

test('a simulated device takes its time for a small image, too', async () => {
  const { clock, flasher, start } = simulated()
  const work = start(flasher.transfer(flashJob({ sizeBytes: 2 ** 15 }))) // 31.25 ms
  await clock.advance(31)
  expect(work.result).toBeUndefined()
  await clock.advance(1)
  expect(work.result).toBe('ok')
})

test('a simulated device at ten times the speed takes a tenth of the time', async () => {
  const { clock, flasher, start } = simulated(10)
  const work = start(flasher.transfer(flashJob()))
  await clock.advance(399)
  expect(work.result).toBeUndefined()
  await clock.advance(1)
  expect(work.result).toBe('ok')
})

test('a simulated device without waiting works while the clock stands still', async () => {
  const { clock, flasher, start } = simulated('max')
  const work = start(flasher.transfer(flashJob()))
  await clock.advance(0)
  expect(work.result).toBe('ok')
})

test('a simulated device has taken half of the bytes after half of the time', async () => {
  const { clock, flasher } = simulated()
  const job = flashJob()
  const transfer = flasher.transfer(job)
  await clock.advance(2_000)
  expect(job.shares.at(-1)).toBeCloseTo(0.5, 1)
  await finish(clock, transfer)
})

test.each([
  ['before the transfer ends', 2_000, 'transfer'],
  ['while it installs', 1_000, 'install'],
] as const)('a simulated device that loses its power %s fails', async (_when, afterMs, stage) => {
  const { clock, flasher, start } = simulated()
  let isPowered = true
  const job = flashJob({ hasPower: () => isPowered })
  if (stage === 'install') await finish(clock, flasher.transfer(flashJob()))
  const work = start(flasher[stage](job))
  await clock.advance(afterMs)
  isPowered = false
  await clock.advance(10_000)
  expect(work.result).toBe('no-power')
})

test('a simulated device that is stopped halfway stops there', async () => {
  const { clock, flasher } = simulated()
  const abort = new AbortController()
  const job = flashJob({ signal: abort.signal })
  const stopped = rejection(flasher.transfer(job))
  await clock.advance(2_000)
  abort.abort(new Error('cancelled'))
  expect(await stopped).toBe('cancelled')
  const told = job.shares.length
  await clock.advance(10_000)
  expect(job.shares).toHaveLength(told)
})

test('a simulated device installs nothing of a transfer that was stopped', async () => {
  const { clock, flasher, start } = simulated()
  const abort = new AbortController()
  const stopped = rejection(flasher.transfer(flashJob({ signal: abort.signal })))
  await clock.advance(2_000)
  abort.abort(new Error('cancelled'))
  expect(await stopped).toBe('cancelled')
  const install = start(flasher.install(flashJob()))
  await clock.advance(10_000)
  expect(install.result).toBe('nothing-installed')
})

test('a scripted device does as planned, for that component and stage only', async () => {
  const clock = new VirtualClock()
  const flasher = scriptedFlasher(clock, { 'NIC-1 install': { kind: 'no-power' } })
  const run = async (options: JobOptions): Promise<string[]> => {
    const results: string[] = []
    for (const stage of ['transfer', 'install'] as const)
      results.push(outcome(await finish(clock, flasher[stage](flashJob(options)))))
    return results
  }
  expect(await run({ id: 'NIC-1' })).toEqual(['ok', 'no-power'])
  expect(await run({ id: 'NIC-2' })).toEqual(['ok', 'ok'])
  expect(flasher.calls).toEqual(['NIC-1 transfer', 'NIC-1 install', 'NIC-2 transfer', 'NIC-2 install'])
})

function simulated(speed: Speed = 1) {
  const clock = new VirtualClock()
  const flasher = withSpeed(createSimulatedFlasher(clock), speed)
  /** Work whose result can be looked at without waiting for it. */
  const start = (work: ReturnType<typeof flasher.transfer>): { result: string | undefined } => {
    const watched: { result: string | undefined } = { result: undefined }
    const watch = async (): Promise<void> => {
      watched.result = outcome(await work)
    }
    void watch()
    return watched
  }
  return { clock, flasher, start }
}

/** The same devices, at another speed than the jobs say. */
function withSpeed(flasher: Flasher, speed: Speed): Flasher {
  return {
    ...flasher,
    transfer: (job) => flasher.transfer({ ...job, speed }),
    verify: (job) => flasher.verify({ ...job, speed }),
    install: (job) => flasher.install({ ...job, speed }),
    activate: (job) => flasher.activate({ ...job, speed }),
  }
}

async function finish<T>(clock: VirtualClock, work: Promise<T>): Promise<T> {
  await clock.advance(600_000)
  return work
}

test('where faults are planned, devices are asked what came of an update, and to let go of it, as ever', async () => {
  const clock = new VirtualClock()
  const found = { ok: true, value: 'install' } as const
  const inquiry = () => async () => found
  const faulty = withFaults({ ...scriptedFlasher(clock), inquiry, withdrawal: inquiry }, { clock })
  const job = flashJob()
  for (const how of ['inquiry', 'withdrawal'] as const)
    expect(await faulty[how]?.(job)?.(job, 'install')).toBe(found)
})
