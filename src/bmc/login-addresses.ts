import type { Clock } from '../lib/clock.ts'
import { busy } from '../redfish/errors.ts'
import type { Bmc } from './bmc.ts'

/** Wrong logins from one address within a window; nobody who knows a password comes near. */
export const MAX_FAILURES = 50
export const WINDOW_MS = 60_000
/** Beyond it the oldest are forgotten: an attacker with that many addresses costs no more memory. */
const MAX_ADDRESSES = 1_000

interface Window {
  failures: number
  readonly endsAt: number
}

/** How often logins fail, by the address they come from: to guess is slow, whichever account it is about. */
export class LoginAddresses {
  readonly #clock: Clock
  /** Of those BMCs where somebody failed. */
  readonly #windows = new WeakMap<Bmc, Map<string, Window>>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Throws 503 where there were too many. */
  admit(bmc: Bmc, address: string): void {
    const window = this.#windows.get(bmc)?.get(address)
    if (window === undefined || window.failures < MAX_FAILURES) return
    const leftMs = window.endsAt - this.#clock.now()
    if (leftMs > 0) throw busy(Math.ceil(leftMs / 1_000))
  }

  failed(bmc: Bmc, address: string): void {
    const windows = this.#windows.get(bmc) ?? new Map<string, Window>()
    this.#windows.set(bmc, windows)
    const now = this.#clock.now()
    const known = windows.get(address)
    if (known !== undefined && known.endsAt > now) return void known.failures++
    windows.delete(address)
    const oldest = windows.keys().next()
    if (windows.size >= MAX_ADDRESSES && !oldest.done) windows.delete(oldest.value)
    windows.set(address, { failures: 1, endsAt: now + WINDOW_MS })
  }
}
