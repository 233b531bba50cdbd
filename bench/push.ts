import { once } from 'node:events'
import { mkdir, mkdtemp, open, rm, stat, statfs } from 'node:fs/promises'
import { type ClientRequest, type IncomingMessage, request as httpRequest } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { bundleComponents, writeBundle } from '../src/cli/image.ts'
import { uris } from '../src/redfish/uris.ts'
import { type Child, startRedflash, startServer } from './child.ts'
import { atLeast, below, median, megabytes, type Row, under } from './row.ts'

const ROUNDS = 5
const GIB = 2 ** 30
const CHUNK_BYTES = 2 ** 18
/** The large image and its copy in the spool, and some room to breathe. */
const NEEDED_BYTES = 10 * GIB
const MAX_PEAK_BYTES = 220e6
const BOUNDARY = 'redflash-bench-3f1c'
const AUTHORIZATION = `Basic ${Buffer.from('admin:redflash').toString('base64')}`

/** A multipart push of 1 GiB, against a bare server that hashes and writes the same body; and the memory it takes. */
export async function benchPush(): Promise<Row[]> {
  const folder = await mkdtemp(join(tmpdir(), 'redflash-bench-'))
  try {
    const { bavail, bsize } = await statfs(folder)
    if (bavail * bsize < NEEDED_BYTES)
      throw new Error(`${folder} needs ${megabytes(NEEDED_BYTES)} of free disk`)
    const image = join(folder, 'image.tar')
    await writeImage(image, GIB)
    const { speed, peakBytes } = await compareSpeed(folder, image)
    await writeImage(image, 4 * GIB)
    const largePeakBytes = await peakOfOne(folder, image)
    if (peakBytes === undefined || largePeakBytes === undefined) return [speed]
    const memory = { show: megabytes, baseline: peakBytes }
    return [
      speed,
      below(MAX_PEAK_BYTES, {
        ...memory,
        name: 'push: memory, 1 GiB',
        ours: peakBytes,
        baseline: MAX_PEAK_BYTES,
      }),
      under(1.15, { ...memory, name: 'push: memory, 4 GiB against 1', ours: largePeakBytes }),
    ]
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function writeImage(file: string, sizeBytes: number): Promise<void> {
  return writeBundle(bundleComponents([{ name: 'DRIVE-1', version: '99.0' }], sizeBytes, 'rackmount'), file)
}

async function compareSpeed(folder: string, image: string) {
  const spool = join(folder, 'bare')
  await mkdir(spool)
  await using redflash = await startReceiver(folder)
  await using bare = await startServer('baselines/bare-upload.mjs', [spool])
  const rates = { ours: [] as number[], baseline: [] as number[] }
  // One more than counts: the first is for the compilers.
  for (let round = 0; round <= ROUNDS; round++) {
    rates.ours.push(await pushToRedflash(redflash, image))
    rates.baseline.push(await pushToBare(bare, image))
  }
  const speed = atLeast(0.65, {
    name: 'push',
    ours: median(rates.ours.slice(1)),
    baseline: median(rates.baseline.slice(1)),
    show: (rate) => `${Math.round(rate)} MB/s`,
  })
  return { speed, peakBytes: redflash.peakBytes() }
}

async function peakOfOne(folder: string, image: string): Promise<number | undefined> {
  await using redflash = await startReceiver(folder)
  await pushToRedflash(redflash, image)
  return redflash.peakBytes()
}

function startReceiver(folder: string): Promise<Child> {
  const limits = ['--max-image-size', '5GiB', '--speed', 'max', '--task-monitor', 'task']
  return startRedflash('--no-https', ...limits, '--spool', join(folder, 'spool'))
}

/** MB/s until the answer that says the image is here; then waits until its update is through. */
async function pushToRedflash({ url }: Child, image: string): Promise<number> {
  const { rate, headers } = await push(`${url}${uris.multipartPush}`, image)
  const monitor = `${url}${headers.location}`
  for (;;) {
    const answer = await fetch(monitor, { headers: { Authorization: AUTHORIZATION } })
    const { TaskState } = (await answer.json()) as { readonly TaskState: string }
    if (answer.status === 200 && TaskState === 'Completed') return rate
    if (answer.status !== 202) throw new Error(`the update ended ${answer.status} ${TaskState}`)
    await sleep(100)
  }
}

async function pushToBare({ url }: Child, image: string): Promise<number> {
  const { rate } = await push(url, image)
  await fetch(url, { method: 'DELETE' })
  return rate
}

/** Sends the image as a client does that has nothing else to do; the same bytes to either server. */
async function push(url: string, image: string) {
  const { size } = await stat(image)
  const head = Buffer.from(
    `${partHead('name="UpdateParameters"', 'application/json')}{"ForceUpdate":true}\r\n` +
      partHead('name="UpdateFile"; filename="image.tar"', 'application/octet-stream'),
  )
  const tail = Buffer.from(`\r\n--${BOUNDARY}--\r\n`)
  const started = performance.now()
  const request = httpRequest(url, {
    method: 'POST',
    headers: {
      Authorization: AUTHORIZATION,
      'Content-Type': `multipart/form-data; boundary=${BOUNDARY}`,
      'Content-Length': head.length + size + tail.length,
    },
  })
  const answered = once(request, 'response') as Promise<[IncomingMessage]>
  await Promise.all([sendBody(request, image, head, tail), answered])
  const [answer] = await answered
  const seconds = (performance.now() - started) / 1_000
  const text = (await buffer(answer)).toString()
  if (answer.statusCode !== 202) throw new Error(`${url} answers ${answer.statusCode}: ${text}`)
  return { rate: size / 1e6 / seconds, headers: answer.headers }
}

async function sendBody(request: ClientRequest, image: string, head: Buffer, tail: Buffer): Promise<void> {
  const write = (chunk: Buffer) => new Promise<void>((resolve) => request.write(chunk, () => resolve()))
  const chunk = Buffer.allocUnsafe(CHUNK_BYTES)
  await using file = await open(image)
  await write(head)
  for (;;) {
    const { bytesRead } = await file.read(chunk)
    if (bytesRead === 0) break
    await write(chunk.subarray(0, bytesRead))
  }
  request.end(tail)
}

function partHead(disposition: string, type: string): string {
  return `--${BOUNDARY}\r\nContent-Disposition: form-data; ${disposition}\r\nContent-Type: ${type}\r\n\r\n`
}
