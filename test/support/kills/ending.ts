import { setTimeout as sleep } from 'node:timers/promises'
import { lastSegment, uris } from '../../../src/redfish/uris.ts'
import { accepted, act, type Client, pushOf, resetOf, windowAt } from './client.ts'
import { idOf, textOf } from './ledger.ts'
import { judgeFolder, look, membersOf, unfinished } from './looking.ts'
import type { Asked } from './service.ts'
import { componentIds, type World } from './world.ts'

const ROUNDS = 10
/** Longer than any stage takes. */
const REST_MS = 1_500
const DAY_S = 86_400
const PATIENCE_MS = 30_000

/** Everything is given what it waits for, and ends; then every component takes another update, and nothing is left over. */
export async function end(client: Client): Promise<void> {
  const { world, slot, ledger } = client
  await removeScheduled(client)
  await giveAll(client, ROUNDS)
  world.violate(
    slot,
    unfinished(ledger).map(([uri, { state, messages }]) => `${uri} is still ${state}: ${messages.join()}`),
  )
  // What waits unseen, behind a task that has ended.
  for (let round = 0; round < 2; round++) {
    for (const wish of wishes(client)) await insist(client, wish)
    await comesToRest(client)
  }
  await updateAll(client)
  await hear(client)
  await tidy(client)
}

/** Asks until somebody answers: the manager may boot. */
async function insist({ world, slot }: Client, asked: Asked) {
  const until = Date.now() + PATIENCE_MS
  let said: string | undefined
  while (Date.now() < until) {
    const answer = await world.life?.ask(slot, asked)
    if (answer !== undefined && answer.status !== 503) {
      world.note(
        `BMC ${slot}, to end: ${asked.method ?? 'GET'} ${asked.url}: ${answer.status} ${answer.location}`,
      )
      return answer
    }
    said = JSON.stringify(answer?.json)
    await sleep(25)
  }
  world.violate(slot, [`${asked.method ?? 'GET'} ${asked.url} is answered ${said}`])
  return undefined
}

/** Jobs for another day would wait for it. */
async function removeScheduled(client: Client): Promise<void> {
  const answer = await insist(client, { url: `${uris.jobs}?$expand=.` })
  for (const job of membersOf(answer?.json ?? {})) {
    if (job['Schedule'] === undefined) continue
    const uri = idOf(job)
    client.ledger.mayBeGone.add(uri)
    await insist(client, { method: 'DELETE', url: uri })
  }
}

async function giveAll(client: Client, rounds: number): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    if (await comesToRest(client)) return
    for (const wish of wishes(client)) await insist(client, wish)
  }
  await comesToRest(client)
}

/** Waits until nothing moves any more; whether everything has ended then. A reset would strike what is still at work. */
async function comesToRest({ world, slot, ledger }: Client): Promise<boolean> {
  let [last, since] = ['', Date.now()]
  const until = Date.now() + PATIENCE_MS
  while (Date.now() - since < REST_MS && Date.now() < until) {
    const isSeen = await look(world, slot, ledger)
    if (isSeen && unfinished(ledger).length === 0) return true
    const now = JSON.stringify([...ledger.works])
    if (now !== last || !isSeen) [last, since] = [now, Date.now()]
    await sleep(50)
  }
  return false
}

function wishes({ ledger }: Client): Asked[] {
  const suspended = unfinished(ledger).filter(
    ([uri, { state }]) => state === 'Suspended' && uri.startsWith(uris.jobs),
  )
  return [
    ...suspended.map(([uri]) => act(uri, 'Job.Resume')),
    windowAt(Date.now() - 60_000, DAY_S),
    act(uris.updateService, 'UpdateService.StartUpdate'),
    resetOf(uris.system('1')),
    resetOf(uris.manager('1')),
  ]
}

async function updateAll(client: Client): Promise<void> {
  const { world, slot } = client
  const wanted = new Map<string, string | undefined>()
  for (const id of componentIds) {
    const image = await world.makeImage([id])
    const target = { ForceUpdate: true, Targets: [uris.firmware(id)] }
    const answer = await insist(client, pushOf(image, target))
    if (answer?.status !== 202)
      world.violate(slot, [
        `an update of ${id} is answered ${answer?.status} ${JSON.stringify(answer?.json)}`,
      ])
    accepted(client, answer, `the last push of ${id}`)
    wanted.set(id, image.versions[id])
  }
  await giveAll(client, ROUNDS)
  world.violate(
    slot,
    unfinished(client.ledger).map(
      ([uri, { state, messages }]) => `${uri}, the last, is ${state}: ${messages.join()}`,
    ),
  )
  for (const id of componentIds) {
    const { json = {} } = (await insist(client, { url: uris.firmware(id) })) ?? {}
    if (json['Version'] !== wanted.get(id))
      world.violate(slot, [`${id} runs ${textOf(json, 'Version')}, not ${wanted.get(id)}`])
  }
}

/** Everybody who subscribed, and still does, hears of every task. */
async function hear({ world, slot, ledger }: Client): Promise<void> {
  const isMissing = (): string[] =>
    ledger.owed.flatMap(({ subscription, path, task }) =>
      ledger.fact(subscription) === undefined || world.heard.has(`${path} ${task}`)
        ? []
        : [`${subscription} never hears of ${task}`],
    )
  const until = Date.now() + PATIENCE_MS
  while (isMissing().length > 0 && Date.now() < until) await sleep(50)
  world.violate(slot, isMissing())
  ledger.owed.length = 0
}

/** Takes away what has ended, so that the next lives begin with little. */
async function tidy(client: Client): Promise<void> {
  const { ledger } = client
  for (const uri of ledger.works.keys()) ledger.mayBeGone.add(uri)
  await insist(client, act(uris.taskService, 'TaskService.DeleteAllCompletedTasks'))
  const jobs = await insist(client, { url: uris.jobs })
  for (const job of membersOf(jobs?.json ?? {})) await insist(client, { method: 'DELETE', url: idOf(job) })
  const images = await insist(client, { url: uris.localImages })
  for (const image of membersOf(images?.json ?? {})) {
    const uri = uris.localImage(lastSegment(idOf(image)))
    ledger.mayBeGone.add(uri)
    await insist(client, { method: 'DELETE', url: uri })
  }
  const clear = uris.action(uris.logService(uris.manager('1')), 'LogService.ClearLog')
  await insist(client, { method: 'POST', url: clear, body: {} })
}

/** Nothing is spoken of any more: the folder of the images is empty. */
export async function expectNoImages(world: World): Promise<void> {
  const until = Date.now() + PATIENCE_MS
  let names = await judgeFolder(world)
  while (names.length > 0 && Date.now() < until) {
    await sleep(50)
    names = await judgeFolder(world)
  }
  if (names.length > 0) world.violations.push(`images are left that nobody speaks of: ${names.join()}`)
}
