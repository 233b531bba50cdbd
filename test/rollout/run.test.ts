import { expect, onTestFinished, test } from 'vitest'
import { Background } from '../../src/lib/background.ts'
import { VirtualClock } from '../../src/lib/clock.ts'
import { succeed } from '../../src/lib/result.ts'
import type { RolloutPlan } from '../../src/rollout/plan.ts'
import { type FlashPort, RolloutRun, type RolloutPorts } from '../../src/rollout/run.ts'
import { devices, rolloutOf } from './devices.ts'
import { Kept } from './kept.ts'
import { type Script, ScriptedFlash, succeeds } from './scripted-flash.ts'

const MINUTE = 60_000

/** A roll-out over ports of which some are replaced. */
function driven(plan: RolloutPlan, count: number, replaced: Partial<RolloutPorts> = {}) {
  const clock = new VirtualClock()
  const bugs: unknown[] = []
  const kept = new Kept(rolloutOf(plan, devices(count)))
  const script: Script = { ms: 10 * MINUTE, outcome: succeeds }
  const flash = new ScriptedFlash(clock, () => script)
  const run = new RolloutRun(kept.read(), {
    clock,
    background: new Background((error) => void bugs.push(error)),
    store: (_id, changes) => {
      kept.store(changes)
      return Promise.resolve()
    },
    flash: flash.port,
    ...replaced,
  })
  onTestFinished(() => run.close())
  return { clock, bugs, kept, flash, run }
}

test('nothing begins before it is kept', async () => {
  const { promise, resolve } = Promise.withResolvers<void>()
  const { clock, run, flash } = driven({}, 1, { store: () => promise })
  const begun = run.send({ kind: 'Begin' })
  await clock.advance(MINUTE)
  expect(flash.log.length).toBe(0)
  resolve()
  await begun
  await clock.advance(0)
  expect(flash.log.length).toBe(1)
})

test('where nothing can be kept any more, nothing is done any more, and it is told once', async () => {
  const full = new Error('disk full')
  const { clock, run, flash, bugs } = driven({}, 1, { store: () => Promise.reject(full) })
  await expect(run.send({ kind: 'Begin' })).rejects.toBe(full)
  await expect(run.send({ kind: 'Resume' })).rejects.toThrow('goes on no more')
  await clock.advance(100 * MINUTE)
  expect({ begun: flash.log.length, bugs }).toEqual({ begun: 0, bugs: [full] })
})

test('where a device is watched is known when it has begun', async () => {
  const { clock, run, kept } = driven({}, 1)
  await run.send({ kind: 'Begin' })
  await clock.advance(0)
  expect(kept.targets.get('d-1')?.attempt).toMatchObject({
    operation: 'r-d-1-1',
    task: '/redfish/v1/TaskService/Tasks/1',
  })
})

test('who is told to end before it has begun is told when it has', async () => {
  const accepted = Promise.withResolvers<void>()
  const cancelled: string[] = []
  const ended = Promise.withResolvers<typeof succeeds>()
  let isThere = false
  const flash: FlashPort = {
    start: async () => {
      await accepted.promise
      isThere = true
      return succeed({})
    },
    cancel: (operation) => void (isThere && cancelled.push(operation)),
    outcome: () => ended.promise,
  }
  const { clock, run } = driven({}, 1, { flash })
  await run.send({ kind: 'Begin' })
  await run.send({ kind: 'Cancel' })
  await clock.advance(0)
  expect(cancelled).toEqual([])
  accepted.resolve()
  await clock.advance(0)
  expect(cancelled).toEqual(['r-d-1-1'])
  ended.resolve({ end: 'Cancelled' })
  await clock.advance(0)
  expect(run.live.head.state).toBe('Cancelled')
})

test('what is begun and then unknown has failed', async () => {
  const flash: FlashPort = {
    start: () => Promise.resolve(succeed({})),
    cancel: () => {},
    outcome: () => Promise.resolve(undefined),
  }
  const { clock, run } = driven({}, 1, { flash })
  await run.send({ kind: 'Begin' })
  await clock.advance(0)
  expect(run.live.targets.get('d-1')).toMatchObject({ state: 'Failed', failure: { stage: 'Start' } })
})

test('what waits for its time begins then', async () => {
  const { clock, run, flash, kept } = driven({ StartTime: '2026-01-01T01:00:00Z' }, 1)
  await run.send({ kind: 'Begin' })
  await clock.advance(60 * MINUTE - 1)
  expect(flash.log).toEqual([])
  await clock.advance(1)
  expect(flash.log.length).toBe(1)
  await clock.advance(10 * MINUTE)
  expect(kept.head.state).toBe('Completed')
})

test('a timer that is early is set again', async () => {
  const clock = new VirtualClock()
  const early = { ...clockOf(clock), schedule: (ms: number, run: () => void) => clock.schedule(ms / 2, run) }
  const { run, flash } = driven({ StartTime: '2026-01-01T01:00:00Z' }, 1, { clock: early })
  await run.send({ kind: 'Begin' })
  await clock.advance(61 * MINUTE)
  expect(flash.log.length).toBe(1)
})

test('what had begun when it was closed has its end told when it is taken up', async () => {
  const { clock, run, flash, kept, bugs } = driven({ MaxParallel: 1 }, 2)
  await run.send({ kind: 'Begin' })
  await clock.advance(0)
  await run.close()
  await clock.advance(20 * MINUTE)
  expect(kept.targets.get('d-1')?.state).toBe('Flashing')
  const taken = new RolloutRun(kept.read(), {
    clock,
    background: new Background((error) => void bugs.push(error)),
    flash: flash.port,
    store: (_id, changes) => Promise.resolve(kept.store(changes)),
  })
  await taken.takeUp()
  await clock.advance(0)
  expect(flash.log.map(({ target }) => target)).toEqual(['d-1', 'd-2'])
  expect(kept.targets.get('d-1')?.state).toBe('Succeeded')
  expect(bugs).toEqual([])
  await taken.close()
})

/** A clock's methods, which find it wherever they are. */
function clockOf(clock: VirtualClock) {
  return {
    now: () => clock.now(),
    sleep: (ms: number, signal?: AbortSignal) => clock.sleep(ms, signal),
    schedule: (ms: number, run: () => void) => clock.schedule(ms, run),
    io: <T>(work: Promise<T>) => clock.io(work),
    breathe: () => clock.breathe(),
  }
}
