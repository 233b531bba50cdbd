import type { Clock } from '../../../lib/clock.ts'
import { type AuditEvent, auditEvents, encodeRecord } from '../audit-record.ts'

/** Whoever asks a machine for something. */
export interface Asker {
  /** As whom it is logged in; `undefined` for the machine itself. */
  readonly user: string | undefined
  readonly address: string
}

/** Nobody from outside. */
export const itself: Asker = { user: undefined, address: '' }

const MAX_RECORDS = 1_000
/** As many as Intel AMT tells at once. */
const MAX_RETURNED = 10

/** What was asked of a machine, and by whom; the oldest records give way. */
export class AuditLog {
  readonly #clock: Clock
  readonly #records: string[] = []

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get count(): number {
    return this.#records.length
  }

  get capacity(): number {
    return MAX_RECORDS
  }

  add(event: AuditEvent, { user, address }: Asker, details: Uint8Array = new Uint8Array()): void {
    const [application, number] = auditEvents[event]
    const time = this.#clock.now()
    this.#records.push(encodeRecord({ application, event: number, user, time, address, details }))
    if (this.#records.length > MAX_RECORDS) this.#records.shift()
  }

  /** Some records in base64, from this one on; the first is 1. */
  read(start: number): readonly string[] {
    return this.#records.slice(start - 1, start - 1 + MAX_RETURNED)
  }
}
