import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { join, resolve } from 'node:path'
import { onTestFinished } from 'vitest'
import { addressAt } from '../../../src/http/reach.ts'
import type { SyncPolicy } from '../../../src/journal/sync.ts'
import type { JsonObject } from '../../../src/redfish/resource.ts'
import { basic } from '../emulator.ts'

const ROOT = resolve(import.meta.dirname, '../../..')
const DIE_AT_COMMIT = join(import.meta.dirname, 'die-at-commit.ts')
const FIRST = '127.1.0.1'
/** 45 seconds of boot time pass in 150 milliseconds. */
const SPEED = 300

export interface LifeOptions {
  readonly bmcs?: number
  readonly sync?: SyncPolicy
  /** The process kills itself at this commit, as often as it counts one. */
  readonly death?: { readonly at: number; readonly when: 'before' | 'after' }
  /** No file may become larger (bash, ulimit -f). */
  readonly maxFileKiB?: number
}

/** How a process ended. */
export interface End {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  /** What it wrote to its log, and about its end. */
  readonly said: string
}

/** One life of the service: a process on a folder that outlives it. */
export interface Life {
  /** Whether it came to serve; false: it died before. */
  readonly isReady: boolean
  readonly ended: Promise<End>
  hasEnded(): boolean
  kill(signal?: 'SIGKILL' | 'SIGTERM'): Promise<End>
  /** What the BMC in this place answers; `undefined`: nothing, or half of it. */
  ask(slot: number, asked: Asked): Promise<Answer | undefined>
  /** Likewise, of the port that controls the fleet. */
  control(method: 'GET' | 'POST' | 'DELETE', path: string, body?: JsonObject): Promise<Answer | undefined>
}

export interface Asked {
  readonly url: string
  readonly method?: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  readonly body?: JsonObject | Buffer
  readonly headers?: Readonly<Record<string, string>>
  /** The administrator's unless given; none where it is empty. */
  readonly authorization?: string
}

export interface Answer {
  readonly status: number
  readonly location: string
  readonly token: string
  readonly bytes: Buffer
  readonly json: JsonObject
}

/** Starts the service; resolves when it serves or is dead. It dies with the test at the latest. */
export async function startLife(folder: string, options: LifeOptions = {}): Promise<Life> {
  const { life } = beginLife(folder, options)
  return life
}

/** Starts the service: its process at once, and its life when it serves or is dead. */
export function beginLife(
  folder: string,
  { bmcs = 3, sync = 'normal', death, maxFileKiB }: LifeOptions = {},
) {
  const args = [
    ...(death ? ['--import', DIE_AT_COMMIT] : []),
    ...`src/main.ts serve --no-https --port 0 --log-level warn --await-reset job --speed ${SPEED}`.split(' '),
    '--data',
    folder,
    '--data-sync',
    sync,
    ...(bmcs > 1 ? ['--bmcs', String(bmcs), '--first-address', FIRST, '--control-port', '0'] : []),
  ]
  const limit = `ulimit -f ${maxFileKiB}; trap "" XFSZ; exec "$0" "$@"`
  const [program, ...rest] =
    maxFileKiB === undefined ? [process.execPath, ...args] : ['bash', '-c', limit, process.execPath, ...args]
  const env = { ...process.env, ...(death && { DIE_AT: String(death.at), DIE: death.when }) }
  const child = spawn(program ?? '', rest, { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'pipe'] })
  let [said, isOver] = ['', false]
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text))
  child.once('exit', () => (isOver = true))
  const ended = once(child, 'close').then(([code, signal]): End => ({ code, signal, said }))
  const kill = (signal: 'SIGKILL' | 'SIGTERM' = 'SIGKILL'): Promise<End> => {
    child.kill(signal)
    return ended
  }
  onTestFinished(async () => void (await kill()))
  return { kill, life: serving() }

  async function serving(): Promise<Life> {
    const lines: string[] = []
    for await (const line of createInterface({ input: child.stdout })) {
      lines.push(line)
      if (line.startsWith('try:')) break
    }
    // Whatever else it says must not fill the pipe.
    child.stdout.resume()
    const isReady = lines.at(-1)?.startsWith('try:') === true
    const served = new URL(/http:\/\/[^/]+/.exec(lines[0] ?? '')?.[0] ?? 'http://127.0.0.1:9')
    const controlled = /listed at (\S+)\/bmcs/.exec(lines.join('\n'))?.[1] ?? ''
    return {
      isReady,
      ended,
      hasEnded: () => isOver,
      kill,
      ask: (slot, asked) => {
        const host = bmcs > 1 ? addressAt(FIRST, slot) : served.hostname
        return request(`http://${host}:${served.port}`, asked)
      },
      control: (method, path, body) => request(controlled, { url: path, method, ...(body && { body }) }),
    }
  }
}

async function request(
  origin: string,
  { url, method = 'GET', body, headers = {}, authorization = basic('admin') }: Asked,
): Promise<Answer | undefined> {
  const isJson = body !== undefined && !Buffer.isBuffer(body)
  const type = isJson ? { 'content-type': 'application/json' } : {}
  const content = Buffer.isBuffer(body) ? Uint8Array.from(body) : JSON.stringify(body)
  try {
    const answer = await fetch(origin + url, {
      method,
      headers: { ...type, ...headers, ...(authorization !== '' && { authorization }) },
      ...(body && { body: content }),
    })
    const bytes = Buffer.from(await answer.arrayBuffer())
    const header = (name: string): string => answer.headers.get(name) ?? ''
    const text = header('content-type').includes('json') ? bytes.toString() : '{}'
    return {
      status: answer.status,
      location: header('location').replace(/^https?:\/\/[^/]+/, ''),
      token: header('x-auth-token'),
      bytes,
      json: JSON.parse(text) as JsonObject,
    }
  } catch (error) {
    // The connection was cut: by the end of the process, or by a manager that boots.
    if (error instanceof TypeError || (error instanceof Error && error.name === 'AbortError'))
      return undefined
    throw error
  }
}
