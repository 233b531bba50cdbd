import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { uris } from '../src/redfish/uris.ts'
import { startRedflash, startServer } from './child.ts'
import { atLeast, median, type Row } from './row.ts'

const ROUNDS = 5
const SECONDS = 3
const CONNECTIONS = 10
/** Enough in flight that the server never waits for its client. */
const PIPELINED = 10

/** GET of UpdateService with a token, against a bare Fastify that sends the same bytes: headers and body. */
export async function benchGet(): Promise<Row[]> {
  const folder = await mkdtemp(join(tmpdir(), 'redflash-bench-'))
  try {
    await using redflash = await startRedflash('--no-https')
    const token = await logIn(redflash.url)
    const ours = `${redflash.url}${uris.updateService}`
    const bodyFile = join(folder, 'body.json')
    const headersFile = join(folder, 'headers.json')
    const { body, headers } = await read(ours, token)
    await writeFile(bodyFile, body)
    await writeFile(headersFile, JSON.stringify(headers))
    await using bare = await startServer('baselines/bare-fastify.mjs', [bodyFile, headersFile])
    const baseline = `${bare.url}${uris.updateService}`

    const rates = { ours: [] as number[], baseline: [] as number[] }
    await Promise.all([load(ours, token, 1), load(baseline, token, 1)]) // until both are compiled
    for (let round = 0; round < ROUNDS; round++) {
      rates.ours.push(await load(ours, token, SECONDS))
      rates.baseline.push(await load(baseline, token, SECONDS))
    }
    return [
      atLeast(0.7, {
        name: 'get',
        ours: median(rates.ours),
        baseline: median(rates.baseline),
        show: (rate) => `${Math.round(rate)}/s`,
      }),
    ]
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

export async function logIn(url: string): Promise<string> {
  const answer = await fetch(`${url}${uris.sessions}`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ UserName: 'admin', Password: 'redflash' }),
  })
  const token = answer.headers.get('x-auth-token')
  if (token === null) throw new Error(`no session: ${answer.status}`)
  return token
}

/** What each connection adds to an answer by itself. */
const perConnection = new Set(['date', 'connection', 'keep-alive', 'content-length', 'transfer-encoding'])

async function read(url: string, token: string) {
  const answer = await fetch(url, { headers: { 'X-Auth-Token': token } })
  if (!answer.ok) throw new Error(`${url} answers ${answer.status}`)
  const headers = Object.fromEntries([...answer.headers].filter(([name]) => !perConnection.has(name)))
  return { body: Buffer.from(await answer.arrayBuffer()), headers }
}

interface Load {
  readonly requests: { readonly average: number }
  readonly non2xx: number
  readonly errors: number
}

/** Requests per second, from a process that does nothing else. */
async function load(url: string, token: string, seconds: number): Promise<number> {
  const autocannon = fileURLToPath(import.meta.resolve('autocannon'))
  const shape = ['--connections', String(CONNECTIONS), '--pipelining', String(PIPELINED)]
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [
      autocannon,
      '--json',
      ...shape,
      '--duration',
      String(seconds),
      '--headers',
      `X-Auth-Token=${token}`,
      url,
    ],
    { maxBuffer: 16 * 2 ** 20 },
  )
  const { requests, non2xx, errors } = JSON.parse(stdout) as Load
  if (non2xx > 0 || errors > 0) throw new Error(`${url}: ${non2xx} refused, ${errors} failed`)
  return requests.average
}
