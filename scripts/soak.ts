import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { fillCaches, playAll, type Tally } from './soak/actors.ts'
import { startAround } from './soak/around.ts'
import { leaks, MIN_WINDOWS } from './soak/leak.ts'
import { type Served, startServed, type Taken } from './soak/served.ts'
import { header, line, seriesOf } from './soak/table.ts'

const USAGE = `npm run soak -- [--minutes N] [--bmcs N] [--data] [--seed N]

  --minutes  how long (10); below 3, leaks are not judged, only failures and what is left at the end
  --bmcs     how many BMCs have a client that is always busy (16); more are there beside them
  --data     keep everything in a folder, as serve --data does
  --seed     what the clients' choices follow from (1)`

const WINDOWS = 40
const FEW_WINDOWS = 4
const MIN_JUDGED_MINUTES = 3
const MAX_TOLD = 20
/** So many fill what the service keeps of its answers. */
const FILLING = 9_000
/** So many handles may stay that were not there at the beginning: a thread and its pipes. */
const STAYING = 8
/** Devices work in some hundredths of a second, and a manager boots in a quarter. */
const SPEED = 200

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    bmcs: { type: 'string', default: '16' },
    data: { type: 'boolean', default: false },
    seed: { type: 'string', default: '1' },
  },
})
const [minutes, bmcs, seed] = [values.minutes, values.bmcs, values.seed].map(Number)
if (
  minutes === undefined ||
  !(minutes > 0) ||
  bmcs === undefined ||
  !(bmcs >= 2) ||
  !Number.isInteger(seed)
) {
  console.error(USAGE)
  process.exitCode = 2
} else {
  process.exitCode = (await soak(minutes, bmcs, seed ?? 1)) ? 0 : 1
}

/** Whether nothing failed, nothing leaked, and nothing was left. */
async function soak(forMinutes: number, size: number, from: number): Promise<boolean> {
  const folder = await mkdtemp(join(tmpdir(), 'redflash-soak-'))
  try {
    const place = values.data ? ['--data', join(folder, 'data')] : ['--spool', folder]
    const limits = ['--max-tasks', '20', '--speed', String(SPEED)]
    await using around = await startAround(from)
    const isJudged = forMinutes >= MIN_JUDGED_MINUTES
    const fleet = ['--bmcs', String(isJudged ? FILLING + size : size), '--reach', 'address,path']
    await using served = await startServed(folder, [...fleet, ...limits, ...place])
    const tally: Tally = { done: new Map(), failures: [] }
    const over = new AbortController()
    const { controlUrl } = served
    if (isJudged) await fillCaches(controlUrl)
    const before = await served.look()
    const playing = playAll({ ...around, controlUrl, tally, signal: over.signal }, size)
    const seen = await Promise.race([watch(served, tally, forMinutes), served.died])
    over.abort()
    await Promise.race([playing, served.died])
    const left = await settled(served, before)
    return judged({ seen, left, tally, isJudged })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Looks again and again, and prints what it sees. */
async function watch(served: Served, tally: Tally, forMinutes: number): Promise<Taken[]> {
  const windows = forMinutes < MIN_JUDGED_MINUTES ? FEW_WINDOWS : WINDOWS
  const windowMs = (forMinutes * 60_000) / windows
  const seen: Taken[] = []
  const started = performance.now()
  console.log(header)
  for (let window = 1; window <= windows; window++) {
    await sleep(Math.max(0, started + window * windowMs - performance.now()))
    const taken = await served.look()
    seen.push(taken)
    console.log(line((performance.now() - started) / 1_000, taken, tally))
  }
  return seen
}

/** What is still there when nobody does anything any more, and was not before anybody did, in words. */
async function settled(served: Served, before: Taken): Promise<string[]> {
  for (let tries = 0; ; tries++) {
    const left = leftOf(before, await served.look())
    if (left.length === 0 || tries === 20) return left
    await sleep(250)
  }
}

function leftOf(before: Taken, { images, resources, descriptors = 0 }: Taken): string[] {
  const more = (now: number, then = 0): number => (now - then > STAYING ? now - then : 0)
  const left = {
    'images in the spool': images,
    handles: more(resources, before.resources),
    descriptors: more(descriptors, before.descriptors),
  }
  return Object.entries(left).flatMap(([name, count]) => (count > 0 ? [`${count} ${name}`] : []))
}

interface Findings {
  readonly seen: readonly Taken[]
  /** What was still there at the end. */
  readonly left: readonly string[]
  readonly tally: Tally
  readonly isJudged: boolean
}

function judged({ seen, left, tally: { done, failures }, isJudged }: Findings): boolean {
  const leaking = isJudged && seen.length >= MIN_WINDOWS ? leaks(seriesOf(seen)) : []
  const counts = [...done].map(([name, count]) => `${name} ${count}`)
  console.log(`\ndone: ${counts.toSorted().join(', ')}`)
  for (const failure of failures.slice(0, MAX_TOLD)) console.log(`FAILED ${failure}`)
  for (const one of left) console.log(`LEFT ${one}`)
  for (const name of leaking) console.log(`LEAK ${name}`)
  const isGood = failures.length === 0 && left.length === 0 && leaking.length === 0
  const verdict = isJudged ? 'no failure, no leak' : 'no failure; too short to judge leaks'
  console.log(isGood ? verdict : `${failures.length} failures, ${leaking.length} leaks, ${left.length} left`)
  return isGood
}
