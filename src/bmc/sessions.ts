import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { Clock } from '../lib/clock.ts'
import type { Bmc } from './bmc.ts'
import { commit } from './commit.ts'
import type { Account, Session } from './state.ts'

/** The sessions of all BMCs: they end when idle for longer than their BMC's SessionTimeout. */
export class Sessions {
  readonly #clock: Clock
  readonly #lastUse = new WeakMap<Session, number>()
  #count = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Opens a session. The token is told once; only its hash is kept. */
  open(bmc: Bmc, account: Account, origin: string): { readonly session: Session; readonly token: string } {
    const id = `${++this.#count}${randomBytes(4).toString('hex')}`
    // The token names its session, so that finding it needs no index; its random part is the secret.
    const token = `${id}-${randomBytes(32).toString('base64url')}`
    const createdAt = this.#clock.now()
    const session: Session = { id, username: account.username, tokenHash: digest(token), createdAt, origin }
    this.#lastUse.set(session, createdAt)
    commit(bmc, { sessions: [[id, session]] })
    this.#expireWhenIdle(bmc, session)
    return { session, token }
  }

  /** The live session of a token; using it keeps it alive. */
  use(bmc: Bmc, token: string): Session | undefined {
    const session = bmc.state.sessions.get(token.slice(0, Math.max(0, token.indexOf('-'))))
    if (session === undefined) return undefined
    if (!timingSafeEqual(Buffer.from(digest(token)), Buffer.from(session.tokenHash))) return undefined
    if (this.#leftMs(bmc, session) <= 0) return undefined
    this.#lastUse.set(session, this.#clock.now())
    return session
  }

  end(bmc: Bmc, id: string): void {
    commit(bmc, { sessions: [[id, undefined]] })
  }

  #expireWhenIdle(bmc: Bmc, session: Session): void {
    if (bmc.state.sessions.get(session.id) !== session) return
    const leftMs = this.#leftMs(bmc, session)
    if (leftMs <= 0) return this.end(bmc, session.id)
    this.#clock.schedule(leftMs, () => this.#expireWhenIdle(bmc, session))
  }

  #leftMs(bmc: Bmc, session: Session): number {
    const idleMs = this.#clock.now() - (this.#lastUse.get(session) ?? 0)
    return bmc.state.settings.sessionTimeoutS * 1_000 - idleMs
  }
}

function digest(token: string): string {
  return createHash('sha256').update(token).digest('base64')
}
