import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Gauged } from '../../bench/gauge.ts'

const READY_MS = 60_000
const END_MS = 15_000

/** What a service takes at a moment. */
export interface Taken extends Gauged {
  /** Files and sockets; `undefined` where the system does not tell. */
  readonly descriptors: number | undefined
  /** The images in its spool. */
  readonly images: number
  /** What it keeps beside images. */
  readonly databaseBytes: number
}

/** The service under test, in a process of its own. */
export interface Served extends AsyncDisposable {
  readonly controlUrl: string
  readonly look: () => Promise<Taken>
  /** Rejects when it ends by itself. */
  readonly died: Promise<never>
}

/** Starts a fleet; the arguments say that its images are somewhere below the folder. */
export async function startServed(folder: string, args: readonly string[]): Promise<Served> {
  const fileOf = (path: string): string => fileURLToPath(new URL(path, import.meta.url))
  const gauge = new URL('../../bench/gauge.ts', import.meta.url).href
  const serve = ['serve', '--port', '0', '--https-port', '0', '--control-port', '0', '--log-level', 'error']
  const child = spawn(
    process.execPath,
    ['--expose-gc', '--import', gauge, fileOf('../../src/main.ts'), ...serve, ...args],
    { stdio: ['ignore', 'pipe', 'inherit', 'ipc'] },
  )
  const { stdout } = child
  if (stdout === null) throw new Error('its output is piped')
  const exited = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>
  let isEnding = false
  const died = exited.then(([code, signal]) => {
    if (isEnding) return new Promise<never>(() => {})
    throw new Error(`the service ended by itself: ${code ?? signal}`)
  })
  died.catch(() => {}) // told to whoever waits for it
  const end = async (): Promise<void> => {
    isEnding = true
    child.kill()
    const impatience = setTimeout(() => child.kill('SIGKILL'), END_MS)
    await exited
    clearTimeout(impatience)
  }
  const ask = async (): Promise<Gauged> => {
    const answered = once(child, 'message') as Promise<[Gauged]>
    child.send('gauge')
    const [gauged] = await Promise.race([answered, died])
    return gauged
  }
  const descriptors = join('/proc', String(child.pid), 'fd')
  const look = async (): Promise<Taken> => ({
    ...(await ask()),
    descriptors: existsSync(descriptors) ? readdirSync(descriptors).length : undefined,
    ...storedBelow(folder),
  })
  const controlUrl = await Promise.race([controlUrlFrom(stdout), died]).catch(async (error: unknown) => {
    await end()
    throw error
  })
  stdout.resume()
  return { controlUrl, look, died, [Symbol.asyncDispose]: end }
}

async function controlUrlFrom(stdout: NodeJS.ReadableStream): Promise<string> {
  const lines = createInterface({ input: stdout })
  const tooLate = AbortSignal.timeout(READY_MS)
  tooLate.addEventListener('abort', () => lines.close())
  for await (const line of lines) {
    const url = /(http:\/\/\S+)\/bmcs$/.exec(line)?.[1]
    if (url !== undefined) return url
  }
  throw new Error('the service did not say where it lists its fleet')
}

/** What is anywhere below a folder: images, whole or not; or a database, its log, or a lock. */
function storedBelow(folder: string): Pick<Taken, 'images' | 'databaseBytes'> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((one) => one.isFile())
  const databases = files.filter(({ name }) => /^(lock|.*\.(db|sqlite))(-\w+)?$/.test(name))
  const sizes = databases.map(
    ({ parentPath, name }) => statSync(join(parentPath, name), { throwIfNoEntry: false })?.size ?? 0,
  )
  return {
    images: files.length - databases.length,
    databaseBytes: sizes.reduce((sum, size) => sum + size, 0),
  }
}
