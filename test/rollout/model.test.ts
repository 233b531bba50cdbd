import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { cases, CASES_MS } from '../support/fuzz.ts'
import { actions, shapes } from './happenings.ts'
import { WatchedRollout } from './watched-rollout.ts'

test(
  'limits, thresholds and windows hold, and nothing is flashed twice, whatever comes between',
  async () => {
    await fc.assert(
      fc.asyncProperty(shapes, actions, async (shape, doings) => {
        const rollout = new WatchedRollout(shape)
        await rollout.begin()
        for (const doing of doings) {
          await rollout.do(doing)
          expect(rollout.wrongs).toEqual([])
        }
        await rollout.finish()
        expect(rollout.wrongs).toEqual([])
      }),
      cases(300),
    )
  },
  CASES_MS,
)
