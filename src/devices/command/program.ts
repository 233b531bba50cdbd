import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { access, constants } from 'node:fs/promises'
import { resolve as absolute } from 'node:path'
import { env, kill } from 'node:process'
import type { Clock } from '../../lib/clock.ts'

/** Who was told to end, and has not by then, is ended. */
export const GRACE_MS = 5_000
/** What a program has written may still be on its way when it has ended. */
export const DRAIN_MS = 1_000

/** A program that runs. What it has started, and what did not leave its process group, ends with it when it is stopped. */
export interface Program {
  /** Resolves to how it has ended, when nobody writes for it any more. */
  readonly ended: Promise<string>
  /** Tells it to end, and sees to it. */
  stop(): void
}

/** A program among all that ever run here: its number, which is that of its group, is given anew when it has ended. */
export interface ProgramMark {
  readonly pid: number
  /** When it was started, as the system counts. */
  readonly born: string
}

export interface ProgramOptions {
  readonly clock: Clock
  /** What it reads. */
  readonly input: string
  readonly wrote: (stream: 'stdout' | 'stderr', chunk: Uint8Array) => void
  /** Told by what it is known, where the system tells, before it is given its input. */
  readonly started?: ((mark: ProgramMark | undefined) => void) | undefined
}

/** The path of a file that can be executed. Rejects with an Error that says why it cannot. */
export async function findProgram(file: string): Promise<string> {
  const path = absolute(file)
  await access(path, constants.X_OK)
  return path
}

/** Starts a program, by no shell; where it cannot be started it ends at once. */
export function startProgram(
  path: string,
  args: readonly string[],
  { clock, input, wrote, started }: ProgramOptions,
): Program {
  const { promise: ended, resolve } = Promise.withResolvers<string>()
  const child = attempt(() =>
    // A group of its own: it takes with it whatever it waits for.
    spawn(path, args, { detached: true, env: environment(), stdio: ['pipe', 'pipe', 'pipe'] }),
  )
  if (typeof child === 'string') return { ended: Promise.resolve(child), stop: () => {} }
  let how = ''
  let isStopped = false
  let isOver = false
  let cancel = (): void => {}
  const wait = (ms: number, then: () => void): void => {
    cancel()
    cancel = clock.schedule(ms, then)
  }
  const finish = (): void => {
    if (isOver) return
    isOver = true
    cancel()
    if (isStopped) signalGroup(child.pid, 'SIGKILL')
    // Somebody in the background may hold them, and is not waited for.
    for (const stream of [child.stdin, child.stdout, child.stderr]) stream.destroy()
    resolve(how)
  }
  child.on('error', (error) => (how = notStarted(error)))
  child.on('exit', (code, signal) => {
    how = code === null ? `it was ended by ${signal}` : `its exit code was ${code}`
    if (!isStopped) wait(DRAIN_MS, finish)
  })
  child.on('close', finish)
  // Not every program reads what it is told.
  child.stdin.on('error', () => {})
  if (child.pid !== undefined) started?.(markOf(child.pid))
  child.stdin.end(input)
  child.stdout.on('data', (chunk: Buffer) => wrote('stdout', chunk))
  child.stderr.on('data', (chunk: Buffer) => wrote('stderr', chunk))
  const stop = (): void => {
    if (isStopped || isOver) return
    isStopped = true
    signalGroup(child.pid, 'SIGTERM')
    wait(GRACE_MS, () => {
      signalGroup(child.pid, 'SIGKILL')
      wait(DRAIN_MS, finish)
    })
  }
  return { ended, stop }
}

function markOf(pid: number): ProgramMark | undefined {
  const born = statOf(pid)?.born
  return born === undefined ? undefined : { pid, born }
}

/** Whether a program runs that may have been started by another process of ours. */
export function isRunning(mark: ProgramMark): boolean {
  const now = statOf(mark.pid)
  return now?.born === mark.born && !'ZX'.includes(now.state)
}

/** What Node, or the operating system, calls an error. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined
}

/** Ours, without our settings: a password may be among them. */
function environment(): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('REDFLASH_')))
}

function attempt<T>(start: () => T): T | string {
  try {
    return start()
  } catch (error) {
    if (codeOf(error) === undefined) throw error
    return notStarted(error)
  }
}

/** As Linux tells it: its state, and when it was started, by the boot and the time since then. */
function statOf(pid: number): { readonly state: string; readonly born: string } | undefined {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The name before them, in brackets, may hold anything.
    const [state = '', ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return { state, born: `${boot} ${fields[18]}` }
  } catch (error) {
    if (codeOf(error) === undefined) throw error
    return undefined
  }
}

/** Without the path: who is told this may not know this machine. */
function notStarted(error: unknown): string {
  return `it could not be started: ${codeOf(error) ?? 'for no reason that it told'}`
}

/** Whether anybody is there to get it. */
export function signalGroup(pid: number | undefined, signal: 'SIGTERM' | 'SIGKILL' | 0): boolean {
  if (pid === undefined) return false
  try {
    return kill(-pid, signal)
  } catch (error) {
    // It is gone, or what is left of it belongs to somebody else.
    if (codeOf(error) !== 'ESRCH' && codeOf(error) !== 'EPERM') throw error
    return false
  }
}
