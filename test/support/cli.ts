import { PassThrough, Readable } from 'node:stream'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished } from 'vitest'
import { createProgram } from '../../src/cli/program.ts'
import { temporaryFolder } from './wire.ts'

/** A command under way in this process, as `main.ts` runs it. */
export interface RunningCommand {
  readonly exitCode: Promise<number>
  /** What it has printed so far. */
  readonly out: () => string
  readonly err: () => string
  /** What a signal does. */
  readonly stop: () => void
}

export interface CommandOptions {
  readonly environment?: Readonly<Record<string, string>>
  readonly isTerminal?: boolean
  /** What comes by standard input. */
  readonly input?: string
}

/** Starts a command with these arguments; it is stopped when the test ends. */
export function startCommand(args: readonly string[], options: CommandOptions = {}): RunningCommand {
  const { environment = {}, isTerminal = false } = options
  let [out, err] = ['', '']
  const streamTo = (take: (text: string) => void): NodeJS.WriteStream => {
    const stream = Object.assign(new PassThrough(), { isTTY: isTerminal })
    stream.on('data', (chunk: Buffer) => take(chunk.toString()))
    return stream as unknown as NodeJS.WriteStream // of which commands only write and ask for isTTY
  }
  const { promise: stopped, resolve: stop } = Promise.withResolvers<void>()
  const program = createProgram({
    in: Readable.from([options.input ?? '']),
    out: streamTo((text) => (out += text)),
    err: streamTo((text) => (err += text)),
    environment,
    stopped: () => stopped,
  })
  const run = async (): Promise<number> => {
    try {
      return await program(['node', 'redflash', ...args])
    } catch (error) {
      err += error instanceof Error ? error.message : String(error)
      return 1
    }
  }
  const exitCode = run()
  onTestFinished(async () => {
    stop()
    await exitCode
  })
  return { exitCode, out: () => out, err: () => err, stop }
}

/** Runs a command to its end. */
export async function runCommand(args: readonly string[], options?: CommandOptions) {
  const command = startCommand(args, options)
  const exitCode = await command.exitCode
  return { exitCode, out: command.out(), err: command.err() }
}

/** Free ports, and no log. */
export const quiet = ['--port', '0', '--https-port', '0', '--log-level', 'silent']

/** A file with settings. */
export async function configFile(content: unknown): Promise<string> {
  const file = join(await temporaryFolder(), 'redflash.json')
  await writeFile(file, typeof content === 'string' ? content : JSON.stringify(content))
  return file
}

/** Starts a service and waits for its ready lines. */
export async function serve(args: readonly string[] = [], options: CommandOptions = {}) {
  const command = startCommand(['serve', ...quiet, ...args], options)
  await expect.poll(command.out, { timeout: 10_000 }).toContain('try:')
  return { ...command, lines: command.out().trimEnd().split('\n') }
}

/** Runs a service that does not come to serve, and returns its lines of complaint. */
export async function complaints(args: readonly string[], options: CommandOptions = {}): Promise<string[]> {
  const { exitCode, out, err } = await runCommand(['serve', ...args], options)
  expect(exitCode).toBe(1)
  expect(out).toBe('')
  return err
    .trimEnd()
    .split('\n')
    .map((line) => line.trim())
}
