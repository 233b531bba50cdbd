import type { Clock } from '../../lib/clock.ts'
import { fail, type Result } from '../../lib/result.ts'
import type { JsonObject } from '../../redfish/resource.ts'
import { lineReader } from './lines.ts'
import { type Program, type ProgramOptions, startProgram } from './program.ts'
import { type CommandProblem, type Reader, readReport } from './reports.ts'

/** So much is read of a program, in all and in one line. */
const MAX_OUTPUT_BYTES = 2 ** 24
const MAX_LINE = 2 ** 18
/** So much of what it says is passed on. */
const MAX_SAID = 100
const MAX_TEXT = 500
/** What has fewer characters is hidden only where it stands alone: letters are in all that anybody says. */
const LEAST_SECRET = 4
/** How long it may go on when it has said its last line. */
const LINGER_MS = 10_000

/** What a program is asked for. */
export interface Command<T> {
  readonly path: string
  /** What it is to do, and with what. */
  readonly args: readonly [operation: string, target: string]
  readonly input: JsonObject
  /** What must not be repeated. */
  readonly secret: string
  readonly good: Reader<T>
  readonly signal: AbortSignal
  /** How long it may say nothing. */
  readonly silenceMs: number
  readonly progress: (share: number) => void
  readonly started?: ProgramOptions['started']
  /** Told what it says to people. */
  readonly said: (text: string) => void
}

/** Runs a program to its end; to what it says that this was. Rejects only with the signal's reason, when it has ended. */
export async function runCommand<T>(clock: Clock, command: Command<T>): Promise<Result<T, CommandProblem>> {
  const { path, args, signal } = command
  signal.throwIfAborted()
  const hearing = new Hearing(command)
  let program: Program | undefined
  let cancel = (): void => {}
  const wait = (): void => {
    cancel()
    const giveUp = (): void => {
      hearing.giveUp('it has said nothing for too long')
      program?.stop()
    }
    cancel = clock.schedule(hearing.hasEnded ? LINGER_MS : command.silenceMs, giveUp)
  }
  program = startProgram(path, args, {
    clock,
    input: `${JSON.stringify(command.input)}\n`,
    started: command.started,
    wrote: (stream, chunk) => {
      hearing.take(stream, chunk)
      if (hearing.isTooMuch) program?.stop()
      else wait()
    },
  })
  const stop = (): void => program.stop()
  signal.addEventListener('abort', stop, { once: true })
  wait()
  const how = await program.ended
  cancel()
  signal.removeEventListener('abort', stop)
  signal.throwIfAborted()
  return hearing.end(how)
}

/** What is heard of a program, and what that comes to. */
class Hearing<T> {
  readonly #command: Command<T>
  readonly #lines = {
    stdout: lineReader(MAX_LINE, (line) => this.#report(line)),
    stderr: lineReader(MAX_LINE, (line) => this.#say(line ?? '(a line that is too long)')),
  }
  #result: Result<T, CommandProblem> | undefined
  /** The first thing that was wrong: it may go on to its end, but is not believed. */
  #mistake: string | undefined
  #count = 0
  #bytes = 0
  #saidCount = 0

  constructor(command: Command<T>) {
    this.#command = command
  }

  /** Whether its last line was there. */
  get hasEnded(): boolean {
    return this.#result !== undefined
  }

  get isTooMuch(): boolean {
    return this.#bytes > MAX_OUTPUT_BYTES
  }

  take(stream: 'stdout' | 'stderr', chunk: Uint8Array): void {
    if (this.isTooMuch) return
    this.#bytes += chunk.byteLength
    if (this.isTooMuch) this.#mistake = 'it says too much'
    else this.#lines[stream].take(chunk)
  }

  giveUp(why: string): void {
    if (!this.hasEnded) this.#mistake ??= why
  }

  end(how: string): Result<T, CommandProblem> {
    for (const lines of Object.values(this.#lines)) lines.end()
    const silent: CommandProblem = { kind: 'failed', detail: `it has not said how it ended; ${how}` }
    const result = this.#mistake === undefined ? (this.#result ?? fail(silent)) : wrong(this.#mistake)
    // What of it was not ours was cleared before.
    if (!result.ok) this.#say(`${result.problem.kind}: ${result.problem.detail}`, (text) => text)
    return result
  }

  #report(line: string | undefined): void {
    const { good, signal, progress } = this.#command
    this.#count++
    if (this.#mistake !== undefined || signal.aborted) return
    const report = line === undefined ? fail('it is too long') : readReport(line, good)
    if (!report.ok) this.#mistake = `its line ${this.#count} is wrong: ${this.#cleared(report.problem)}`
    else if (this.hasEnded) this.#mistake = 'it says more after its last line'
    else if (report.value.kind === 'end') this.#result = this.#ending(report.value.result)
    else {
      const { share, message } = report.value
      if (share !== undefined) progress(share)
      if (message !== undefined) this.#say(message)
    }
  }

  /** Its problem is in its own words. */
  #ending(result: Result<T, CommandProblem>): Result<T, CommandProblem> {
    if (result.ok) return result
    return fail({ ...result.problem, detail: this.#cleared(result.problem.detail) })
  }

  #say(text: string, clear = (said: string) => this.#cleared(said)): void {
    this.#saidCount++
    if (this.#saidCount <= MAX_SAID) this.#command.said(clear(text))
    if (this.#saidCount === MAX_SAID + 1) this.#command.said('(and more)')
  }

  /** Without the secret, and not too long. */
  #cleared(text: string): string {
    const without = withoutSecret(text, this.#command.secret)
    return without.length > MAX_TEXT ? `${without.slice(0, MAX_TEXT)}…` : without
  }
}

/** Without a secret as it is, or as JSON has it. */
function withoutSecret(text: string, secret: string): string {
  if (secret === '') return text
  const forms = [JSON.stringify(secret).slice(1, -1), secret]
    .map((form) => form.replaceAll(/[\\^$.*+?()[\]{}|/]/g, '\\$&'))
    .join('|')
  const alone = secret.length < LEAST_SECRET ? [`(?<![\\p{L}\\p{N}])`, `(?![\\p{L}\\p{N}])`] : ['', '']
  return text.replaceAll(new RegExp(alone.join(`(?:${forms})`), 'gu'), '******')
}

function wrong(detail: string): { readonly ok: false; readonly problem: CommandProblem } {
  return fail({ kind: 'failed', detail })
}
