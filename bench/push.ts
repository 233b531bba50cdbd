import { mkdir, mkdtemp, rm, statfs, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { componentOrders } from '../src/cli/image-order.ts'
import { writeBundle } from '../src/cli/image-build.ts'
import { makeCertificate } from '../src/http/certificate.ts'
import { systemClock } from '../src/lib/clock.ts'
import { startServer } from './child.ts'
import { pushToBare, pushToRedflash, startReceiver, warmMemory } from './pushing.ts'
import { atLeast, below, median, megabytes, type Row, under } from './row.ts'

const ROUNDS = 7
const GIB = 2 ** 30
const SMALL_BYTES = 64 * 2 ** 20
/** The largest of these for which the disk has room twice, for the image and its copy in the spool. */
const largeBytes = [8 * GIB, 4 * GIB]
const SPARE_BYTES = 2 * GIB
const MAX_PEAK_BYTES = 220e6

/** A multipart push of 1 GiB, against a bare server that hashes and writes the same body; and the memory it takes. */
export async function benchPush(): Promise<Row[]> {
  const folder = await mkdtemp(join(tmpdir(), 'redflash-bench-'))
  try {
    const { bavail, bsize } = await statfs(folder)
    const large = largeBytes.find((size) => bavail * bsize >= 2 * size + SPARE_BYTES)
    if (large === undefined) throw new Error(`${folder} needs room for ${megabytes(10 * GIB)}`)
    const image = join(folder, 'image.tar')
    await writeImage(image, GIB)
    const speeds = [await compareSpeed(folder, image), await compareSpeedOfHttps(folder, image)]
    const peaks = []
    for (const sizeBytes of [SMALL_BYTES, large]) {
      await writeImage(image, sizeBytes)
      peaks.push(await peakOfOne(folder, image))
    }
    return [...speeds, ...memoryRows(peaks, large)]
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function memoryRows([small, large]: readonly (number | undefined)[], largest: number): Row[] {
  if (small === undefined || large === undefined) return []
  const size = `${largest / GIB} GiB`
  const measured = { ours: large, show: megabytes }
  return [
    below(MAX_PEAK_BYTES, { ...measured, name: `push: memory, ${size}`, baseline: MAX_PEAK_BYTES }),
    under(1.15, { ...measured, name: `push: memory, ${size} against 64 MiB`, baseline: small }),
  ]
}

function writeImage(file: string, sizeBytes: number): Promise<void> {
  return writeBundle(componentOrders([{ name: 'DRIVE-1', version: '99.0' }], sizeBytes, 'rackmount'), file)
}

interface Way {
  readonly name: string
  readonly folder: string
  readonly image: string
  /** How redflash is to serve, and the bare server. */
  readonly ours: readonly string[]
  readonly bare: readonly string[]
}

function compareSpeed(folder: string, image: string): Promise<Row> {
  return compare({ name: 'push', folder, image, ours: ['--no-https'], bare: [] })
}

async function compareSpeedOfHttps(folder: string, image: string): Promise<Row> {
  const pem = join(folder, 'bare.pem')
  const { key, cert } = await makeCertificate(['localhost'], systemClock)
  await writeFile(pem, `${key}\n${cert}`)
  const ours = ['--no-http', '--https-port', '0']
  return compare({ name: 'push by HTTPS', folder, image, ours, bare: [pem] })
}

async function compare({ name, folder, image, ours, bare: args }: Way): Promise<Row> {
  const spool = join(folder, 'bare')
  await mkdir(spool, { recursive: true })
  await using redflash = await startReceiver(folder, ...ours)
  await using bare = await startServer('baselines/bare-upload.mjs', [spool, ...args])
  const rates = { ours: [] as number[], baseline: [] as number[] }
  // One more than counts: the first is for the compilers.
  for (let round = 0; round <= ROUNDS; round++) {
    await warmMemory(folder, 1.5 * GIB)
    rates.ours.push(await pushToRedflash(redflash, image))
    await warmMemory(folder, 1.5 * GIB)
    rates.baseline.push(await pushToBare(bare, image))
  }
  return atLeast(0.9, {
    name,
    ours: median(rates.ours.slice(1)),
    baseline: median(rates.baseline.slice(1)),
    show: (rate) => `${Math.round(rate)} MB/s`,
  })
}

async function peakOfOne(folder: string, image: string): Promise<number | undefined> {
  await using redflash = await startReceiver(folder, '--no-https')
  await pushToRedflash(redflash, image)
  return redflash.peakBytes()
}
