import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { uris } from '../src/redfish/uris.ts'
import { type Child, startRedflash, startServer } from './child.ts'
import { median, type Row, under } from './row.ts'

const ROUNDS = 7

/** From starting the process to its first answer, against the same of a bare Fastify. */
export async function benchStart(): Promise<Row[]> {
  const folder = await mkdtemp(join(tmpdir(), 'redflash-bench-'))
  try {
    const bodyFile = join(folder, 'body.json')
    await writeFile(bodyFile, '{"Name":"Root service"}')
    const starts = {
      http: () => startRedflash('--no-https'),
      both: () => startRedflash('--https-port', '0'),
      bare: () => startServer('baselines/bare-fastify.mjs', [bodyFile]),
    }
    const times = { http: [] as number[], both: [] as number[], bare: [] as number[] }
    // One more than counts: the first is for the page cache, and for Node's compile cache.
    for (let round = 0; round <= ROUNDS; round++) {
      times.bare.push(await firstAnswerMs(starts.bare))
      times.http.push(await firstAnswerMs(starts.http))
      times.both.push(await firstAnswerMs(starts.both))
    }
    const judged = (name: string, ours: readonly number[]): Row =>
      under(2.5, {
        name,
        ours: median(ours.slice(1)),
        baseline: median(times.bare.slice(1)),
        show: (ms) => `${Math.round(ms)} ms`,
      })
    return [judged('start', times.http), judged('start with HTTPS', times.both)]
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function firstAnswerMs(start: () => Promise<Child>): Promise<number> {
  const started = performance.now()
  await using child = await start()
  const answer = await fetch(`${child.url}${uris.root}/`)
  await answer.arrayBuffer()
  const ms = performance.now() - started
  if (answer.status !== 200) throw new Error(`${child.url} answers ${answer.status}`)
  return ms
}
