import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type Fleet, startFleet } from './fleet-child.ts'
import type { Polled, Polling } from './fleet-poller.ts'
import type { Gauged } from './gauge.ts'
import { atLeast, below, kilobytes, type Measured, median, noted, type Row } from './row.ts'

const SIZES = [100, 10_000, 20_000]
const LARGEST = Math.max(...SIZES)
const MAX_BYTES = 15_000
const MAX_START_MS = 5_000
const MIN_RATE = 0.8
const ROUNDS = 3
const SECONDS = 1.5
/** So much of each BMC is asked for. */
const POLLED = 4
const showRate = (rate: number): string => `${Math.round(rate)}/s`
const milliseconds = (ms: number): string => `${Math.round(ms)} ms`

interface Idle extends Gauged {
  readonly startMs: number
}

/** Start, memory and answers of fleets of more and more BMCs; targets are those of the largest. */
export async function benchGrowth(): Promise<Row[]> {
  const one = await idle(1)
  const rows: Row[] = []
  for (const size of SIZES) {
    await using fleet = await startFleet(size)
    const here = { startMs: fleet.startMs, ...(await fleet.gauge()) }
    rows.push(...idleRows(size, here, one), await firstRow(fleet))
    rows.push(await pollRow(fleet, 'address'), await pollRow(fleet, 'name'))
  }
  return rows.toSorted((a, b) => (kindOf(a) < kindOf(b) ? -1 : Number(kindOf(a) > kindOf(b))))
}

/** The same of all sizes stands together. */
function kindOf({ name }: Row): string {
  return name.replace(/^.*: /, '')
}

async function idle(size: number): Promise<Idle> {
  await using fleet = await startFleet(size)
  return { startMs: fleet.startMs, ...(await fleet.gauge()) }
}

function idleRows(size: number, here: Idle, one: Idle): Row[] {
  const name = (what: string): string => `fleet of ${size.toLocaleString('en')}: ${what}`
  const judged = (limit: number, measured: Measured): Row =>
    size === LARGEST ? below(limit, measured) : noted(measured)
  const each = (bytes: (of: Idle) => number) => ({
    ours: (bytes(here) - bytes(one)) / (size - 1),
    baseline: bytes(one),
    show: kilobytes,
  })
  return [
    judged(MAX_START_MS, {
      name: name('start, against one BMC'),
      ours: here.startMs,
      baseline: one.startMs,
      show: milliseconds,
    }),
    judged(MAX_BYTES, { name: name('heap of one more, against one'), ...each(({ heapBytes }) => heapBytes) }),
    judged(MAX_BYTES, { name: name('RSS of one more, against one'), ...each(({ rssBytes }) => rssBytes) }),
  ]
}

const ways = {
  address: 'GETs, a connection for each BMC, against all to one',
  name: 'GETs, all BMCs by the same connections, against one',
} as const

/** The first GET of everything that is polled, of every BMC: from then on what one answers was rendered before. */
async function firstRow({ size, firstAddress, port }: Fleet): Promise<Row> {
  const shared = { firstAddress, port, by: 'name', from: 0 } as const
  const first = await poll({ ...shared, bmcs: size, until: { requests: POLLED * size } })
  const again = await poll({ ...shared, bmcs: 1, until: { seconds: SECONDS } })
  return noted({
    name: `fleet of ${size.toLocaleString('en')}: first GETs of all BMCs, against later ones of one`,
    ours: first.perSecond,
    baseline: again.perSecond,
    show: showRate,
  })
}

/** GETs of the whole fleet in turn, against as many as its first BMC answers. */
async function pollRow({ size, firstAddress, port }: Fleet, by: Polling['by']): Promise<Row> {
  const rates = { ours: [] as number[], baseline: [] as number[] }
  const shared = { firstAddress, port, by, until: { seconds: SECONDS } }
  let from = 0
  for (let round = 0; round < ROUNDS; round++) {
    const { perSecond, next } = await poll({ ...shared, bmcs: size, from })
    from = next
    rates.ours.push(perSecond)
    rates.baseline.push((await poll({ ...shared, bmcs: 1, from: 0 })).perSecond)
  }
  const measured = {
    name: `fleet of ${size.toLocaleString('en')}: ${ways[by]}`,
    ours: median(rates.ours),
    baseline: median(rates.baseline),
    show: showRate,
  }
  return size === LARGEST ? atLeast(MIN_RATE, measured) : noted(measured)
}

/** From a process that does nothing else. */
async function poll(polling: Polling): Promise<Polled> {
  const script = fileURLToPath(new URL('fleet-poller.ts', import.meta.url))
  const { stdout } = await promisify(execFile)(process.execPath, [script, JSON.stringify(polling)])
  return JSON.parse(stdout) as Polled
}
