import { once } from 'node:events'
import { open, rm, stat } from 'node:fs/promises'
import { type ClientRequest, type IncomingMessage, request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { uris } from '../src/redfish/uris.ts'
import { type Child, startRedflash } from './child.ts'

const CHUNK_BYTES = 2 ** 18
const BOUNDARY = 'redflash-bench-3f1c'
const AUTHORIZATION = `Basic ${Buffer.from('admin:redflash').toString('base64')}`

export function startReceiver(folder: string, ...args: readonly string[]): Promise<Child> {
  const limits = ['--max-image-size', '9GiB', '--speed', 'max', '--task-monitor', 'task']
  return startRedflash(...limits, '--spool', join(folder, 'spool'), ...args)
}

export interface Pushed {
  readonly seconds: number
  readonly headers: IncomingMessage['headers']
}

/** Sends an image as a client does that has nothing else to do, until the answer that says that it is here. */
export async function push(url: string, image: string, parameters = '{"ForceUpdate":true}'): Promise<Pushed> {
  const { size } = await stat(image)
  const head = Buffer.from(
    `${partHead('name="UpdateParameters"', 'application/json')}${parameters}\r\n` +
      partHead('name="UpdateFile"; filename="image.tar"', 'application/octet-stream'),
  )
  const tail = Buffer.from(`\r\n--${BOUNDARY}--\r\n`)
  const started = performance.now()
  const request = ask(url, 'POST', {
    'Content-Type': `multipart/form-data; boundary=${BOUNDARY}`,
    'Content-Length': head.length + size + tail.length,
  })
  const answered = once(request, 'response') as Promise<[IncomingMessage]>
  await Promise.all([sendBody(request, image, head, tail), answered])
  const [answer] = await answered
  const seconds = (performance.now() - started) / 1_000
  const text = (await buffer(answer)).toString()
  if (answer.statusCode !== 202) throw new Error(`${url} answers ${answer.statusCode}: ${text}`)
  return { seconds, headers: answer.headers }
}

/** Waits until the update of a push is through. */
export async function installed({ url }: Child, { headers }: Pushed): Promise<void> {
  const monitor = `${url}${headers.location}`
  for (;;) {
    const [answer] = (await once(ask(monitor, 'GET').end(), 'response')) as [IncomingMessage]
    const { TaskState } = JSON.parse((await buffer(answer)).toString()) as { readonly TaskState: string }
    if (answer.statusCode === 200 && TaskState === 'Completed') return
    if (answer.statusCode !== 202) throw new Error(`the update ended ${answer.statusCode} ${TaskState}`)
    await sleep(100)
  }
}

/** MB/s of a multipart push; its update is through when this resolves. */
export async function pushToRedflash(redflash: Child, image: string): Promise<number> {
  const pushed = await push(`${redflash.url}${uris.multipartPush}`, image)
  await installed(redflash, pushed)
  return (await stat(image)).size / 1e6 / pushed.seconds
}

/** MB/s of the same body to a bare server. */
export async function pushToBare(bare: Child, image: string): Promise<number> {
  const { seconds } = await push(bare.url, image)
  await forget(bare)
  return (await stat(image)).size / 1e6 / seconds
}

/** The bare server removes what it received. */
export async function forget({ url }: Child): Promise<void> {
  const [answer] = (await once(ask(url, 'DELETE').end(), 'response')) as [IncomingMessage]
  await buffer(answer)
}

/**
 * Takes as much memory for files as is needed, and gives it back: a virtual machine may have to ask its host for memory
 * that it has not used for some seconds, which costs more than all that is measured. So everybody finds it at hand.
 */
export async function warmMemory(folder: string, sizeBytes: number): Promise<void> {
  const path = join(folder, 'warm')
  const bytes = Buffer.alloc(2 ** 20, 1)
  {
    await using file = await open(path, 'w')
    for (let written = 0; written < sizeBytes; written += bytes.length) await file.write(bytes)
  }
  await rm(path)
}

function ask(
  url: string,
  method: string,
  headers: Readonly<Record<string, string | number>> = {},
): ClientRequest {
  const options = { method, headers: { Authorization: AUTHORIZATION, ...headers } }
  return url.startsWith('https:')
    ? httpsRequest(url, { ...options, rejectUnauthorized: false })
    : httpRequest(url, options)
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
