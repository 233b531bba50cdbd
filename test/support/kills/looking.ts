import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { JsonObject } from '../../../src/redfish/resource.ts'
import { lastSegment, uris } from '../../../src/redfish/uris.ts'
import { basic } from '../emulator.ts'
import { differs, type Fact, idOf, isFinal, judgeWork, type Ledger, textOf, type Told } from './ledger.ts'
import { componentIds, digestOf, NobodyThere, type World } from './world.ts'

const MANAGER = uris.manager('1')
export const logEntries = uris.logEntries(MANAGER)
/** As many as the oldest of which gives way. */
const MAX_HISTORY = 50

/** Reads what goes on, and whether anything of it is not as it was told before; false where nobody answers. */
export async function look(world: World, slot: number, ledger: Ledger): Promise<boolean> {
  for (const collection of [uris.tasks, uris.jobs]) {
    // What is made or removed meanwhile is none of this look's business.
    const told = new Map([...ledger.works].filter(([uri]) => uri.startsWith(`${collection}/`)))
    const answer = await world.ask(slot, { url: `${collection}?$expand=.` })
    if (answer?.status !== 200) return false
    const found = new Map(membersOf(answer.json).map((one) => [idOf(one), toldOf(one)]))
    for (const [uri, now] of found) {
      world.violate(slot, judgeWork(uri, told.get(uri), now))
      ledger.works.set(uri, now)
    }
    for (const uri of told.keys()) {
      if (found.has(uri)) continue
      if (!ledger.mayBeGone.has(uri)) world.violate(slot, [`${uri} is forgotten`])
      ledger.works.delete(uri)
    }
  }
  return true
}

/**
 * Whether all that was told before the service died holds; asked before anybody changes anything again. Where it dies
 * meanwhile, the next judgement finds what this one could not.
 */
export async function judge(world: World, slot: number): Promise<void> {
  const ledger = world.ledger(slot)
  try {
    do await world.read(slot, uris.root)
    while (!(await look(world, slot, ledger)))
    for (const judgement of judgements) world.violate(slot, await judgement(world, slot, ledger))
  } catch (error) {
    if (!(error instanceof NobodyThere)) throw error
    if (world.life?.hasEnded() !== true) world.violate(slot, ['nobody is there'])
  }
}

const judgements = [judgeFacts, judgeStrangers, judgeVersions, judgeImages, judgeLog, judgeSessions]

async function judgeFacts(world: World, slot: number, ledger: Ledger): Promise<string[]> {
  const wrong: string[] = []
  for (const [uri, facts] of ledger.facts) {
    const answer = await world.read(slot, uri)
    const found = answer.status === 404 ? undefined : answer.json
    const doubts = await Promise.all(facts.map((fact) => doubtsOf(world, { slot, uri, fact, found })))
    const held = doubts.findIndex((doubt) => doubt.length === 0)
    if (held === -1) wrong.push(...doubts.flat())
    ledger.facts.set(uri, [facts[Math.max(0, held)]])
  }
  return wrong
}

interface Judged {
  readonly slot: number
  readonly uri: string
  readonly fact: Fact
  readonly found: JsonObject | undefined
}

async function doubtsOf(world: World, { slot, uri, fact, found }: Judged): Promise<string[]> {
  if (fact === undefined) return found === undefined ? [] : [`${uri} is there`]
  if (found === undefined) return [`${uri} is gone`]
  const other = differs(uri, fact, found)
  if (other.length > 0 || fact.password === undefined) return other
  const login = await world.read(slot, uris.accountService, basic(lastSegment(uri), fact.password))
  return login.status === 200 ? [] : [`${uri}: its password is answered ${login.status}`]
}

/** Where things are that are called as whoever asked for them wished, and by which property. */
const named = [
  [uris.eventDestinations, 'Context'],
  [uris.accounts, 'UserName'],
  [uris.trustAnchors, 'CertificateString'],
] as const

/** What nobody was told of is what somebody asked for, as a whole. */
async function judgeStrangers(world: World, slot: number, ledger: Ledger): Promise<string[]> {
  const wrong: string[] = []
  for (const [collection, nameIn] of named) {
    const answer = await world.read(slot, `${collection}?$expand=.`)
    for (const one of membersOf(answer.json)) {
      const uri = idOf(one)
      const name = textOf(one, nameIn).trim()
      if (ledger.facts.has(uri) || name === 'admin') continue
      if (ledger.given.has(uri) || !ledger.asked.has(name)) wrong.push(`${uri} (${name}) comes from nobody`)
      const { Context, Destination, RoleId } = one
      const members = Object.entries({ Context, Destination, RoleId }).filter(
        ([, value]) => value !== undefined,
      )
      ledger.facts.set(uri, [{ members: Object.fromEntries(members) }])
    }
  }
  return wrong
}

/** What runs is what came last, and what ran stays told. */
async function judgeVersions(world: World, slot: number, ledger: Ledger): Promise<string[]> {
  const wrong: string[] = []
  for (const id of componentIds) {
    const { version, told } = await readVersions(world, slot, id)
    const was = ledger.runs.get(id)
    if (was !== undefined) {
      const isKept = was.history.every((one, index) => told[index] === one)
      if (!isKept && told.length < MAX_HISTORY)
        wrong.push(`${id}: ${was.history.join()} has become ${told.join()}`)
      if (version !== was.version && told.length === was.history.length && told.length < MAX_HISTORY)
        wrong.push(`${id} went from ${was.version} to ${version}, untold`)
    }
    ledger.runs.set(id, { version, history: told })
  }
  return wrong
}

/** What runs and what ran, at one moment: updates go on meanwhile. */
async function readVersions(world: World, slot: number, id: string) {
  const history = async (): Promise<string[]> => {
    const { json } = await world.read(slot, uris.firmwareHistory(id))
    const list = (json['Versions'] ?? []) as readonly JsonObject[]
    return list.map((one) => `${textOf(one, 'Version')} at ${textOf(one, 'ActivatedTime')}`)
  }
  for (let before = await history(); ;) {
    const { json } = await world.read(slot, uris.firmware(id))
    const told = await history()
    if (told.join() === before.join()) return { version: textOf(json, 'Version'), told }
    before = told
  }
}

/** Images that are kept are whole, and those that somebody sent. */
async function judgeImages(world: World, slot: number, ledger: Ledger): Promise<string[]> {
  const wrong: string[] = []
  const answer = await world.read(slot, uris.localImages)
  const found = new Set(membersOf(answer.json).map((one) => idOf(one)))
  for (const uri of ledger.images.keys()) {
    if (found.has(uri)) continue
    if (!ledger.mayBeGone.has(uri)) wrong.push(`${uri} is gone`)
    ledger.images.delete(uri)
  }
  for (const uri of found) {
    const data = await world.read(slot, uris.localImageData(lastSegment(uri)))
    const digest = data.status === 200 ? digestOf(data.bytes) : `answered ${data.status}`
    const was = ledger.images.get(uri) ?? digest
    if (!world.sent.has(digest) || was !== digest) wrong.push(`${uri} is not what was sent: ${digest}`)
    ledger.images.set(uri, digest)
  }
  return wrong
}

/** Numbers of entries are not given twice. */
async function judgeLog(world: World, slot: number, ledger: Ledger): Promise<string[]> {
  const answer = await world.read(slot, logEntries)
  const numbers = membersOf(answer.json).map((one) => Number(lastSegment(idOf(one))))
  const last = Math.max(0, ...numbers)
  const isBehind = numbers.length > 0 && last < ledger.lastEntry
  const told = ledger.lastEntry
  ledger.lastEntry = Math.max(told, last)
  return isBehind ? [`the log ends at ${last}, and ended at ${told} before`] : []
}

/** Sessions ended with the process. */
async function judgeSessions(world: World, slot: number, ledger: Ledger): Promise<string[]> {
  const wrong: string[] = []
  for (const token of ledger.tokens) {
    const headers = { 'x-auth-token': token }
    const answer = await world.ask(slot, { url: uris.accountService, headers, authorization: '' })
    if (answer !== undefined && answer.status !== 401) wrong.push(`a session goes on: ${answer.status}`)
  }
  ledger.tokens.clear()
  return wrong
}

/** What lies in the folder of the images: each is what its name says, and somebody sent it. */
export async function judgeFolder({ folder, sent, violations }: World): Promise<string[]> {
  const path = join(folder, 'images')
  const names = await readdir(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw error
  })
  for (const name of names.filter((one) => !one.endsWith('.part'))) {
    const bytes = await readFile(join(path, name)).catch((error: NodeJS.ErrnoException) => {
      // It was removed meanwhile.
      if (error.code === 'ENOENT') return undefined
      throw error
    })
    if (bytes === undefined) continue
    if (digestOf(bytes) !== name || !sent.has(name)) violations.push(`the image ${name} is not what was sent`)
  }
  return names
}

export function membersOf(collection: JsonObject): readonly JsonObject[] {
  return (collection['Members'] ?? []) as readonly JsonObject[]
}

/** Work that has not ended, but for what waits for another day. */
export function unfinished({ works }: Ledger): (readonly [string, Told])[] {
  return [...works].filter(([, told]) => !isFinal(told))
}

function toldOf(body: JsonObject): Told {
  const messages = (body['Messages'] ?? []) as readonly JsonObject[]
  return {
    state: textOf(body, 'TaskState' in body ? 'TaskState' : 'JobState'),
    percent: Number(body['PercentComplete'] ?? 0),
    messages: messages.map(
      (one) => `${textOf(one, 'MessageId').split('.').at(-1)}(${JSON.stringify(one['MessageArgs'] ?? [])})`,
    ),
    endTime: body['EndTime'],
  }
}
