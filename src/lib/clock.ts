import { setImmediate as nextTurn } from 'node:timers/promises'
import { breathe } from './breath.ts'

/** Time as a port: every delay, timeout and timestamp asks a clock. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number
  /** Resolves after `ms`; rejects with the signal's reason when aborted first. The process stays alive for it. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
  /** Calls `run` once after `ms`; the returned function cancels it. The process does not stay alive for it. */
  schedule(ms: number, run: () => void): () => void
  /** Marks real work (disk, threads) that virtual time must not overtake. */
  io<T>(work: Promise<T>): Promise<T>
  /**
   * To be awaited between two portions of work that many may do at once: nothing while the present turn of the event
   * loop has time left, else what resolves in a later one.
   */
  breathe(): Promise<void> | undefined
}

/** What a device sees of time: durations only. */
export interface DeviceClock {
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

/** How much faster than real time devices work; `max` does not wait at all. */
export type Speed = number | 'max'

const MAX_TIMEOUT_MS = 0x7fff_ffff

/** An ISO 8601 date-time in UTC without fractions, as Redfish resources show it. */
export function timestamp(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d{3}Z$/, 'Z')
}

/** The milliseconds since the epoch that an ISO 8601 date-time names. */
export function millisecondsOf(dateTime: string): number {
  return Date.parse(dateTime)
}

/** Where a moment stands in the calendar, in UTC: January is 0, and so is Sunday. */
export function calendarOf(ms: number): {
  readonly month: number
  readonly dayOfMonth: number
  readonly dayOfWeek: number
} {
  const date = new Date(ms)
  return { month: date.getUTCMonth(), dayOfMonth: date.getUTCDate(), dayOfWeek: date.getUTCDay() }
}

/** The time of the machine that runs the process. */
export const systemClock: Clock = {
  now: () => Date.now(),
  sleep: (ms, signal) => sleepBy(startTimeout, ms, signal),
  schedule: (ms, run) => startTimeout(ms, run, false),
  io: (work) => work,
  breathe,
}

/** Calls `run` when this turn of the event loop is over. */
export function afterTurn(run: () => void): void {
  setImmediate(run)
}

/** A clock for devices: `speed` scales durations and nothing else. */
export function deviceClock(clock: Clock, speed: Speed): DeviceClock {
  if (speed !== 'max') return { sleep: (ms, signal) => clock.sleep(ms / speed, signal) }
  return {
    // Still one turn of the event loop: a device that never waits must not starve the requests that watch it.
    sleep: async (_ms, signal) => {
      signal?.throwIfAborted()
      await clock.io(nextTurn())
      signal?.throwIfAborted()
    },
  }
}

/** A clock that a test moves by hand: timers fire in order, each followed by what it set in motion. */
export class VirtualClock implements Clock {
  #now: number
  #timers: { at: number; run: () => void }[] = []
  #pendingIo = 0
  #activity = 0

  constructor(startMs = Date.UTC(2026, 0, 1)) {
    this.#now = startMs
  }

  now(): number {
    return this.#now
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return sleepBy((delay, run) => this.schedule(delay, run), ms, signal)
  }

  schedule(ms: number, run: () => void): () => void {
    const timer = { at: this.#now + Math.max(0, ms), run }
    const index = this.#timers.findIndex((other) => other.at > timer.at)
    this.#timers.splice(index === -1 ? this.#timers.length : index, 0, timer)
    this.#activity++
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer)
    }
  }

  async io<T>(work: Promise<T>): Promise<T> {
    this.#pendingIo++
    try {
      return await work
    } finally {
      this.#pendingIo--
      this.#activity++
    }
  }

  /** Nobody waits for real time here. */
  breathe(): undefined {}

  /** Moves time forward by `ms`, firing every timer on the way and letting its consequences settle. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms
    await this.#settle()
    for (;;) {
      const next = this.#timers[0]
      if (next === undefined || next.at > end) break
      this.#timers.shift()
      this.#now = next.at
      next.run()
      await this.#settle()
    }
    this.#now = end
  }

  /** Waits until nothing has touched the clock for some turns of the event loop and no marked work is open. */
  async #settle(): Promise<void> {
    let seen = -1
    for (let quiet = 0; quiet < 4 || this.#pendingIo > 0;) {
      await nextTurn()
      quiet = this.#activity === seen ? quiet + 1 : 0
      seen = this.#activity
    }
  }
}

function startTimeout(ms: number, run: () => void, keepsAlive = true): () => void {
  const end = Date.now() + ms
  const timer = setTimeout(
    // setTimeout fires at once beyond 2^31 ms: a longer delay is walked in steps.
    () => (ms > MAX_TIMEOUT_MS ? (cancel = startTimeout(end - Date.now(), run, keepsAlive)) : run()),
    // A moment that has gone by, as that of a window: at once, and no warning of Node's.
    Math.min(Math.max(0, ms), MAX_TIMEOUT_MS),
  )
  if (!keepsAlive) timer.unref()
  let cancel = (): void => clearTimeout(timer)
  return () => cancel()
}

function sleepBy(
  schedule: (ms: number, run: () => void) => () => void,
  ms: number,
  signal?: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(reason(signal))
    const abort = (): void => {
      cancel()
      if (signal) reject(reason(signal))
    }
    const cancel = schedule(ms, () => {
      signal?.removeEventListener('abort', abort)
      resolve()
    })
    signal?.addEventListener('abort', abort, { once: true })
  })
}

function reason(signal: AbortSignal): Error {
  return signal.reason instanceof Error ? signal.reason : new Error('aborted', { cause: signal.reason })
}
