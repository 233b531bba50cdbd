import { randomInt } from 'node:crypto'
import type { Clock } from '../../../lib/clock.ts'
import { consentReturns, type optInPolicies, optInStates } from '../wsman.ts'
import type { Asker, AuditLog } from './audit-log.ts'

export type ConsentPolicy = keyof typeof optInPolicies

export const CODE_TIMEOUT_S = 120
export const CONSENT_TIMEOUT_S = 300
const MAX_WRONG_CODES = 3

interface ConsentOptions {
  readonly clock: Clock
  readonly policy: ConsentPolicy
  readonly auditLog: AuditLog
  /** Shows the user a line. */
  readonly show: (line: string) => void
  /** Consent that was given is over. */
  readonly ended: () => void
}

/** A user at the machine, who reads a code from its screen to whoever wants to boot it remotely. */
export class Consent {
  readonly #options: ConsentOptions
  #state: number = optInStates.notStarted
  #code = 0
  #wrongCodes = 0
  #cancelTimer = (): void => {}

  constructor(options: ConsentOptions) {
    this.#options = options
  }

  get policy(): ConsentPolicy {
    return this.#options.policy
  }

  get state(): number {
    return this.#state
  }

  /** Whether boot options may be set. */
  get isGiven(): boolean {
    return this.policy !== 'all' || this.#state >= optInStates.received
  }

  start(): number {
    if (this.policy === 'none' || this.#state !== optInStates.notStarted) return consentReturns.invalidState
    this.#code = randomInt(1_000_000)
    this.#wrongCodes = 0
    this.#become(optInStates.displayed, CODE_TIMEOUT_S)
    this.#options.show(`user consent code ${String(this.#code).padStart(6, '0')}`)
    return consentReturns.success
  }

  send(code: number, asker: Asker): number {
    if (this.#state !== optInStates.displayed) return consentReturns.invalidState
    const isRight = code === this.#code
    if (isRight) this.#become(optInStates.received, CONSENT_TIMEOUT_S)
    else this.#wrongCodes++
    const isBlocked = this.#wrongCodes === MAX_WRONG_CODES
    if (isRight || isBlocked) this.#options.auditLog.add('consentCode', asker, Buffer.of(isRight ? 0 : 1))
    if (isBlocked) this.end()
    if (isRight) return consentReturns.success
    return isBlocked ? consentReturns.blocked : consentReturns.notPermitted
  }

  cancel(): number {
    if (this.#state === optInStates.notStarted) return consentReturns.invalidState
    this.end()
    return consentReturns.success
  }

  /** What was consented to is done. */
  end(): void {
    this.#cancelTimer()
    const was = this.#state
    this.#state = optInStates.notStarted
    if (was >= optInStates.received) this.#options.ended()
  }

  #become(state: number, seconds: number): void {
    this.#cancelTimer()
    this.#state = state
    this.#cancelTimer = this.#options.clock.schedule(seconds * 1_000, () => this.end())
  }
}
