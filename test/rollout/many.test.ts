import { hash } from 'node:crypto'
import { cpuUsage } from 'node:process'
import { expect, test } from 'vitest'
import { Background } from '../../src/lib/background.ts'
import { VirtualClock } from '../../src/lib/clock.ts'
import type { RolloutPlan } from '../../src/rollout/plan.ts'
import { progressOf } from '../../src/rollout/progress.ts'
import { RolloutRun } from '../../src/rollout/run.ts'
import { devices, rolloutOf } from './devices.ts'
import { Kept } from './kept.ts'
import { fails, type Script, ScriptedFlash, succeeds } from './scripted-flash.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const COUNT = 5_000

/** From 0 to 99, and always the same. */
function draw(text: string): number {
  return hash('sha256', text, 'buffer').readUInt32BE() % 100
}

/** Of a hundred devices 90 succeed, 3 fail once and then succeed, 4 fail always, 2 hang, 1 is refused. */
function kindOf(id: string): 'good' | 'once' | 'bad' | 'hangs' | 'refused' {
  const drawn = draw(id)
  return drawn < 90 ? 'good' : drawn < 93 ? 'once' : drawn < 97 ? 'bad' : drawn < 99 ? 'hangs' : 'refused'
}

function scriptOf(id: string, nth: number): Script {
  const kind = kindOf(id)
  const ms = (5 + (draw(`${id} takes`) % 10)) * MINUTE_MS
  if (kind === 'hangs') return { ms: 100 * HOUR_MS, outcome: succeeds }
  const outcome = kind === 'bad' || (kind === 'once' && nth === 0) ? fails : succeeds
  return { ms, outcome, isRefused: kind === 'refused' }
}

async function run(plan: RolloutPlan) {
  const clock = new VirtualClock()
  const bugs: unknown[] = []
  /** States as they were kept, one after the other. */
  const told: { readonly id: string; readonly to: string; readonly at: number }[] = []
  const background = new Background((error) => void bugs.push(error))
  const all = devices(COUNT, (index) => ({ group: `rack-${index % 50}`, source: `source-${index % 500}` }))
  const kept = new Kept(rolloutOf(plan, all))
  const most = { all: 0, group: 0 }
  const busy = new Map<string, number>()
  const flash = new ScriptedFlash(clock, ({ target }, nth) => scriptOf(target.id, nth))
  const rollout = new RolloutRun(kept.read(), {
    clock,
    background,
    store: (_id, changes) => {
      for (const { id, group = '', state } of changes.targets) {
        const before = kept.targets.get(id)?.state === 'Flashing' ? 1 : 0
        const now = (busy.get(group) ?? 0) + (state === 'Flashing' ? 1 : 0) - before
        busy.set(group, now)
      }
      most.group = Math.max(most.group, ...busy.values())
      most.all = Math.max(
        most.all,
        [...busy.values()].reduce((sum, one) => sum + one, 0),
      )
      const at = clock.now()
      if (changes.head) told.push({ id: 'all', to: changes.head.state, at })
      const changed = changes.targets.filter(({ id, state }) => kept.targets.get(id)?.state !== state)
      told.push(...changed.map(({ id, state }) => ({ id, to: state, at })))
      kept.store(changes)
      return Promise.resolve()
    },
    flash: flash.port,
  })
  const before = cpuUsage()
  await rollout.send({ kind: 'Begin' })
  for (let hours = 0; hours < 200 && rollout.live.head.endedAt === undefined; hours++)
    await clock.advance(HOUR_MS)
  const { user, system } = cpuUsage(before)
  await rollout.close()
  expect(bugs).toEqual([])
  return {
    kept: kept.read(),
    progress: progressOf(rollout.live),
    flash,
    told,
    most,
    cpuMs: (user + system) / 1_000,
  }
}

const plan: RolloutPlan = {
  Waves: [{ Name: 'Canary', Count: 10, FailureThreshold: { Count: 5 } }, { Percent: 25 }],
  MaxParallel: 200,
  MaxParallelPerGroup: 5,
  DelayBetweenWaves: 'PT10M',
  DeviceTimeout: 'PT30M',
  Retries: { MaxRetries: 1, Delay: 'PT5M', MessageIds: ['Update.TransferFailed'] },
}

test('five thousand devices end as each of them must, and none too many at once', async () => {
  const { kept, progress, flash, most, cpuMs } = await run(plan)
  const expected = {
    good: 'Succeeded',
    once: 'Succeeded',
    bad: 'Failed',
    hangs: 'TimedOut',
    refused: 'Failed',
  }
  const wrong = kept.targets.filter(({ id, state }) => state !== expected[kindOf(id)])
  expect(wrong.map(({ id, state }) => ({ id, state, kind: kindOf(id) }))).toEqual([])
  expect(progress).toMatchObject({ state: 'Failed', percent: 100 })
  // 10, then a quarter of all three times, then what is left.
  expect(kept.waves.map(({ index }) => kept.targets.filter(({ wave }) => wave === index).length)).toEqual([
    10, 1_250, 1_250, 1_250, 1_240,
  ])
  // Refused ones never began; those that fail are tried once more.
  const times = kept.targets.map(({ id }) => flash.of(id).length)
  const wanted = { good: 1, once: 2, bad: 2, hangs: 1, refused: 0 }
  expect(times.slice(0, 500)).toEqual(kept.targets.slice(0, 500).map(({ id }) => wanted[kindOf(id)]))
  expect(flash.log.length).toBe(kept.targets.reduce((sum, { id }) => sum + wanted[kindOf(id)], 0))
  expect(most).toEqual({ all: 200, group: 5 })
  expect(cpuMs).toBeLessThan(15_000)
})

test('no device begins once the failures of a wave are too many', async () => {
  const limits = { Percent: 2, Action: 'Stop' } as const
  const { kept, progress, flash, told } = await run({ ...plan, FailureThreshold: limits })
  const stopped = told.findIndex(({ to }) => to === 'Stopping')
  const waveOf = new Map(kept.targets.map(({ id, wave }) => [id, wave]))
  const failed = told.filter(({ id, to }) => waveOf.get(id) === 1 && (to === 'Failed' || to === 'TimedOut'))
  const stoppedAt = told[stopped]?.at ?? 0
  // 2 % of 1,250: several end at the same moment.
  expect(failed.filter(({ at }) => at < stoppedAt).length).toBeLessThan(25)
  expect(failed.filter(({ at }) => at <= stoppedAt).length).toBeGreaterThanOrEqual(25)
  expect(told.slice(stopped).filter(({ to }) => to === 'Flashing')).toEqual([])
  expect(progress).toMatchObject({ state: 'Failed', percent: 100 })
  expect(progress.waves.map(({ state }) => state)).toEqual([
    'Completed',
    'Completed',
    'Cancelled',
    'Cancelled',
    'Cancelled',
  ])
  // Those that were going on then came to their ends; nobody else was ever begun.
  const begun = new Set(flash.log.map(({ target }) => target))
  const untouched = kept.targets.filter(({ id }) => !begun.has(id) && kindOf(id) !== 'refused')
  expect(new Set(untouched.map(({ state }) => state))).toEqual(new Set(['Cancelled']))
  expect(flash.running()).toEqual([])
})
