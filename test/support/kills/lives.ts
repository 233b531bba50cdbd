import { existsSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { journalFiles } from '../../../src/journal/database-file.ts'
import { syncPolicies } from '../../../src/journal/sync.ts'
import { runCommand } from '../cli.ts'
import { Chance } from './chance.ts'
import { chores } from './chores.ts'
import { type Client, live, pushOf } from './client.ts'
import { errands } from './errands.ts'
import { end, expectNoImages } from './ending.ts'
import { Ledger } from './ledger.ts'
import { judge, judgeFolder } from './looking.ts'
import { beginLife, type End, type Life } from './service.ts'
import { componentIds, type World } from './world.ts'

/** How long the service lives at most, once it serves; and how long it may take to serve, with the death that comes before. */
const MAX_LIFE_MS = 900
const MAX_START_MS = 1_500
const MAX_COMMITS = 150
/** The last BMC, which somebody removes and adds again. */
const CHANGING = 2
const CHANGING_ID = 'bmc-0003'
const GROUP = 'bmc'

/** Begins on what the last life left, judges it, lets clients do whatever they like, and dies at any moment. */
export async function dieOnce(world: World, chance: Chance): Promise<void> {
  const how = chance.of(['kill', 'kill', 'at a commit', 'at a commit', 'while it starts', 'end'])
  const when = chance.of<'before' | 'after'>(['before', 'after'])
  const at = 1 + chance.below(MAX_COMMITS)
  const sync = chance.of(syncPolicies)
  const bmcs = world.ledgers.length
  const isAtCommit = how === 'at a commit'
  const begun = beginLife(world.folder, { bmcs, sync, ...(isAtCommit && { death: { at, when } }) })
  const signal = how === 'end' ? 'SIGTERM' : 'SIGKILL'
  world.note(`a life with sync ${sync} that ends ${how}${isAtCommit ? ` ${when} ${at}` : ''}`)
  if (how === 'while it starts') {
    await sleep(chance.below(MAX_START_MS))
    judgeEnd(world, await begun.kill(), signal)
    return checkData(world)
  }
  world.life = await begun.life
  if (world.life.isReady) {
    await judgeFolder(world)
    await meet(world, world.life)
    await Promise.all(world.ledgers.map((_, slot) => judge(world, slot)))
    await liveOn(world, chance, signal)
  } else if (!isAtCommit) world.violations.push('it does not start')
  judgeEnd(world, await world.life.ended, signal)
  await checkData(world)
}

/** What is left can be relied on, and no image is missing. */
async function checkData({ folder, violations }: World): Promise<void> {
  // It died before there was anything.
  if (!existsSync(journalFiles(folder).database)) return
  const { exitCode, out, err } = await runCommand(['data', 'check', folder])
  if (exitCode === 0) return
  const digests = out.match(/[0-9a-f]{64}(?= is )/g) ?? []
  const records = (await runCommand(['data', 'export', folder])).out.split('\n')
  const about = records.filter((line) => digests.some((digest) => line.includes(digest)))
  violations.push([`data check ends with ${exitCode}: ${out}${err}`, ...about].join('\n'))
}

function judgeEnd({ violations }: World, { code, signal, said }: End, expected: NodeJS.Signals): void {
  if (said !== '') violations.push(`it said ${said}`)
  const isRight = expected === 'SIGTERM' ? code === 0 : signal === expected
  if (!isRight) violations.push(`it ended with ${code ?? signal}`)
}

/** Clients of all BMCs at once, and somebody who changes the fleet, until the service is dead. */
async function liveOn(world: World, chance: Chance, signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
  const { life } = world
  if (life === undefined) return
  const lasts = chance.below(MAX_LIFE_MS)
  const isOver = (): boolean => life.hasEnded()
  const steady = world.ledgers.flatMap((_, slot) =>
    slot === CHANGING ? [] : begin(world, chance, { slot, isOver }),
  )
  const changing = changeFleet(world, chance, life)
  await Promise.race([sleep(lasts), life.ended])
  await life.kill(signal)
  await Promise.all([...steady, changing])
}

interface Wish {
  readonly slot: number
  readonly isOver: () => boolean
}

/** Two clients of a BMC: one for what an administrator does, one for firmware. */
function begin(world: World, chance: Chance, { slot, isOver }: Wish): Promise<void>[] {
  return [chores, errands].map((deeds) => live(clientOf(world, chance, slot), deeds, isOver))
}

export function clientOf(world: World, chance: Chance, slot: number): Client {
  return { world, slot, ledger: world.ledger(slot), chance: new Chance(chance.below(2 ** 31)) }
}

/** One of the BMCs goes, and one of the same name comes; another comes, and goes, or is forgotten with the process. */
async function changeFleet(world: World, chance: Chance, life: Life): Promise<void> {
  while (!life.hasEnded()) {
    const until = Date.now() + 100 + chance.below(400)
    const isOver = (): boolean => life.hasEnded() || Date.now() > until
    await Promise.all(begin(world, chance, { slot: CHANGING, isOver }))
    if (chance.is(0.5)) await replace(world, life)
    else await addAnother(world, life)
  }
}

/** A BMC goes for sure, perhaps, or not at all. */
async function removeMember(world: World, life: Life, id: string): Promise<boolean> {
  const answer = await life.control('DELETE', `/bmcs/${id}`)
  world.note(`${id} goes: ${answer?.status}`)
  // A process that ends orderly takes no new orders.
  if (answer?.status === 503) return false
  if (answer?.status !== 204 && answer !== undefined)
    world.violations.push(`${id} goes with ${answer.status}`)
  world.members.set(id, answer === undefined ? 'perhaps' : 'gone')
  return answer !== undefined
}

/** Another one comes; its name and its place are those that are free. */
async function addMember(world: World, life: Life, id?: string): Promise<number | undefined> {
  if (id !== undefined) world.members.set(id, 'perhaps')
  const answer = await life.control('POST', '/bmcs', { group: GROUP })
  const [added] = (answer?.json['bmcs'] ?? []) as readonly { readonly id: string; readonly slot: number }[]
  world.note(`${added?.id} comes: ${answer?.status}`)
  if (added === undefined) return undefined
  if (id !== undefined && added.id !== id) world.violations.push(`${added.id} comes instead of ${id}`)
  world.members.set(added.id, 'there')
  return added.slot
}

/** Whether those are there who were told to be; brings the fleet back to what it was at first. */
async function meet(world: World, life: Life): Promise<void> {
  const answer = await life.control('GET', '/bmcs')
  if (answer?.status !== 200) return
  const all = (answer.json['bmcs'] ?? []) as readonly { readonly id: string; readonly slot: number }[]
  const found = new Set(all.map(({ id }) => id))
  for (const [id, presence] of world.members) {
    if (presence === 'there' && !found.has(id)) world.violations.push(`${id} is gone`)
    if (presence === 'gone' && found.has(id)) world.violations.push(`${id} is back`)
  }
  world.members.clear()
  for (const id of found) world.members.set(id, 'there')
  for (const { id, slot } of all) if (slot > CHANGING) await removeMember(world, life, id)
  if (!found.has(CHANGING_ID)) await renew(world, life)
}

/** It has the name of one that was there before, and nothing else. */
async function renew(world: World, life: Life): Promise<void> {
  world.ledgers[CHANGING] = new Ledger()
  await addMember(world, life, CHANGING_ID)
}

async function replace(world: World, life: Life): Promise<void> {
  if (await removeMember(world, life, CHANGING_ID)) await renew(world, life)
}

async function addAnother(world: World, life: Life): Promise<void> {
  const slot = await addMember(world, life)
  if (slot === undefined) return
  const image = await world.makeImage(componentIds.slice(0, 1))
  await life.ask(slot, pushOf(image, { LocalImage: true }))
  const id = [...world.members.keys()].at(-1)
  if (id !== undefined) await removeMember(world, life, id)
}

/** Everything that any life left under way comes to its end, and nothing is left over. */
export async function comeToAnEnd(world: World, chance: Chance): Promise<void> {
  const begun = beginLife(world.folder, { bmcs: world.ledgers.length })
  const life = await begun.life
  world.life = life
  if (!life.isReady) return void world.violations.push(`it does not start: ${(await life.ended).said}`)
  await meet(world, life)
  await Promise.all(
    world.ledgers.map(async (_, slot) => {
      await judge(world, slot)
      await end(clientOf(world, chance, slot))
    }),
  )
  await expectNoImages(world)
  judgeEnd(world, await life.kill('SIGTERM'), 'SIGTERM')
}
