import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { writeBundle } from '../src/cli/image-build.ts'
import { componentOrders } from '../src/cli/image-order.ts'
import { type Fleet, startFleet } from './fleet-child.ts'
import type { Updated, Updating } from './fleet-updater.ts'
import { below, megabytes, noted, type Row } from './row.ts'

const FLEET = 20_000
const SIZES = [1, 100, 2_000]
const LARGEST = Math.max(...SIZES)
const IDLE_MS = 2_000
/** Two thousand share two processors: each gets its turn late. */
const PATIENCE_S = 600
const IMAGE_BYTES = 4 * 2 ** 20
const MAX_LAG_MS = 50
/** One copy, and what stands beside it. */
const MAX_SPOOL_BYTES = 1.5 * IMAGE_BYTES
const milliseconds = (ms: number): string => `${ms.toFixed(1)} ms`

interface Measured {
  readonly size: number
  /** How late the event loop was while images came, and while devices were written. */
  readonly lags: readonly [pushing: number, writing: number]
  /** What the spool has on the disk once every image has come. */
  readonly spoolBytes: number
  readonly rate: number
  readonly peakBytes: number
}

/** Updates of ever more BMCs at once, each with its own copy of the same image. */
export async function benchUpdates(): Promise<Row[]> {
  const folder = await mkdtemp(join(tmpdir(), 'redflash-bench-'))
  try {
    const image = join(folder, 'image.tar')
    await writeBundle(componentOrders([{ name: 'NIC-1', version: '99.0' }], IMAGE_BYTES, 'rackmount'), image)
    await using fleet = await startFleet(FLEET, '--upload-timeout', String(PATIENCE_S))
    await fleet.gauge()
    await sleep(IDLE_MS)
    const { rssBytes: idleBytes, lagP99Ms: idleLagMs } = await fleet.gauge()
    const all: Measured[] = []
    for (const size of SIZES) all.push(await updateAll(fleet, { size, image }))
    return all.flatMap((one) => rowsOf(one, { idleBytes, idleLagMs }))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function rowsOf(
  { size, lags: [pushing, writing], spoolBytes, rate, peakBytes }: Measured,
  { idleBytes, idleLagMs }: { readonly idleBytes: number; readonly idleLagMs: number },
): Row[] {
  const name = (what: string): string => `${size.toLocaleString('en')} updates at once: ${what}`
  const judged = size === LARGEST ? below : (_limit: number, one: Parameters<typeof noted>[0]) => noted(one)
  const lag = { baseline: idleLagMs, show: milliseconds }
  return [
    judged(MAX_LAG_MS, { name: name('p99 of the lag while images come'), ours: pushing, ...lag }),
    judged(MAX_LAG_MS, { name: name('p99 of the lag while devices write'), ours: writing, ...lag }),
    judged(MAX_SPOOL_BYTES, {
      name: name('spool, against an image each'),
      ours: spoolBytes,
      baseline: size * IMAGE_BYTES,
      show: megabytes,
    }),
    noted({ name: name('peak RSS, against idle'), ours: peakBytes, baseline: idleBytes, show: megabytes }),
    noted({
      name: name('bytes per second'),
      ours: rate,
      baseline: rate,
      show: (one) => `${megabytes(one)}/s`,
    }),
  ]
}

async function updateAll(
  fleet: Fleet,
  { size, image }: { readonly size: number; readonly image: string },
): Promise<Measured> {
  const { firstAddress, port, spool } = fleet
  const updating: Updating = { firstAddress, port, bmcs: size, image }
  await fleet.gauge()
  const script = fileURLToPath(new URL('fleet-updater.ts', import.meta.url))
  const child = spawn(process.execPath, [script, JSON.stringify(updating)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(child, 'exit')
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const next = async (): Promise<Updated> => {
    const line = await lines.next()
    if (line.done === true) throw new Error(`${size} updates at once: the client failed`)
    return JSON.parse(line.value) as Updated
  }
  const { seconds } = await next()
  const { lagP99Ms: pushing } = await fleet.gauge()
  const spoolBytes = await bytesBelow(spool)
  await next()
  const { lagP99Ms: writing } = await fleet.gauge()
  await exited
  const left = await bytesBelow(spool)
  if (left > 0) throw new Error(`${left} bytes are left in the spool`)
  return {
    size,
    lags: [pushing, writing],
    spoolBytes,
    rate: (size * IMAGE_BYTES) / seconds,
    peakBytes: fleet.peakBytes() ?? Number.NaN,
  }
}

/** What the files anywhere below a folder take, but for those that say that it is in use. */
async function bytesBelow(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile() && !entry.name.startsWith('lock'))
  const sizes = await Promise.all(
    files.map(async ({ parentPath, name }) => (await stat(join(parentPath, name))).size),
  )
  return sizes.reduce((sum, size) => sum + size, 0)
}
