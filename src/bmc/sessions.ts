import { hash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { Clock } from '../lib/clock.ts'
import { fail, type Result, succeed } from '../lib/result.ts'
import type { Bmc } from './bmc.ts'
import { commit } from './commit.ts'
import { ofEach } from '../lib/of-each.ts'
import type { Session } from './session.ts'
import type { Account, BmcState, Change, Settings } from './state.ts'

/** Open sessions of one BMC. */
export const MAX_SESSIONS = 64

interface Login {
  readonly origin: string
  readonly context: string | null
}

/** Of a token, at its end, in hexadecimal digits. */
const SECRET_BYTES = 32

/** The sessions of all BMCs: they end when idle for SessionTimeout, and AbsoluteSessionTimeout after their login. */
export class Sessions {
  readonly #clock: Clock
  readonly #lastUse = new WeakMap<Session, number>()
  readonly #timers = ofEach<Bmc, Map<string, () => void>>(() => new Map())
  #count = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Opens a session. The token is told once; only its hash is kept. */
  open(
    bmc: Bmc,
    account: Account,
    login: Login,
  ): Result<{ readonly session: Session; readonly token: string }, 'limit'> {
    if (bmc.state.sessions.size >= MAX_SESSIONS) return fail('limit')
    const id = `${++this.#count}${randomBytes(4).toString('hex')}`
    // The token names its session, so that finding it needs no index; its random part is the secret.
    const token = `${id}${randomBytes(SECRET_BYTES).toString('hex')}`
    const createdAt = this.#clock.now()
    const session: Session = { id, username: account.username, tokenHash: digest(token), createdAt, ...login }
    this.#lastUse.set(session, createdAt)
    commit(bmc, { sessions: [[id, session]] })
    this.#expireInTime(bmc, session)
    return succeed({ session, token })
  }

  /** The live session of a token; using it keeps it alive. */
  use(bmc: Bmc, token: string): Session | undefined {
    const session = bmc.state.sessions.get(token.slice(0, -2 * SECRET_BYTES))
    if (session === undefined) return undefined
    if (!timingSafeEqual(Buffer.from(digest(token)), Buffer.from(session.tokenHash))) return undefined
    if (this.#leftMs(bmc, session) <= 0) return undefined
    this.#lastUse.set(session, this.#clock.now())
    return session
  }

  end(bmc: Bmc, id: string): void {
    commit(bmc, { sessions: [[id, undefined]] })
  }

  /** Nothing is timed any more for a BMC that is gone. */
  forget(bmc: Bmc): void {
    for (const cancel of this.#timers(bmc).values()) cancel()
  }

  /** A timeout changed: it holds for the sessions that are open, too. */
  reschedule(bmc: Bmc): void {
    for (const session of bmc.state.sessions.values()) this.#expireInTime(bmc, session)
  }

  #expireInTime(bmc: Bmc, session: Session): void {
    const timers = this.#timers(bmc)
    timers.get(session.id)?.()
    timers.delete(session.id)
    if (bmc.state.sessions.get(session.id) !== session) return
    const leftMs = this.#leftMs(bmc, session)
    if (leftMs <= 0) return this.end(bmc, session.id)
    const cancel = this.#clock.schedule(leftMs, () => this.#expireInTime(bmc, session))
    timers.set(session.id, cancel)
  }

  #leftMs(bmc: Bmc, session: Session): number {
    const now = this.#clock.now()
    const idleMs = now - (this.#lastUse.get(session) ?? 0)
    const { settings } = bmc.state
    return Math.min(
      settings.sessionTimeoutS * 1_000 - idleMs,
      (expirationOf(session, settings) ?? Infinity) - now,
    )
  }
}

/** The change that ends the sessions of a user. */
export function endedSessions({ sessions }: BmcState, username: string): Pick<Change, 'sessions'> {
  const own = [...sessions.values()].filter((session) => session.username === username)
  return { sessions: own.map(({ id }) => [id, undefined] as const) }
}

/** When a session ends however much it is used; `undefined` where it does not. */
export function expirationOf({ createdAt }: Session, settings: Settings): number | undefined {
  const { absoluteSessionTimeoutEnabled, absoluteSessionTimeoutS } = settings
  return absoluteSessionTimeoutEnabled ? createdAt + absoluteSessionTimeoutS * 1_000 : undefined
}

function digest(token: string): string {
  return hash('sha256', token, 'base64')
}
