import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { loadMachine } from '../../src/bmc/mockup-folder.ts'
import { eventLives, type Mood } from '../support/event-lives.ts'
import { CASES_MS, runs } from '../support/fuzz.ts'

const machine = loadMachine('rackmount')
const policies = ['RetryForever', 'SuspendRetries', 'TerminateAfterRetries'] as const
const moods: readonly Mood[] = ['takes', 'refuses', 'hangs', 'takes and hangs']

type Lives = Awaited<ReturnType<typeof eventLives>>
type Step = readonly [name: string, act: (lives: Lives) => unknown]

const someone = fc.nat(policies.length - 1)
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.constant<Step>(['something happens', (lives) => lives.happen()]) },
  {
    weight: 4,
    arbitrary: fc
      .oneof(fc.constantFrom(0, 1, 5_000, 10_000, 60_000), fc.nat(130_000))
      .map((ms): Step => [`${ms} ms pass`, (lives) => lives.pass(ms)]),
  },
  {
    weight: 4,
    arbitrary: fc
      .tuple(someone, fc.constantFrom(...moods))
      .map(([index, mood]): Step => [`${index} ${mood}`, (lives) => lives.setMood(index, mood)]),
  },
  { weight: 2, arbitrary: fc.constant<Step>(['a turn ends', (lives) => lives.flush()]) },
  { weight: 2, arbitrary: fc.constant<Step>(['the service dies', (lives) => lives.die()]) },
  { weight: 1, arbitrary: fc.constant<Step>(['the manager boots', (lives) => lives.boot()]) },
  { weight: 1, arbitrary: fc.constant<Step>(['the manager is back', (lives) => lives.endBoot()]) },
  {
    weight: 1,
    arbitrary: someone.map((index): Step => [`${index} is suspended`, (lives) => lives.suspend(index)]),
  },
  {
    weight: 1,
    arbitrary: someone.map((index): Step => [`${index} goes on`, (lives) => lives.resume(index)]),
  },
)
const story = fc
  .array(step, { minLength: 1, maxLength: 40, size: 'max' })
  .map((steps) => ({ steps, toString: () => steps.map(([name]) => name).join(', ') }))

test(
  'every subscriber is told of everything at least once and in order, whenever the service dies',
  async () => {
    const seen = { deaths: 0, again: 0, ended: 0, whole: 0 }
    await fc.assert(
      fc.asyncProperty(story, async ({ steps }) => {
        const lives = await eventLives(machine, policies)
        for (const [name, act] of steps) {
          await act(lives)
          if (name === 'the service dies') seen.deaths++
        }
        await lives.settle()
        expect(lives.world.mistakes).toEqual([])
        const things = lives.things()
        for (const [index, { told }] of [...lives.world.receivers.values()].entries()) {
          const all = told.flat()
          const once = [...new Set(all)]
          for (const inOneLife of [...told, once])
            expect(inOneLife).toEqual(inOneLife.toSorted((a, b) => a - b))
          const isSubscribed = lives.life.bmc.state.subscriptions.has(String(index + 1))
          // One who is not has been given up.
          expect(once).toEqual(isSubscribed ? things : things.filter((one) => once.includes(one)))
          seen.again += all.length - once.length
          seen[isSubscribed ? 'whole' : 'ended']++
        }
        const left = lives.world.disk.filter(({ table }) => table === 'outbox' || table === 'heldEvents')
        expect(left).toEqual([])
      }),
      runs(150),
    )
    // It was about something.
    expect(Math.min(...Object.values(seen))).toBeGreaterThan(0)
  },
  CASES_MS,
)
