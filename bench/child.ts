import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Gauged } from './gauge.ts'

const READY_MS = 30_000
const END_MS = 10_000

/** A server in a process of its own, so that its memory and its CPU are its own; it ends when it leaves scope. */
export interface Child extends AsyncDisposable {
  readonly url: string
  /** The most memory that it ever had resident; `undefined` where the system does not tell. */
  peakBytes(): number | undefined
}

/** One that tells what it takes. */
export interface GaugedChild extends Child {
  readonly gauge: () => Promise<Gauged>
}

const MAIN = '../dist/main.js'
/** redflash as it is installed, on a free port. */
const serve = ['serve', '--port', '0', '--log-level', 'warn']

/** Starts a Node script and waits until it prints the URL that it serves. */
export async function startServer(script: string, args: readonly string[]): Promise<Child> {
  const file = fileURLToPath(new URL(script, import.meta.url))
  const child = spawn(process.execPath, [file, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  return whenReady(child, child.stdout, script)
}

/** Starts the built command. */
export function startRedflash(...args: readonly string[]): Promise<Child> {
  return startServer(MAIN, [...serve, ...args])
}

/** Starts the built command with a gauge in it. */
export async function startGauged(...args: readonly string[]): Promise<GaugedChild> {
  const gauge = new URL('gauge.ts', import.meta.url).href
  const file = fileURLToPath(new URL(MAIN, import.meta.url))
  const child = spawn(process.execPath, ['--expose-gc', '--import', gauge, file, ...serve, ...args], {
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  })
  if (child.stdout === null) throw new Error('its output is piped')
  const ready = await whenReady(child, child.stdout, MAIN)
  const ask = async (): Promise<Gauged> => {
    const answered = once(child, 'message') as Promise<[Gauged]>
    child.send('gauge')
    const [gauged] = await answered
    return gauged
  }
  return { ...ready, gauge: ask }
}

async function whenReady(child: ChildProcess, stdout: NodeJS.ReadableStream, script: string): Promise<Child> {
  const exited = once(child, 'exit')
  let isEnding = false
  child.once('exit', (code, signal) => {
    if (!isEnding) process.stderr.write(`${script} ended by itself: ${code ?? signal}\n`)
  })
  const end = async (): Promise<void> => {
    isEnding = true
    child.kill()
    const impatience = setTimeout(() => child.kill('SIGKILL'), END_MS)
    await exited
    clearTimeout(impatience)
  }
  const url = await urlFrom(stdout, script).catch(async (error: unknown) => {
    await end()
    throw error
  })
  // Whatever else it says must not fill the pipe.
  stdout.resume()
  return { url, peakBytes: () => peakBytesOf(child.pid), [Symbol.asyncDispose]: end }
}

async function urlFrom(stdout: NodeJS.ReadableStream, script: string): Promise<string> {
  const tooLate = AbortSignal.timeout(READY_MS)
  let text = ''
  for (;;) {
    const [chunk] = (await Promise.race([
      once(stdout, 'data', { signal: tooLate }),
      once(stdout, 'end', { signal: tooLate }),
    ])) as [Buffer?]
    if (chunk === undefined) throw new Error(`${script} ended before it served anything: ${text}`)
    text += chunk.toString()
    const url = /(https?:\/\/[^/\s]+)[/\s]/.exec(text)?.[1]
    if (url !== undefined) return url
  }
}

/** A child's maxRSS would count what its parent had when it was forked; the kernel's own figure does not. */
function peakBytesOf(pid: number | undefined): number | undefined {
  if (process.platform !== 'linux') return undefined
  const kilobytes = /^VmHWM:\s*(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return kilobytes === undefined ? undefined : Number(kilobytes) * 1_024
}
