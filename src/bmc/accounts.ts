import { createHmac, randomBytes, scrypt, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import type { Privilege } from '../redfish/resource-table.ts'
import type { Account } from './state.ts'

const derive = promisify<string, Uint8Array, number, Buffer>(scrypt)
const HASH_BYTES = 32
const CACHED_CREDENTIALS = 1_000

/** What the predefined role Administrator may do. */
export const administrator: readonly Privilege[] = [
  'Login',
  'ConfigureManager',
  'ConfigureUsers',
  'ConfigureSelf',
  'ConfigureComponents',
]

/** An account with its password hashed by scrypt; the password itself is not kept. */
export async function createAccount(
  username: string,
  password: string,
  privileges: readonly Privilege[] = administrator,
): Promise<Account> {
  const salt = randomBytes(16)
  return { username, salt, hash: await derive(password, salt, HASH_BYTES), privileges: new Set(privileges) }
}

/** Checks passwords; remembers verified ones as keyed digests, so that Basic costs no scrypt per request. */
export class PasswordChecker {
  readonly #key = randomBytes(32)
  readonly #verified = new Map<string, Account>()
  #nobody: Promise<Account> | undefined

  /** The account that these credentials belong to; an unknown name takes as long as a wrong password. */
  async check(
    accounts: ReadonlyMap<string, Account>,
    username: string,
    password: string,
  ): Promise<Account | undefined> {
    const account = accounts.get(username)
    const digest = createHmac('sha256', this.#key).update(`${username}\0${password}`).digest('base64')
    if (account !== undefined && this.#verified.get(digest) === account) return account
    const { salt, hash } =
      account ?? (await (this.#nobody ??= createAccount('', randomBytes(16).toString('hex'), [])))
    const matches = timingSafeEqual(await derive(password, salt, HASH_BYTES), hash)
    if (!matches || account === undefined) return undefined
    const oldest = this.#verified.keys().next()
    if (this.#verified.size >= CACHED_CREDENTIALS && !oldest.done) this.#verified.delete(oldest.value)
    this.#verified.set(digest, account)
    return account
  }
}
