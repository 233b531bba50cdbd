import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { resolve } from 'node:path'
import { expect, onTestFinished } from 'vitest'
import { createEmulator, type EmulatorOptions } from '../../src/index.ts'
import type { JsonObject } from '../../src/redfish/resource.ts'
import { uris } from '../../src/redfish/uris.ts'
import { basic } from './emulator.ts'
import { multipartBody, pushParts } from './multipart.ts'

const PATIENT = { timeout: 60_000, interval: 50 }
const root = resolve(import.meta.dirname, '../..')

/** A console on real sockets, asked by its administrator. */
export async function startConsole(options: EmulatorOptions = {}) {
  const emulator = await createEmulator({ console: true, https: false, consoleRefresh: 3_600, ...options })
  onTestFinished(() => emulator.close())
  const ask = async (uri: string, init: RequestInit = {}) => {
    const headers = { authorization: basic('admin'), ...(init.headers as Record<string, string>) }
    return fetch(`${emulator.url}${uri}`, { ...init, headers })
  }
  const get = async (uri: string): Promise<JsonObject> => (await ask(uri)).json() as Promise<JsonObject>
  const post = async (uri: string, body: object) =>
    ask(uri, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
  const attach = async (method: string, address: object): Promise<number> => {
    const Links = { ConnectionMethod: { '@odata.id': uris.connectionMethod(method) } }
    return (await post(uris.aggregationSources, { ...address, Links })).status
  }
  /** Resolves to a task or a job when it has ended. */
  const ended = async (uri: string): Promise<JsonObject> => {
    await expect.poll(async () => (await get(uri))['EndTime'], PATIENT).toBeDefined()
    return get(uri)
  }
  /** Pushes an image, and resolves to its task when that has ended. */
  const update = async (image: Buffer, parameters: JsonObject): Promise<JsonObject> => {
    const { headers, body } = multipartBody(pushParts(image, parameters))
    const accepted = await ask(uris.multipartPush, { method: 'POST', headers, body: new Uint8Array(body) })
    const task = (await accepted.json()) as { readonly '@odata.id': string }
    expect(accepted.status, JSON.stringify(task)).toBe(202)
    return ended(task['@odata.id'])
  }
  /** Resolves when so many devices are there. */
  const has = async (count: number): Promise<void> => {
    await expect.poll(async () => (await get(uris.systems))['Members@odata.count'], PATIENT).toBe(count)
  }
  return { emulator, get, post, attach, ended, update, has }
}

/** Starts a command in a process of its own, which ends with the test; resolves to its first line. */
export async function startProcess(...args: readonly string[]): Promise<string> {
  const child = spawn(process.execPath, ['src/main.ts', ...args], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  onTestFinished(async () => {
    const ended = once(child, 'close')
    child.kill('SIGTERM')
    await ended
  })
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string]
  return line
}
