import { addressAt } from '../src/http/reach.ts'
import { uris } from '../src/redfish/uris.ts'
import { headOf, Wire } from './fleet-wire.ts'

/** Whom to poll, and how. */
export interface Polling {
  readonly firstAddress: string
  readonly port: number
  /** How many BMCs take turns. */
  readonly bmcs: number
  /** The first of them, counted from 0. */
  readonly from: number
  /** By `address`, each has a connection of its own for a few requests; by `name`, connections stay and serve all. */
  readonly by: 'address' | 'name'
  /** So long, or until so many requests were answered. */
  readonly until: { readonly seconds: number } | { readonly requests: number }
}

export interface Polled {
  readonly perSecond: number
  /** Where the next one is to go on. */
  readonly next: number
}

const CONNECTIONS = 100
const ASKED_BY_CONNECTION = 8
const WARM_UP_MS = 500
const polled = [uris.updateService, uris.tasks, uris.system('1'), uris.firmwareInventory]

const polling = JSON.parse(process.argv[2] ?? '') as Polling
let turn = polling.from
let asked = 0
let reached = (): void => {}
const over = new AbortController()
const workers = Array.from({ length: CONNECTIONS }, () => work())
const perSecond = await measured(polling.until)
over.abort()
await Promise.all(workers)
process.stdout.write(JSON.stringify({ perSecond, next: turn % polling.bmcs } satisfies Polled))

/** Requests in a second; of so many of them, from the first on. */
async function measured(until: Polling['until']): Promise<number> {
  if ('seconds' in until) await passed(WARM_UP_MS)
  const [before, started] = [asked, performance.now()]
  if ('seconds' in until) await passed(until.seconds * 1_000)
  else
    await new Promise<void>((resolve) => {
      reached = () => asked >= until.requests && resolve()
    })
  return ((asked - before) * 1_000) / (performance.now() - started)
}

async function work(): Promise<void> {
  const { firstAddress, port, by } = polling
  const most = by === 'name' ? Infinity : ASKED_BY_CONNECTION
  while (!over.signal.aborted) {
    const own = nextSlot()
    const wire = await Wire.open(by === 'name' ? firstAddress : addressAt(firstAddress, own), port)
    for (let count = 0; count < most && !over.signal.aborted; count++) {
      // Everybody is asked for one thing, then everybody for the next.
      const place = by === 'name' ? Math.floor(turn / polling.bmcs) : count
      const slot = by === 'name' ? nextSlot() : own
      const path = polled[place % polled.length] ?? ''
      const { status } = await wire.ask(headOf('GET', path, { Host: nameOf(slot) }))
      if (status !== 200) throw new Error(`${path} answers ${status}`)
      asked++
      reached()
    }
    wire.close()
  }
}

function nextSlot(): number {
  return turn++ % polling.bmcs
}

/** As the fleet of `--bmcs` calls them. */
function nameOf(at: number): string {
  return `bmc-${String(at + 1).padStart(4, '0')}`
}

function passed(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
