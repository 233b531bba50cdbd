import { hash as digestOf, randomBytes, scrypt, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import type { Account } from './state.ts'

const derive = promisify<string, Uint8Array, number, Buffer>(scrypt)
const HASH_BYTES = 32
const CACHED_CREDENTIALS = 1_000

/** What stands in an account for its password. */
export type PasswordHash = Pick<Account, 'salt' | 'hash'>

/** Hashes a password by scrypt; the password itself is not kept. */
export async function hashPassword(password: string): Promise<PasswordHash> {
  const salt = randomBytes(16)
  return { salt, hash: await derive(password, salt, HASH_BYTES) }
}

/** An enabled account for Redfish with this password, of a role that is there. */
export async function createAccount(username: string, password: string, roleId?: string): Promise<Account> {
  return accountOf(username, await hashPassword(password), roleId)
}

/** Likewise, where the password is hashed already. */
export function accountOf(username: string, { salt, hash }: PasswordHash, roleId = 'Administrator'): Account {
  return {
    id: newAccountId(new Map(), username),
    username,
    salt,
    hash,
    roleId,
    enabled: true,
    isLocked: false,
    accountTypes: ['Redfish'],
    mustChangePassword: false,
    expiresAt: undefined,
  }
}

/** The name where it makes a URI without escapes, else the next free number. */
export function newAccountId(accounts: ReadonlyMap<string, Account>, username: string): string {
  // Below a collection, `Members` is the collection's own.
  if (/^[\w-]+$/.test(username) && username !== 'Members' && !accounts.has(username)) return username
  let number = accounts.size + 1
  while (accounts.has(String(number))) number++
  return String(number)
}

/** The account of this name. */
export function findAccount(accounts: ReadonlyMap<string, Account>, username: string): Account | undefined {
  for (const account of accounts.values()) if (account.username === username) return account
  return undefined
}

/** Checks passwords; remembers verified ones as keyed digests, so that Basic costs no scrypt per request. */
export class PasswordChecker {
  readonly #key = randomBytes(32)
  /** By digest, the hash that it was verified against. */
  readonly #verified = new Map<string, Uint8Array>()
  /** What is being compared, by digest. */
  readonly #comparing = new Map<string, { readonly hash: Uint8Array; readonly matches: Promise<boolean> }>()
  /** Stands for unknown names: no password is known to have this hash, and to check one takes as long as any other. */
  readonly #nobody: PasswordHash = { salt: randomBytes(16), hash: randomBytes(HASH_BYTES) }

  /** Whether this is the account's password; without an account it is not, after as long a time. */
  async check(account: PasswordHash | undefined, password: string): Promise<boolean> {
    const { salt, hash } = account ?? this.#nobody
    const digest = digestOf('sha256', Buffer.concat([this.#key, salt, Buffer.from(password)]), 'base64')
    if (account !== undefined && this.#verified.get(digest) === hash) return true
    const matches = await this.#compare(digest, { salt, hash }, password)
    if (!matches || account === undefined) return false
    const oldest = this.#verified.keys().next()
    if (this.#verified.size >= CACHED_CREDENTIALS && !oldest.done) this.#verified.delete(oldest.value)
    this.#verified.set(digest, hash)
    return true
  }

  /** Clients of a fleet come all at once with the same password, to BMCs that share the account. */
  async #compare(digest: string, { salt, hash }: PasswordHash, password: string): Promise<boolean> {
    const known = this.#comparing.get(digest)
    if (known?.hash === hash) return known.matches
    const matches = derive(password, salt, HASH_BYTES).then((derived) => timingSafeEqual(derived, hash))
    this.#comparing.set(digest, { hash, matches })
    try {
      return await matches
    } finally {
      this.#comparing.delete(digest)
    }
  }
}
