import { activities, type ActivityName, type Surroundings } from './activities.ts'
import { uris } from '../../src/redfish/uris.ts'
import { Client } from './client.ts'

/** What was done, and what did not go as it should. */
export interface Tally {
  readonly done: Map<string, number>
  readonly failures: string[]
}

const names = Object.keys(activities) as ActivityName[] // its own keys
/** What tells BMCs apart: no two answers are the same. */
const DIFFERENT = [uris.system('1'), uris.manager('1'), `${uris.chassis}/1`, `${uris.root}/`]
/** More than a service keeps what it speaks TLS with for. */
const CERTIFICATES = 600
/** How often a BMC leaves, and another comes in its place. */
const LEAVING_SHARE = 0.02

interface Listed {
  readonly id: string
  readonly group: string
  readonly urls: readonly string[]
}

interface Page {
  readonly bmcs: readonly Listed[]
  readonly next?: string
}

export interface Play extends Surroundings {
  readonly controlUrl: string
  readonly tally: Tally
  /** Ends it: what is under way is finished. */
  readonly signal: AbortSignal
}

/** So many BMCs of a fleet have a client each, who does one thing after another, until it is over. */
export async function playAll(play: Play, size: number): Promise<void> {
  const { bmcs } = await control<Page>(play, `/bmcs?top=${size}`)
  await Promise.all(bmcs.map((bmc) => playOne(play, bmc)))
}

/** Reads so much of all BMCs that what a service keeps of its answers is full: what is filled later looks like a leak. */
export async function fillCaches(controlUrl: string): Promise<void> {
  let next: string | undefined = '/bmcs?top=1000'
  let certificates = 0
  while (next !== undefined) {
    const page: Page = await control<Page>({ controlUrl }, next)
    const client = new Client(page.bmcs[0]?.urls ?? [])
    for (const { id, urls } of page.bmcs) {
      await Promise.all(DIFFERENT.map((path) => client.ask(`/bmc/${id}${path}`, 200)))
      if (certificates++ < CERTIFICATES) await activities['come by TLS'](new Client(urls))
    }
    client.close()
    ;({ next } = page)
  }
}

async function playOne(play: Play, first: Listed): Promise<void> {
  const { random, signal, tally } = play
  let bmc = first
  let client = new Client(bmc.urls)
  while (!signal.aborted) {
    const name = names[Math.floor(random() * names.length)] ?? 'wait'
    await attempt(tally, `${name} (${bmc.id})`, name, () => activities[name](client, play))
    if (random() >= LEAVING_SHARE) continue
    await attempt(tally, `replace ${bmc.id}`, 'replace', async () => {
      client.close()
      bmc = await replace(play, bmc)
      client = new Client(bmc.urls)
    })
  }
  client.close()
}

async function replace(play: Play, { id, group }: Listed): Promise<Listed> {
  await control(play, `/bmcs/${id}`, { method: 'DELETE' })
  const body = JSON.stringify({ group })
  const headers = { 'Content-Type': 'application/json' }
  const { bmcs } = await control<Page>(play, '/bmcs', {
    method: 'POST',
    headers,
    body,
  })
  const [added] = bmcs
  if (added === undefined) throw new Error('nothing was added')
  return added
}

async function attempt(tally: Tally, what: string, name: string, act: () => Promise<void>): Promise<void> {
  try {
    await act()
    tally.done.set(name, (tally.done.get(name) ?? 0) + 1)
  } catch (error) {
    tally.failures.push(`${what}: ${error instanceof Error ? error.message : String(error)}`)
  }
}

async function control<T>(
  { controlUrl }: Pick<Play, 'controlUrl'>,
  path: string,
  init: RequestInit = {},
): Promise<T> {
  const answer = await fetch(controlUrl + path, init)
  const said = await answer.text()
  if (!answer.ok) throw new Error(`${path} is answered ${answer.status}: ${said}`)
  return JSON.parse(said === '' ? '{}' : said) as T // our own service's
}
