import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect, onTestFinished, test } from 'vitest'
import type { JsonObject } from '../../src/redfish/resource.ts'
import { uris } from '../../src/redfish/uris.ts'
import { serveHttp } from '../support/image-server.ts'
import { bundleOf } from '../support/images.ts'
import { messageKeys, multipartBody, pushParts } from '../support/multipart.ts'
import { SIMPLE_UPDATE } from '../support/pulls.ts'
import { filesBelow, head, type RawClient, rawClient, temporaryFolder } from '../support/wire.ts'

const MAX_DESCRIPTORS = 64
const image = await bundleOf({ 'NIC-1': '22.42.1000' }, { sizeBytes: 512 })

/** A service in a process of its own, which cannot have more than so many files and sockets open. */
async function startWithin(descriptors: number, more: readonly string[] = []) {
  const spool = await temporaryFolder()
  const command = [process.execPath, 'src/main.ts', 'serve', '--spool', spool]
  const options = ['--port', '0', '--no-https', '--speed', 'max', '--log-level', 'silent']
  const child = spawn(
    'sh',
    ['-c', `ulimit -n ${descriptors} && exec "$@"`, 'sh', ...command, ...options, ...more],
    {
      cwd: resolve(import.meta.dirname, '../..'),
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  )
  onTestFinished(() => void child.kill('SIGKILL'))
  return { child, spool, ended: once(child, 'close'), complaints: text(child.stderr) }
}

/** One that has come to serve. */
async function serveWithin(descriptors: number) {
  const { child, spool, ended, complaints } = await startWithin(descriptors)
  let url = ''
  for await (const line of createInterface({ input: child.stdout })) {
    url ||= /http:\/\/\S+:\d+/.exec(line)?.[0] ?? ''
    if (line.startsWith('try:')) break
  }
  return {
    port: Number(new URL(url).port),
    spool,
    open: () => readdirSync(`/proc/${child.pid}/fd`).length,
    /** Ends it as a user does: the exit code, and what it complained of. */
    end: async () => {
      child.kill('SIGTERM')
      const [code] = (await ended) as [number]
      return { code, complaints: await complaints }
    },
  }
}
type Served = Awaited<ReturnType<typeof serveWithin>>

/** Takes every descriptor that there is, a connection for each, until one is turned away; `release` gives them back. */
async function exhaust({ port }: Served) {
  const idle = Array.from({ length: MAX_DESCRIPTORS }, () => rawClient(port))
  await Promise.race(idle.map((client) => client.ended()))
  return {
    release: (): void => {
      for (const { socket } of idle) socket.destroy()
    },
  }
}

/** How an image that came over a connection which is open already was taken. */
interface Outcome {
  readonly status: number
  readonly keys: readonly string[]
  readonly retryAfter: string | undefined
}

async function post(client: RawClient, path: string, type: string, body: Buffer) {
  const headers = { 'Content-Type': type, 'Content-Length': body.length }
  const answer = await client.send(head('POST', path, headers), body).answer()
  return { ...answer, json: JSON.parse(answer.body) as JsonObject }
}

async function push(client: RawClient): Promise<Outcome> {
  const { headers, body } = multipartBody(pushParts(image))
  const answer = await post(client, uris.multipartPush, headers['content-type'], body)
  const retryAfter = answer.headers.get('retry-after')
  if (answer.status !== 202) return { status: answer.status, keys: messageKeys(answer.json), retryAfter }
  return { ...(await ending(client, answer.json)), retryAfter: undefined }
}

/** Fetches the image from a server of this process. */
async function pull(client: RawClient): Promise<Outcome> {
  const { uri } = await serveHttp((_request, response) => response.end(image))
  const body = Buffer.from(JSON.stringify({ ImageURI: uri.href, '@Redfish.OperationApplyTime': 'Immediate' }))
  const { json } = await post(client, SIMPLE_UPDATE, 'application/json', body)
  return { ...(await ending(client, json)), retryAfter: undefined }
}

/** What the monitor of a task says in the end. */
async function ending(client: RawClient, task: JsonObject) {
  for (;;) {
    const { status, body } = await client.send(head('GET', task['TaskMonitor'] as string)).answer()
    if (status !== 202) return { status, keys: messageKeys(JSON.parse(body) as JsonObject) }
  }
}

test.skipIf(!existsSync('/proc/self/fd')).each([
  { what: 'pushed', send: push, retryAfter: '5' },
  { what: 'fetched', send: pull, retryAfter: undefined },
])(
  'an image that is $what while there is no file descriptor left may come later, and does',
  async ({ send, retryAfter }) => {
    const served = await serveWithin(MAX_DESCRIPTORS)
    const client = rawClient(served.port)
    expect(await send(client)).toMatchObject({ status: 200 }) // whatever is loaded late is here now
    await expect.poll(() => filesBelow(served.spool)).toEqual([])
    const before = served.open()
    const { release } = await exhaust(served)
    const refusal = await send(client)
    expect(refusal).toMatchObject({ status: 503, retryAfter })
    expect(refusal.keys).toContain('ServiceTemporarilyUnavailable')
    expect(await filesBelow(served.spool)).toEqual([])
    release()
    await expect.poll(served.open).toBeLessThanOrEqual(before)
    expect(await send(client)).toMatchObject({ status: 200 })
    client.socket.destroy()
    expect(await served.end()).toEqual({ code: 0, complaints: '' })
  },
)

test('more ports than there may be files are refused at the start, and told what helps', async () => {
  const ports = ['--bmcs', String(MAX_DESCRIPTORS), '--reach', 'port']
  const { ended, complaints } = await startWithin(MAX_DESCRIPTORS, ports)
  expect(await ended).toEqual([1, null])
  expect(await complaints).toContain('ulimit -n')
})
