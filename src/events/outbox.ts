import type { DeliveryRetryPolicy } from '../bmc/subscription.ts'
import type { Background } from '../lib/background.ts'
import type { Clock } from '../lib/clock.ts'

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
  readonly background: Background
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
}

interface Waiting {
  readonly body: string
  readonly at: number
}

/** What waits for one subscriber: sent one by one in order, tried again by the clock, never more than a bounded queue. */
export class Outbox {
  readonly #options: OutboxOptions
  #waiting: Waiting[] = []
  #bytes = 0
  #hasLost = false
  #isSuspended = false
  #work: AbortController | undefined
  #underway: Waiting | undefined

  constructor(options: OutboxOptions) {
    this.#options = options
  }

  push(body: string): void {
    this.#waiting.push({ body, at: this.#options.clock.now() })
    this.#bytes += body.length
    while (
      this.#waiting.length > MAX_WAITING ||
      (this.#bytes > MAX_WAITING_BYTES && this.#waiting.length > 1)
    ) {
      this.#hasLost = true
      this.#options.dropped()
      this.#take()
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
    this.#waiting = this.#waiting.filter((one) => maxAgeMs > 0 && one.at >= oldest)
    this.#bytes = this.#waiting.reduce((sum, one) => sum + one.body.length, 0)
    if (this.#waiting.length === 0) this.#hasLost = false
    this.#isSuspended = false
    this.#go()
  }

  close(): void {
    this.suspend()
    this.#waiting = []
    this.#bytes = 0
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
      if (isTaken) continue
      this.#putBack(next)
      this.#work = undefined
      return this.#options.exhausted()
    }
    this.#work = undefined
  }

  #next(): Waiting | undefined {
    if (!this.#hasLost) return this.#take()
    this.#hasLost = false
    return { body: this.#options.lossNotice(), at: this.#options.clock.now() }
  }

  #take(): Waiting | undefined {
    const first = this.#waiting.shift()
    this.#bytes -= first?.body.length ?? 0
    return first
  }

  #putBack(one: Waiting): void {
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
