import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { Clock } from '../../../lib/clock.ts'
import { parseChallenges } from '../../../lib/http-authorization.ts'

export interface Account {
  readonly userName: string
  readonly password: string
}

/** What comes of a request's Authorization. */
export type Verdict =
  | { readonly kind: 'right'; readonly user: string }
  /** What WWW-Authenticate says; `isWrong` where the name or the password was. */
  | { readonly kind: 'challenged'; readonly challenge: string; readonly isWrong: boolean }

interface Nonce {
  readonly expires: number
  /** The highest count that it was used with. */
  count: number
}

const MAX_NONCES = 64
const OPAQUE = '00000000'

/** Asks clients for the password by HTTP Digest (RFC 7616; MD5 with qop=auth, as Intel AMT does). */
export class DigestGuard {
  readonly #clock: Clock
  readonly #account: Account
  readonly #realm: string
  readonly #lifetimeMs: number
  readonly #nonces = new Map<string, Nonce>()

  constructor(clock: Clock, account: Account, { realm, lifetimeMs }: { realm: string; lifetimeMs: number }) {
    this.#clock = clock
    this.#account = account
    this.#realm = realm
    this.#lifetimeMs = lifetimeMs
  }

  judge(authorization: string | undefined, method: string, target: string): Verdict {
    const [shown] = authorization === undefined ? [] : parseChallenges(authorization)
    if (shown?.scheme !== 'digest') return this.#challenge({ isStale: false, isWrong: false })
    const field = (name: string): string => shown.parameters.get(name) ?? ''
    const isWhole =
      field('realm') === this.#realm &&
      field('uri') === target &&
      field('qop') === 'auth' &&
      field('opaque') === OPAQUE
    if (!isWhole || !this.#isRight(field, method)) return this.#challenge({ isStale: false, isWrong: true })
    // Whoever proves the password with a nonce that is too old, or used, may go on with another.
    if (!this.#use(field('nonce'), field('nc'))) return this.#challenge({ isStale: true, isWrong: false })
    return { kind: 'right', user: this.#account.userName }
  }

  #isRight(field: (name: string) => string, method: string): boolean {
    const { userName, password } = this.#account
    const secret = md5(userName, this.#realm, password)
    const asked = md5(method, field('uri'))
    const right = md5(secret, field('nonce'), field('nc'), field('cnonce'), 'auth', asked)
    return field('username') === userName && isSame(field('response'), right)
  }

  /** Whether this nonce is one of ours and was not used with this count before. */
  #use(text: string, count: string): boolean {
    const nonce = this.#nonces.get(text)
    if (nonce === undefined || nonce.expires <= this.#clock.now() || !/^[0-9a-f]{8}$/i.test(count))
      return false
    const used = Number.parseInt(count, 16)
    if (used <= nonce.count) return false
    nonce.count = used
    return true
  }

  #challenge({ isStale, isWrong }: { isStale: boolean; isWrong: boolean }): Verdict {
    const nonce = randomBytes(16).toString('hex')
    this.#nonces.set(nonce, { expires: this.#clock.now() + this.#lifetimeMs, count: 0 })
    const [oldest] = this.#nonces.keys()
    if (this.#nonces.size > MAX_NONCES && oldest !== undefined) this.#nonces.delete(oldest)
    const challenge = `Digest realm="${this.#realm}", nonce="${nonce}", stale="${isStale}", qop="auth", algorithm=MD5, opaque="${OPAQUE}"`
    return { kind: 'challenged', challenge, isWrong }
  }
}

function md5(...parts: readonly string[]): string {
  return createHash('md5').update(parts.join(':')).digest('hex')
}

function isSame(given: string, right: string): boolean {
  const [one, other] = [Buffer.from(given), Buffer.from(right)]
  return one.byteLength === other.byteLength && timingSafeEqual(one, other)
}
