import type { Clock } from '../lib/clock.ts'
import { busy } from '../redfish/errors.ts'
import type { Bmc } from './bmc.ts'
import { ofEach } from '../lib/of-each.ts'

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
  readonly #windows = ofEach<Bmc, Map<string, Window>>(() => new Map())

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Throws 503 where there were too many. */
  admit(bmc: Bmc, address: string): void {
    const { failures, endsAt } = this.#window(bmc, address)
    if (failures < MAX_FAILURES) return
    throw busy(Math.ceil((endsAt - this.#clock.now()) / 1_000))
  }

  failed(bmc: Bmc, address: string): void {
    this.#window(bmc, address).failures++
  }

  #window(bmc: Bmc, address: string): Window {
    const windows = this.#windows(bmc)
    const now = this.#clock.now()
    const known = windows.get(address)
    if (known !== undefined && known.endsAt > now) return known
    windows.delete(address)
    const oldest = windows.keys().next()
    if (windows.size >= MAX_ADDRESSES && !oldest.done) windows.delete(oldest.value)
    const window = { failures: 0, endsAt: now + WINDOW_MS }
    windows.set(address, window)
    return window
  }
}
