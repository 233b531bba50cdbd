import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished } from 'vitest'
import { createAccount } from '../../src/bmc/accounts.ts'
import { commit } from '../../src/bmc/commit.ts'
import type { Bmc } from '../../src/bmc/bmc.ts'
import { createEmulator, type EmulatorOptions } from '../../src/index.ts'
import type { JsonObject } from '../../src/redfish/resource.ts'
import { uris } from '../../src/redfish/uris.ts'
import { basic, PASSWORD } from './emulator.ts'
import { messageKeys } from './multipart.ts'

/** A folder that is removed when the test ends. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'redflash-test-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** The files anywhere below a folder, but for locks: the images in a spool. */
export async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile() && !entry.name.startsWith('lock'))
    .map((entry) => entry.name)
}

/** An emulator on real sockets (HTTP only, unless asked) with a spool of its own; it closes itself when the test ends. */
export async function startWire(options: EmulatorOptions = {}) {
  const spoolFolder = options.spool ?? (await temporaryFolder())
  // What is kept has its images with it.
  const spool = options.data === undefined ? { spool: spoolFolder } : {}
  const emulator = await createEmulator({ speed: 'max', https: false, ...spool, ...options })
  onTestFinished(() => emulator.close())
  const { url = '', bmcs } = emulator
  const [bmc] = bmcs
  if (bmc === undefined) throw new Error('an emulator without a BMC')
  return {
    emulator,
    bmc,
    url,
    port: Number(new URL(emulator.url ?? emulator.httpsUrl ?? '').port),
    spoolFolder,
    spooled: () => filesBelow(spoolFolder),
    /** Resolves when every image is gone from the spool. */
    spoolIsEmpty: async () => {
      await expect.poll(() => filesBelow(spoolFolder)).toEqual([])
    },
    get: async (path: string) => {
      const answer = await fetch(new URL(path, url), { headers: { authorization: basic('admin') } })
      return { status: answer.status, json: (await answer.json()) as JsonObject }
    },
    /** `reader` may look, and change nothing but itself. */
    addReader: async () => {
      commit(bmc, { accounts: [['reader', await createAccount('reader', PASSWORD, 'ReadOnly')]] })
    },
  }
}

export type Wire = Awaited<ReturnType<typeof startWire>>

/** Waits until the only task of a BMC has ended. */
export async function lastTask({ get }: Wire, bmc: Bmc): Promise<JsonObject> {
  const id = [...bmc.state.tasks.keys()].at(-1) ?? 'none'
  await expect.poll(() => bmc.state.tasks.get(id)?.endTime).toBeDefined()
  return (await get(uris.task(id))).json
}

/** An answer as it came over a raw connection. */
export interface RawAnswer {
  readonly status: number
  readonly headers: ReadonlyMap<string, string>
  readonly body: string
}

/** A client that writes exactly what it is told to, and reads answers one by one. */
export class RawClient {
  readonly socket: Socket
  #received = ''
  #isEnded = false
  #wake = (): void => {}

  constructor(socket: Socket) {
    this.socket = socket
    socket.setNoDelay(true)
    socket.on('error', () => {}) // a reset is an end like any other here
    socket.on('data', (chunk: Buffer) => {
      this.#received += chunk.toString('latin1')
      this.#wake()
    })
    for (const event of ['end', 'close']) {
      socket.on(event, () => {
        this.#isEnded = true
        this.#wake()
      })
    }
    onTestFinished(() => void socket.destroy())
  }

  send(...pieces: readonly (string | Uint8Array)[]): this {
    for (const piece of pieces) this.socket.write(piece)
    return this
  }

  /** Resolves when everything written so far has been taken by the operating system. */
  flushed(): Promise<void> {
    return new Promise((resolve) => this.socket.write('', () => resolve()))
  }

  /** The next answer, informational ones too; that to a HEAD has no body. Rejects when the connection ends before it is whole. */
  async answer({ isToHead = false } = {}): Promise<RawAnswer> {
    const [top = ''] = await this.#match(/^[^]*?\r\n\r\n/)
    const [statusLine = '', ...lines] = top.trimEnd().split('\r\n')
    const headers = new Map(
      lines.map((line) => [line.replace(/:.*/, '').toLowerCase(), line.replace(/^[^:]*: */, '')]),
    )
    const length = isToHead ? 0 : (headers.get('content-length') ?? 0)
    const [body = ''] = await this.#match(new RegExp(`^[^]{${length}}`))
    return { status: Number(statusLine.split(' ')[1]), headers, body }
  }

  /** Resolves when the server has closed its side; to what else came before. */
  async ended(): Promise<string> {
    await this.#until(() => this.#isEnded)
    return this.#received
  }

  async #match(pattern: RegExp): Promise<RegExpExecArray> {
    await this.#until(() => pattern.test(this.#received) || this.#isEnded)
    const found = pattern.exec(this.#received)
    if (found === null) throw new Error(`the connection ended after ${JSON.stringify(this.#received)}`)
    this.#received = this.#received.slice(found[0].length)
    return found
  }

  async #until(isTrue: () => boolean): Promise<void> {
    while (!isTrue()) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }
}

/** A raw connection to the HTTP port. */
export function rawClient(port: number): RawClient {
  return new RawClient(connect({ port, host: '127.0.0.1', allowHalfOpen: true }))
}

/** The head of a request with an administrator's credentials. */
export function head(
  method: string,
  path: string,
  headers: Readonly<Record<string, string | number>> = {},
): string {
  const all = { Host: 'test', Authorization: basic('admin'), ...headers }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
  return `${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`
}

/** The ids of the messages in an error body, without registry and version. */
export function errorKeys(body: string): string[] {
  return messageKeys(JSON.parse(body) as JsonObject)
}

/** Whether nobody listens. */
export function refused(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.on('connect', () => socket.destroy().once('close', () => resolve(false)))
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ECONNREFUSED'))
  })
}
