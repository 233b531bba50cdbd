import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { uris } from '../../src/redfish/uris.ts'
import { Chance } from '../support/kills/chance.ts'
import { chores } from '../support/kills/chores.ts'
import { accepted, type Client, pushOf, resetOf } from '../support/kills/client.ts'
import { end, expectNoImages } from '../support/kills/ending.ts'
import { clientOf } from '../support/kills/lives.ts'
import { judge, judgeFolder, look, unfinished } from '../support/kills/looking.ts'
import { beginLife, type Life } from '../support/kills/service.ts'
import { createWorld } from '../support/kills/world.ts'
import { isProof } from '../support/sample.ts'

/** More than the update has. */
const MAX_COMMITS = 200
/** Every commit before an issue is resolved, and else every so many; just before it and just after by turns. */
const STEP = isProof ? 1 : 60
const TIMEOUT_MS = isProof ? 3_600_000 : 180_000
const moments = isProof ? (['before', 'after'] as const) : (['by turns'] as const)

test.each(moments)(
  'killed at any commit of an update, the service keeps everything that it answered: %s',
  async (moment) => {
    let deaths = 0
    for (let at = 1; at < MAX_COMMITS; at += STEP) {
      const when = moment !== 'by turns' ? moment : deaths % 2 === 0 ? 'before' : 'after'
      if (!(await dieAt(at, when))) break
      deaths++
    }
    expect(deaths).toBeGreaterThan(60 / STEP)
  },
  TIMEOUT_MS,
)

/** Dies at this commit of an update and judges what is left; false where the update had fewer commits. */
async function dieAt(at: number, when: 'before' | 'after'): Promise<boolean> {
  const world = await createWorld(1)
  const begun = beginLife(world.folder, { bmcs: 1, death: { at, when } })
  const life = await begun.life
  world.life = life
  const client = clientOf(world, new Chance(at), 0)
  await updateOnce(client, life)
  const { signal, said } = await life.kill(life.hasEnded() ? 'SIGKILL' : 'SIGTERM')
  expect(said).toBe('')
  if (signal === null) return false
  const next = beginLife(world.folder, { bmcs: 1 })
  world.life = await next.life
  await judgeFolder(world)
  await judge(world, 0)
  await end(client)
  await expectNoImages(world)
  await next.kill('SIGTERM')
  world.expectNothingWrong(`killed ${when} commit ${at}`)
  return true
}

/** A subscriber, an image that is kept for two devices, one of which waits for a reset; all as far as the service lives. */
async function updateOnce(client: Client, life: Life): Promise<void> {
  const { world, slot, ledger } = client
  await chores.find(({ name }) => name === 'subscribe')?.(client)
  const image = await world.makeImage(['BIOS', 'NIC-1'])
  accepted(client, await world.ask(slot, pushOf(image, { ForceUpdate: true, LocalImage: true })), 'the push')
  let isReset = false
  while (!life.hasEnded()) {
    await look(world, slot, ledger)
    const all = unfinished(ledger)
    if (all.length === 0) return
    const isAsked = all.some(([, { messages }]) => messages.some((one) => one.startsWith('ResetRequired')))
    if (isAsked && !isReset) {
      const answer = await world.ask(slot, resetOf(uris.system('1')))
      isReset = answer !== undefined
    }
    await sleep(5)
  }
}
