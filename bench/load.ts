import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { Agent, createServer, type IncomingMessage, request as httpRequest } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { arrayBuffer } from 'node:stream/consumers'
import { componentOrders } from '../src/cli/image-order.ts'
import { buildBundle } from '../src/image/build/bundle.ts'
import { uris } from '../src/redfish/uris.ts'
import { startRedflash } from './child.ts'
import { noted, type Row } from './row.ts'

const CLIENTS = 1_000
const POLLS_PER_CLIENT = 30
const LOGINS = 40
const IMAGE_BYTES = 64 * 2 ** 20
/** All of it takes a few seconds; what has not come by then is lost. */
const PATIENCE_MS = 120_000
const AUTHORIZATION = `Basic ${Buffer.from('admin:redflash').toString('base64')}`
const polled = [uris.updateService, uris.tasks, uris.system('1'), uris.firmwareInventory]

/**
 * A thousand clients that keep their connections and poll, while an image is uploaded and installed, its events go to a
 * subscriber and a stream, and others log in and out. Nothing may be lost.
 */
export async function benchLoad(): Promise<Row[]> {
  const folder = await mkdtemp(join(tmpdir(), 'redflash-bench-'))
  try {
    await using redflash = await startRedflash('--no-https', '--speed', 'max', '--spool', folder)
    await using receiver = await startReceiver()
    const token = await logIn(redflash.url)
    await subscribe(redflash.url, receiver.url)
    await using stream = await openStream(redflash.url)
    const times: number[] = []
    const lost: string[] = []
    const attempt = async (name: string, work: Promise<unknown>): Promise<void> => {
      await work.catch((error: unknown) => lost.push(`${name}: ${String(error)}`))
    }
    const clients = Array.from({ length: CLIENTS }, (_, index) =>
      attempt('poll', poll(redflash.url, { token, index, times })),
    )
    const logins = async (): Promise<void> => {
      for (let turn = 0; turn < LOGINS; turn++) await attempt('login', logInAndOut(redflash.url))
    }
    await Promise.all([...clients, attempt('upload', upload(redflash.url)), logins()])
    await attempt('events', untilBothHave(receiver, stream))
    const wanted = CLIENTS * POLLS_PER_CLIENT
    if (lost.length > 0 || times.length !== wanted) {
      throw new Error(
        `${wanted - times.length} polls and ${lost.length} more were lost: ${lost.slice(0, 5).join('; ')}`,
      )
    }
    const sorted = times.toSorted((a, b) => a - b)
    const at = (share: number): number => sorted[Math.floor(share * (sorted.length - 1))] ?? 0
    return [
      noted({
        name: `load: p99 of ${wanted} polls, against p50`,
        ours: at(0.99),
        baseline: at(0.5),
        show: (ms) => `${ms.toFixed(1)} ms`,
      }),
    ]
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

interface Ask {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

async function ask(url: string, { method = 'GET', headers = {}, body }: Ask): Promise<Response> {
  const answer = await fetch(url, {
    method,
    headers: { ...(body !== undefined && { 'Content-Type': 'application/json' }), ...headers },
    signal: AbortSignal.timeout(PATIENCE_MS),
    ...(body !== undefined && { body }),
  })
  if (!answer.ok) throw new Error(`${method} ${url} answers ${answer.status}: ${await answer.text()}`)
  await answer.arrayBuffer()
  return answer
}

const credentials = { body: JSON.stringify({ UserName: 'admin', Password: 'redflash' }), method: 'POST' }

async function logIn(url: string): Promise<string> {
  return (await ask(url + uris.sessions, credentials)).headers.get('x-auth-token') ?? ''
}

async function logInAndOut(url: string): Promise<void> {
  const { headers } = await ask(url + uris.sessions, credentials)
  const token = headers.get('x-auth-token') ?? ''
  await ask(url + (headers.get('location') ?? ''), { method: 'DELETE', headers: { 'X-Auth-Token': token } })
}

/** One client with one connection, which must last. */
async function poll(
  url: string,
  { token, index, times }: { readonly token: string; readonly index: number; readonly times: number[] },
): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  let connections = 0
  try {
    for (let turn = 0; turn < POLLS_PER_CLIENT; turn++) {
      const started = performance.now()
      const asking = httpRequest(url + polled[(index + turn) % polled.length], {
        agent,
        headers: { 'X-Auth-Token': token },
        signal: AbortSignal.timeout(PATIENCE_MS),
      })
      asking.once('socket', () => {
        if (!asking.reusedSocket) connections++
      })
      const [answer] = (await once(asking.end(), 'response')) as [IncomingMessage]
      await arrayBuffer(answer)
      if (answer.statusCode !== 200) throw new Error(`answered ${answer.statusCode}`)
      times.push(performance.now() - started)
    }
    if (connections !== 1) throw new Error(`took ${connections} connections`)
  } finally {
    agent.destroy()
  }
}

async function upload(url: string): Promise<void> {
  const components = componentOrders([{ name: 'DRIVE-1', version: '99.0' }], IMAGE_BYTES, 'rackmount')
  const form = new FormData()
  form.set('UpdateParameters', new Blob(['{}'], { type: 'application/json' }))
  form.set('UpdateFile', new Blob([await arrayBuffer(buildBundle(components))]), 'update.tar')
  const headers = { Authorization: AUTHORIZATION }
  const sent = await fetch(url + uris.multipartPush, {
    method: 'POST',
    headers,
    body: form,
    signal: AbortSignal.timeout(PATIENCE_MS),
  })
  if (sent.status !== 202) throw new Error(`the upload is answered ${sent.status}: ${await sent.text()}`)
  const { '@odata.id': task } = (await sent.json()) as { readonly '@odata.id': string }
  const deadline = performance.now() + PATIENCE_MS
  while (performance.now() < deadline) {
    const answer = await fetch(url + task, { headers })
    const { TaskState } = (await answer.json()) as { readonly TaskState: string }
    if (TaskState === 'Completed') return
    if (['Exception', 'Killed', 'Cancelled'].includes(TaskState))
      throw new Error(`the update is ${TaskState}`)
  }
  throw new Error('the update has no end')
}

/** Who is told of events: one that is pushed them, one that reads the stream. */
interface Listener extends AsyncDisposable {
  readonly received: () => string
}

async function startReceiver(): Promise<Listener & { readonly url: string }> {
  let received = ''
  const server = createServer((request, response) => {
    request.on('data', (chunk: Buffer) => (received += chunk.toString()))
    request.on('end', () => response.writeHead(204).end())
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo // it listens on TCP
  return {
    url: `http://127.0.0.1:${port}/events`,
    received: () => received,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      server.close()
    },
  }
}

async function subscribe(url: string, destination: string): Promise<void> {
  await ask(url + uris.eventDestinations, {
    method: 'POST',
    headers: { Authorization: AUTHORIZATION },
    body: JSON.stringify({ Destination: destination, Protocol: 'Redfish', Context: 'load' }),
  })
}

async function openStream(url: string): Promise<Listener> {
  const asking = httpRequest(url + uris.eventStream, {
    headers: { Authorization: AUTHORIZATION, Accept: 'text/event-stream' },
  }).end()
  const [answer] = (await once(asking, 'response')) as [IncomingMessage]
  let received = ''
  answer.on('data', (chunk: Buffer) => (received += chunk.toString()))
  answer.on('error', () => {}) // cut at the end
  return { received: () => received, [Symbol.asyncDispose]: async () => void asking.destroy() }
}

/** Both are told that the task has ended: nothing is told after it that was not told before. */
async function untilBothHave(...listeners: readonly Listener[]): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS
  const isTold = ({ received }: Listener): boolean => received().includes('TaskCompletedOK')
  while (!listeners.every(isTold)) {
    if (performance.now() > deadline) throw new Error('the end of the update was not told')
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
