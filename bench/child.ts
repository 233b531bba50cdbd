import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const READY_MS = 30_000
const END_MS = 10_000

/** A server in a process of its own, so that its memory and its CPU are its own; it ends when it leaves scope. */
export interface Child extends AsyncDisposable {
  readonly url: string
  /** The most memory that it ever had resident; `undefined` where the system does not tell. */
  peakBytes(): number | undefined
}

/** Starts a Node script and waits until it prints the URL that it serves. */
export async function startServer(script: string, args: readonly string[]): Promise<Child> {
  const child = spawn(process.execPath, [fileURLToPath(new URL(script, import.meta.url)), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(child, 'exit')
  const end = async (): Promise<void> => {
    child.kill()
    const impatience = setTimeout(() => child.kill('SIGKILL'), END_MS)
    await exited
    clearTimeout(impatience)
  }
  const url = await urlFrom(child.stdout, script).catch(async (error: unknown) => {
    await end()
    throw error
  })
  // Whatever else it says must not fill the pipe.
  child.stdout.resume()
  return { url, peakBytes: () => peakBytesOf(child.pid), [Symbol.asyncDispose]: end }
}

/** redflash as it is installed: the built command, on a free port. */
export function startRedflash(...args: readonly string[]): Promise<Child> {
  return startServer('../dist/main.js', ['serve', '--port', '0', '--log-level', 'warn', ...args])
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
