import type { Clock } from '../lib/clock.ts'
import { message } from '../redfish/messages/message.ts'
import { uris } from '../redfish/uris.ts'
import { findAccount, type PasswordChecker } from './accounts.ts'
import type { Bmc } from './bmc.ts'
import { commit } from './commit.ts'
import { audited } from './log.ts'
import { LoginAddresses } from './login-addresses.ts'
import { hasOtherAdministrator } from './roles.ts'
import { endedSessions } from './sessions.ts'
import type { Account } from './state.ts'

/** What is remembered of an account beside its state. */
interface Watch {
  failures: number
  lastFailureAt: number
  cancelUnlock: () => void
  cancelExpiration: () => void
}

/** Who may come in: the right password, of an account that is enabled, not expired and not locked. */
export class Logins {
  readonly #clock: Clock
  readonly #passwords: PasswordChecker
  readonly #addresses: LoginAddresses
  /** Of those BMCs where there was something to remember. */
  readonly #watches = new WeakMap<Bmc, Map<string, Watch>>()

  constructor(clock: Clock, passwords: PasswordChecker) {
    this.#clock = clock
    this.#passwords = passwords
    this.#addresses = new LoginAddresses(clock)
  }

  /** The account, where these credentials open it. Whatever is wrong takes as long as a wrong password. */
  async check(bmc: Bmc, username: string, password: string): Promise<Account | undefined> {
    const named = findAccount(bmc.state.accounts, username)
    const isRight = await this.#passwords.check(named, password)
    // Meanwhile others may have locked, disabled, changed or removed it.
    const account = named && bmc.state.accounts.get(named.id)
    if (account === undefined || !this.#isOpen(account)) return undefined
    if (!isRight || account.hash !== named?.hash) {
      this.#countFailure(bmc, account)
      return undefined
    }
    this.#forgive(bmc, account.id)
    return account
  }

  /** As `check`, where it counts from which address one tries. */
  async checkFrom(
    bmc: Bmc,
    address: string,
    { username, password }: { readonly username: string; readonly password: string },
  ): Promise<Account | undefined> {
    this.#addresses.admit(bmc, address)
    const account = await this.check(bmc, username, password)
    if (account === undefined) this.#addresses.failed(bmc, address)
    return account
  }

  /** The account of a session, while it may still be used: being locked keeps nobody out who is in. */
  stillOpen(bmc: Bmc, username: string): Account | undefined {
    const account = findAccount(bmc.state.accounts, username)
    return account && this.#isOpen({ ...account, isLocked: false }) ? account : undefined
  }

  /** The account of a user who need not prove it, where it could log in now. */
  openAccount(bmc: Bmc, username: string): Account | undefined {
    const account = findAccount(bmc.state.accounts, username)
    return account && this.#isOpen(account) ? account : undefined
  }

  /** An account was made, changed or removed by a client: what was counted and timed of it begins anew. */
  changed(bmc: Bmc, id: string): void {
    const watch = this.#watch(bmc, id)
    const account = bmc.state.accounts.get(id)
    watch.failures = 0
    watch.cancelExpiration()
    if (account?.isLocked !== true) watch.cancelUnlock()
    if (account === undefined) this.#watches.get(bmc)?.delete(id)
    else this.#expireInTime(bmc, account)
  }

  /** After a restart: what time does to accounts, it goes on doing. */
  takeUp(bmc: Bmc): void {
    for (const account of bmc.state.accounts.values()) {
      this.#expireInTime(bmc, account)
      if (account.isLocked) this.#unlockInTime(bmc, account)
    }
  }

  /** Nothing is timed any more for a BMC that is gone. */
  forget(bmc: Bmc): void {
    for (const watch of this.#watches.get(bmc)?.values() ?? []) {
      watch.cancelUnlock()
      watch.cancelExpiration()
    }
  }

  /** Whether an account may be used at all, by whatever proof. */
  #isOpen({ enabled, isLocked, accountTypes, expiresAt }: Account): boolean {
    return (
      enabled && !isLocked && accountTypes.includes('Redfish') && (expiresAt ?? Infinity) > this.#clock.now()
    )
  }

  /** AccountLockoutThreshold failures, none of them forgotten yet, lock the account (AccountService v1_18). */
  #countFailure(bmc: Bmc, account: Account): void {
    const { settings } = bmc.state
    const now = this.#clock.now()
    const watch = this.#watch(bmc, account.id)
    const isForgotten =
      settings.lockoutResetEnabled && now - watch.lastFailureAt >= settings.lockoutResetAfterS * 1_000
    watch.failures = isForgotten ? 1 : watch.failures + 1
    watch.lastFailureAt = now
    if (settings.lockoutThreshold === 0 || watch.failures < settings.lockoutThreshold) return
    // Without an end, a lock on the last administrator would keep everybody out: that one ends in any case.
    const isEndless = !settings.lockoutResetEnabled && hasOtherAdministrator(bmc.state, account.id)
    if (!isEndless && settings.lockoutDurationS === 0) return
    watch.failures = 0
    const lockedUntil = isEndless ? undefined : now + settings.lockoutDurationS * 1_000
    this.#setLocked(bmc, account.id, { isLocked: true, lockedUntil })
    this.#unlockInTime(bmc, { id: account.id, lockedUntil })
  }

  #unlockInTime(bmc: Bmc, { id, lockedUntil }: Pick<Account, 'id' | 'lockedUntil'>): void {
    if (lockedUntil === undefined) return
    const unlock = (): void => this.#setLocked(bmc, id, { isLocked: false, lockedUntil: undefined })
    const leftMs = Math.max(0, lockedUntil - this.#clock.now())
    this.#watch(bmc, id).cancelUnlock = this.#clock.schedule(leftMs, unlock)
  }

  #expireInTime(bmc: Bmc, { id, expiresAt, enabled }: Account): void {
    if (expiresAt === undefined || !enabled) return
    const leftMs = expiresAt - this.#clock.now()
    if (leftMs <= 0) return this.#disable(bmc, id)
    this.#watch(bmc, id).cancelExpiration = this.#clock.schedule(leftMs, () => this.#disable(bmc, id))
  }

  #setLocked(bmc: Bmc, id: string, lock: Pick<Account, 'isLocked' | 'lockedUntil'>): void {
    const account = bmc.state.accounts.get(id)
    const { isLocked } = lock
    if (account === undefined || account.isLocked === isLocked) return
    const key = isLocked ? 'AccountSecurity.AccountLocked' : 'AccountSecurity.AccountLockoutExpired'
    commit(bmc, {
      accounts: [[id, { ...account, ...lock }]],
      ...audited(bmc, this.#clock.now(), uris.account(id), [message(key, account.username)]),
    })
  }

  /** ManagerAccount v1_14, AccountExpiration: the service shall disable an account that has expired. */
  #disable(bmc: Bmc, id: string): void {
    const account = bmc.state.accounts.get(id)
    if (account?.enabled !== true) return
    const { username } = account
    commit(bmc, {
      accounts: [[id, { ...account, enabled: false }]],
      ...endedSessions(bmc.state, username),
      ...audited(bmc, this.#clock.now(), uris.account(id), [
        message('AccountSecurity.AccountDisabled', username),
      ]),
    })
  }

  #forgive(bmc: Bmc, id: string): void {
    const watch = this.#watches.get(bmc)?.get(id)
    if (watch !== undefined) watch.failures = 0
  }

  #watch(bmc: Bmc, id: string): Watch {
    const watches = this.#watches.get(bmc) ?? new Map<string, Watch>()
    this.#watches.set(bmc, watches)
    const known = watches.get(id)
    if (known !== undefined) return known
    const watch = { failures: 0, lastFailureAt: 0, cancelUnlock: nothing, cancelExpiration: nothing }
    watches.set(id, watch)
    return watch
  }
}

function nothing(): void {}
