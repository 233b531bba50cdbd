import { expect, test } from 'vitest'
import { Chance } from '../support/kills/chance.ts'
import { comeToAnEnd, dieOnce } from '../support/kills/lives.ts'
import { createWorld } from '../support/kills/world.ts'
import { isProof } from '../support/sample.ts'

const KILLS = isProof ? 200 : 10
/** After so many lives everything is brought to its end. */
const LIVES = isProof ? 10 : KILLS
const BMCS = 3
/** What others may have taken from this machine's processors. */
const TIMEOUT_MS = isProof ? 3_600_000 : 240_000
const seed = Number(process.env['KILL_SEED'] ?? Date.now() % 2 ** 31)

test(
  `killed ${KILLS} times, the service keeps everything that it answered (KILL_SEED=${seed})`,
  async () => {
    const chance = new Chance(seed)
    const world = await createWorld(BMCS)
    for (let number = 1; number <= KILLS; number++) {
      await dieOnce(world, chance)
      world.expectNothingWrong(`kill ${number}, KILL_SEED=${seed}`)
      if (number % LIVES === 0) await comeToAnEnd(world, chance)
      world.expectNothingWrong(`after kill ${number}, KILL_SEED=${seed}`)
    }
    expect(world.sent.size).toBeGreaterThan(KILLS)
  },
  TIMEOUT_MS,
)
