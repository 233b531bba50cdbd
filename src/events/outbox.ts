import type { DeliveryRetryPolicy } from '../bmc/subscription.ts'
import type { Background } from '../lib/background.ts'
import type { Clock } from '../lib/clock.ts'
import { type KeptOutbox, LOST, type Waiting } from './kept.ts'

/** What waits for one subscriber: the oldest gives way. */
const MAX_WAITING = 500
const MAX_WAITING_BYTES = 2 ** 20
/** RetryForeverWithBackoff doubles its pause no further than to this many times the interval. */
const MAX_BACKOFF = 64

interface RetryRules {
  readonly attempts: number
  readonly intervalMs: number
  readonly policy: DeliveryRetryPolicy
}

export interface OutboxOptions {
  readonly clock: Clock
  readonly background: Pick<Background, 'start'>
  /** Told of every event that is given up to make room. */
  readonly dropped: () => void
  /** Whether the subscriber took it. */
  readonly send: (body: string, signal: AbortSignal) => Promise<boolean>
  /** As they are now: a client may change them while it is tried again. */
  readonly rules: () => RetryRules
  /** The attempts are used up, and the policy does not go on for ever. */
  readonly exhausted: () => void
  /** What is sent first when something was lost. */
  readonly lossNotice: () => string
  /** Keeps what waits, by its number, until it was taken or is given up. */
  readonly keep: (number: string, value: Waiting | true | undefined) => void
  /** What waited when the process ended. */
  readonly kept?: KeptOutbox | undefined
}

interface Numbered extends Waiting {
  readonly number: string
}

/** What waits for one subscriber: sent one by one in order, tried again by the clock, never more than a bounded queue. */
export class Outbox {
  readonly #options: OutboxOptions
  #waiting: Numbered[]
  #bytes = 0
  #hasLost = false
  #isSuspended = false
  #work: AbortController | undefined
  #underway: Numbered | undefined
  #lastNumber: number

  /** Nothing of what was kept is sent until it is resumed, or something is pushed. */
  constructor(options: OutboxOptions) {
    this.#options = options
    const { waiting = [], hasLost = false } = options.kept ?? {}
    this.#waiting = waiting.map(([number, { body, at }]) => ({ number, body, at }))
    this.#bytes = bytesOf(this.#waiting)
    this.#lastNumber = Number(this.#waiting.at(-1)?.number ?? 0)
    this.#hasLost = hasLost
  }

  push(body: string): void {
    const pushed = { number: String(++this.#lastNumber), body, at: this.#options.clock.now() }
    this.#waiting.push(pushed)
    this.#bytes += body.length
    this.#options.keep(pushed.number, { body, at: pushed.at })
    while (
      this.#waiting.length > MAX_WAITING ||
      (this.#bytes > MAX_WAITING_BYTES && this.#waiting.length > 1)
    ) {
      this.#lose()
    }
    this.#go()
  }

  /** Sends nothing until it is resumed; what waits goes on waiting. */
  suspend(): void {
    this.#isSuspended = true
    this.#stop('suspended')
  }

  /** Goes on with what waits and is not older than `maxAgeMs`. */
  resume(maxAgeMs = Infinity): void {
    const oldest = this.#options.clock.now() - maxAgeMs
    this.#retain((one) => maxAgeMs > 0 && one.at >= oldest)
    this.#isSuspended = false
    this.#go()
  }

  /** Sends nothing more; what waits is for another run of the service. */
  close(): void {
    this.suspend()
    this.#waiting = []
    this.#bytes = 0
  }

  /** Sends nothing more, and keeps nothing: nobody is left to be told. */
  discard(): void {
    this.suspend()
    this.#retain(() => false)
  }

  #retain(isWanted: (one: Waiting) => boolean): void {
    for (const one of this.#waiting) if (!isWanted(one)) this.#options.keep(one.number, undefined)
    this.#waiting = this.#waiting.filter(isWanted)
    this.#bytes = bytesOf(this.#waiting)
    if (this.#waiting.length > 0 || !this.#hasLost) return
    this.#hasLost = false
    this.#options.keep(LOST, undefined)
  }

  /** The oldest gives way. */
  #lose(): void {
    const lost = this.#take()
    if (lost) this.#options.keep(lost.number, undefined)
    this.#hasLost = true
    this.#options.keep(LOST, true)
    this.#options.dropped()
  }

  #stop(reason: string): void {
    this.#work?.abort(new Error(reason))
    this.#work = undefined
    // Nobody knows whether it arrived: it is sent again rather than lost.
    if (this.#underway !== undefined) this.#putBack(this.#underway)
    this.#underway = undefined
  }

  #go(): void {
    if (this.#isSuspended || this.#work !== undefined || this.#waiting.length === 0) return
    this.#work = this.#options.background.start((signal) => this.#run(signal))
  }

  async #run(signal: AbortSignal): Promise<void> {
    for (let next = this.#next(); next !== undefined; next = this.#next()) {
      this.#underway = next
      const isTaken = await this.#deliver(next.body, signal)
      signal.throwIfAborted()
      this.#underway = undefined
      if (isTaken) {
        this.#taken(next)
        continue
      }
      this.#putBack(next)
      this.#work = undefined
      return this.#options.exhausted()
    }
    this.#work = undefined
  }

  #next(): Numbered | undefined {
    if (!this.#hasLost) return this.#take()
    this.#hasLost = false
    return { number: LOST, body: this.#options.lossNotice(), at: this.#options.clock.now() }
  }

  #take(): Numbered | undefined {
    const first = this.#waiting.shift()
    this.#bytes -= first?.body.length ?? 0
    return first
  }

  #taken({ number }: Numbered): void {
    // Meanwhile more was lost, which is yet to be told.
    if (number === LOST && this.#hasLost) return
    this.#options.keep(number, undefined)
  }

  #putBack(one: Numbered): void {
    if (one.number === LOST) {
      this.#hasLost = true
      return
    }
    this.#waiting.unshift(one)
    this.#bytes += one.body.length
  }

  /** False when the attempts are used up. */
  async #deliver(body: string, signal: AbortSignal): Promise<boolean> {
    for (let failures = 1; ; failures++) {
      if (await this.#options.send(body, signal)) return true
      const { attempts, intervalMs, policy } = this.#options.rules()
      const isForever = policy === 'RetryForever' || policy === 'RetryForeverWithBackoff'
      if (failures > attempts && !isForever) return false
      const factor = policy === 'RetryForeverWithBackoff' ? Math.min(2 ** (failures - 1), MAX_BACKOFF) : 1
      await this.#options.clock.sleep(intervalMs * factor, signal)
    }
  }
}

function bytesOf(waiting: readonly Waiting[]): number {
  return waiting.reduce((sum, { body }) => sum + body.length, 0)
}
