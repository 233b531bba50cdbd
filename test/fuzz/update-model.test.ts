import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Bmc } from '../../src/bmc/bmc.ts'
import { startEmulator } from '../support/emulator.ts'
import { runs } from '../support/fuzz.ts'
import { end, unexplained } from '../support/model/ending.ts'
import { play } from '../support/model/play.ts'
import { type Script, scriptsFor } from '../support/model/script.ts'
import { createWorld } from '../support/model/world.ts'

/** Longer than anything goes on by itself. */
const LONGEST_S = 3_600

test.each(['rackmount', 'bladed'])(
  'whatever is asked of %s, updates keep their promises',
  async (machine) => {
    const { bmc: factory } = await startEmulator({ machine })
    await fc.assert(
      fc.asyncProperty(scriptsFor(machine), async (script) => {
        expect(await playAll(script, factory)).toEqual([])
      }),
      runs(20),
    )
  },
  3_600_000,
)

/** What went wrong, and what had happened until then. */
async function playAll({ setup, operations, ending }: Script, factory: Bmc): Promise<readonly string[]> {
  const world = await createWorld(setup, factory)
  const { violations } = world
  const story: string[] = []
  const reject = (error: unknown): void => void violations.push(`unhandled: ${String(error)}`)
  process.on('unhandledRejection', reject)
  try {
    for (const operation of operations) {
      story.push(await play(world, operation))
      if (operation.do === 'wait' && operation.s > LONGEST_S) violations.push(...unexplained(world))
      if (violations.length > 0) return [...violations, ...story]
    }
    await end(world, ending)
    return violations.length > 0 ? [...violations, ...story] : []
  } finally {
    process.off('unhandledRejection', reject)
    await world.close()
  }
}
