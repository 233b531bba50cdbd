import { execFile, spawnSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { promisify } from 'node:util'
import { Client } from 'undici'
import { temporaryFolder } from './wire.ts'

const run = promisify(execFile)
const PATIENCE_MS = 20_000

/** An upload, and the GET that comes after it with the same client. */
export interface Exchange {
  readonly origin: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
  readonly isChunked: boolean
  readonly isKeptAlive: boolean
  readonly nextPath: string
}

export interface Outcome {
  /** Of the upload, and of the request after it. */
  readonly statuses: readonly number[]
  /** How many connections both took, where the client tells. */
  readonly connections: number | undefined
}

export interface UploadClient {
  readonly name: string
  /** The program it needs. */
  readonly program?: string
  readonly exchange: (exchange: Exchange) => Promise<Outcome>
}

export function isInstalled(program: string): boolean {
  return spawnSync(program, ['--version']).status === 0
}

/** Writes its whole body before it reads. */
const PYTHON = `
import http.client, json, sys
spec = json.loads(sys.argv[1])
whole = open(spec['file'], 'rb').read()
body = whole
if spec['isChunked']:
    body = (whole[at:at + 65536] for at in range(0, len(whole), 65536))
client = http.client.HTTPConnection(spec['host'], timeout=15)
connections, plain_connect = 0, client.connect
def connect():
    global connections
    connections += 1
    plain_connect()
client.connect = connect
client.request('POST', spec['path'], body=body, headers=spec['headers'])
answer = client.getresponse()
answer.read()
client.request('GET', spec['nextPath'])
print(json.dumps({'statuses': [answer.status, client.getresponse().status], 'connections': connections}))
`

async function bodyFile(body: Buffer): Promise<string> {
  const file = join(await temporaryFolder(), 'body')
  await writeFile(file, body)
  return file
}

function headersOf({ headers, isKeptAlive }: Exchange): Record<string, string> {
  return { ...headers, ...(!isKeptAlive && { connection: 'close' }) }
}

async function python(exchange: Exchange): Promise<Outcome> {
  const { origin, path, nextPath, isChunked, body } = exchange
  const spec = {
    path,
    nextPath,
    isChunked,
    host: new URL(origin).host,
    file: await bodyFile(body),
    headers: headersOf(exchange),
  }
  const { stdout } = await run('python3', ['-c', PYTHON, JSON.stringify(spec)], { timeout: PATIENCE_MS })
  return JSON.parse(stdout) as Outcome
}

async function curl(exchange: Exchange): Promise<Outcome> {
  const { origin, path, nextPath, isChunked, body } = exchange
  const headers = { ...headersOf(exchange), ...(isChunked && { 'transfer-encoding': 'chunked' }) }
  const common = ['-s', '-o', '/dev/null', '-w', '%{http_code} %{num_connects}\n', '-m', '15']
  const { stdout } = await run(
    'curl',
    [
      ...common,
      ...Object.entries(headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`]),
      '--data-binary',
      `@${await bodyFile(body)}`,
      `${origin}${path}`,
      '--next',
      ...common,
      `${origin}${nextPath}`,
    ],
    { timeout: PATIENCE_MS },
  )
  const lines = stdout.trim().split('\n')
  return { statuses: lines.map((line) => Number(line.split(' ')[0])), connections: undefined }
}

async function undici(exchange: Exchange): Promise<Outcome> {
  const { origin, path, nextPath, headers, isChunked, isKeptAlive, body } = exchange
  const client = new Client(origin, { headersTimeout: PATIENCE_MS })
  let connections = 0
  client.on('connect', () => connections++)
  try {
    const first = await client.request({
      path,
      method: 'POST',
      headers,
      reset: !isKeptAlive,
      body: isChunked ? Readable.from(piecesOf(body)) : body,
    })
    await first.body.dump()
    const next = await client.request({ path: nextPath, method: 'GET' })
    await next.body.dump()
    return { statuses: [first.statusCode, next.statusCode], connections }
  } finally {
    await client.destroy()
  }
}

async function fetchIt(exchange: Exchange): Promise<Outcome> {
  const { origin, path, nextPath, isChunked, body } = exchange
  const signal = AbortSignal.timeout(PATIENCE_MS)
  const first = await fetch(origin + path, {
    method: 'POST',
    headers: headersOf(exchange),
    signal,
    ...(isChunked
      ? { body: Readable.toWeb(Readable.from(piecesOf(body))) as ReadableStream, duplex: 'half' }
      : { body: Uint8Array.from(body) }),
  })
  await first.arrayBuffer()
  const next = await fetch(origin + nextPath, { signal })
  await next.arrayBuffer()
  return { statuses: [first.status, next.status], connections: undefined }
}

function* piecesOf(body: Buffer): Iterable<Buffer> {
  for (let at = 0; at < body.length; at += 65_536) yield body.subarray(at, at + 65_536)
}

/** Clients that behave differently when they are answered before they have sent everything. */
export const uploadClients: readonly UploadClient[] = [
  { name: 'Python’s http.client', program: 'python3', exchange: python },
  { name: 'curl', program: 'curl', exchange: curl },
  { name: 'undici', exchange: undici },
  { name: 'fetch', exchange: fetchIt },
]
