import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Pool } from 'undici'
import { writeBundle } from '../src/cli/image-build.ts'
import { componentOrders } from '../src/cli/image-order.ts'
import { addressAt } from '../src/http/reach.ts'
import { uris } from '../src/redfish/uris.ts'
import { type Child, startRedflash } from './child.ts'
import { atLeast, median, noted, type Row } from './row.ts'

const ROUNDS = 7
const BMCS = 16
const UPDATES = 10
const IMAGE_BYTES = 64 * 2 ** 10
const FIRST_ADDRESS = '127.1.0.1'
const BOUNDARY = 'redflash-bench-5c1e'
const headers = {
  authorization: `Basic ${Buffer.from('admin:redflash').toString('base64')}`,
  'content-type': `multipart/form-data; boundary=${BOUNDARY}`,
}

/** Small updates, one after another on each of some BMCs: what is kept, against what is only in memory. */
export async function benchJournal(): Promise<Row[]> {
  const folder = await mkdtemp(join(tmpdir(), 'redflash-bench-'))
  try {
    const bodies: Buffer[] = []
    // Bytes of each BMC's own: none of them is kept already when it comes.
    for (let i = 0; i < BMCS; i++) bodies.push(await bodyOf(join(folder, 'image.tar'), `22.${i}.0`))
    const args = ['--no-https', '--speed', 'max', '--bmcs', String(BMCS), '--first-address', FIRST_ADDRESS]
    await using memory = await startRedflash(...args)
    await using kept = await startRedflash(...args, '--data', join(folder, 'normal'))
    await using synced = await startRedflash(...args, '--data', join(folder, 'full'), '--data-sync', 'full')
    const rates = { memory: [] as number[], kept: [] as number[], synced: [] as number[] }
    // One more than counts: the first is for the compilers.
    for (let round = 0; round <= ROUNDS; round++) {
      rates.memory.push(await storm(memory, bodies))
      rates.kept.push(await storm(kept, bodies))
      rates.synced.push(await storm(synced, bodies))
    }
    const show = (rate: number): string => `${Math.round(rate)}/s`
    const baseline = median(rates.memory.slice(1))
    return [
      atLeast(0.7, { name: 'journal: small updates', ours: median(rates.kept.slice(1)), baseline, show }),
      noted({ name: 'journal: with data-sync full', ours: median(rates.synced.slice(1)), baseline, show }),
    ]
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** The body of a push of a small image. */
async function bodyOf(file: string, version: string): Promise<Buffer> {
  await writeBundle(componentOrders([{ name: 'NIC-1', version }], IMAGE_BYTES, 'rackmount'), file)
  const part = (disposition: string, type: string): string =>
    `--${BOUNDARY}\r\nContent-Disposition: form-data; ${disposition}\r\nContent-Type: ${type}\r\n\r\n`
  return Buffer.concat([
    Buffer.from(`${part('name="UpdateParameters"', 'application/json')}{"ForceUpdate":true}\r\n`),
    Buffer.from(part('name="UpdateFile"; filename="image.tar"', 'application/octet-stream')),
    await readFile(file),
    Buffer.from(`\r\n--${BOUNDARY}--\r\n`),
  ])
}

/** How many updates come to their end in a second, with all BMCs at it. */
async function storm({ url }: Child, bodies: readonly Buffer[]): Promise<number> {
  const started = performance.now()
  await Promise.all(bodies.map((body, slot) => updateOne(url, slot, body)))
  return (bodies.length * UPDATES) / ((performance.now() - started) / 1_000)
}

async function updateOne(url: string, slot: number, body: Buffer): Promise<void> {
  const { port } = new URL(url)
  const pool = new Pool(`http://${addressAt(FIRST_ADDRESS, slot)}:${port}`, { connections: 1 })
  for (let i = 0; i < UPDATES; i++) {
    const pushed = await pool.request({ method: 'POST', path: uris.multipartPush, headers, body })
    await pushed.body.dump()
    const monitor = String(pushed.headers['location'])
    if (pushed.statusCode !== 202) throw new Error(`the push is answered by ${pushed.statusCode}`)
    for (;;) {
      const { statusCode, body: told } = await pool.request({ method: 'GET', path: monitor, headers })
      await told.dump()
      if (statusCode === 202) continue
      if (statusCode !== 200) throw new Error(`the update ends with ${statusCode}`)
      break
    }
  }
  await pool.close()
}
