import type { Clock } from '../lib/clock.ts'
import type { Wish } from './filters.ts'
import type { Batch } from './occurrence.ts'
import { eventPayload } from './payload.ts'

/** A comment at least this often: proxies and clients tell a quiet stream from a dead one. */
const KEEP_ALIVE_MS = 20_000
/** A reader that is further behind than this is dropped: it may come back and ask for what it missed. */
const MAX_BACKLOG_BYTES = 2 ** 20

/** Where a stream is written to. */
export interface StreamOutlet {
  /** Bytes that were written and have not left. */
  readonly backlogBytes: number
  write(text: string): void
  end(): void
  /** Ends without waiting for what has not left. */
  destroy(): void
}

/** One open stream of Server-Sent Events. */
export class EventStream {
  readonly #outlet: StreamOutlet
  readonly #clock: Clock
  readonly #context: string
  readonly #wish: Wish
  #cancelKeepAlive = (): void => {}
  #isOpen = true

  constructor(outlet: StreamOutlet, options: { clock: Clock; context: string; wish: Wish }) {
    this.#outlet = outlet
    this.#clock = options.clock
    this.#context = options.context
    this.#wish = options.wish
    // Whoever opens the stream learns at once that it is open.
    this.#write(':\n\n')
    this.#keepAlive()
  }

  send(batch: Batch, isForAll = false): void {
    const wanted = isForAll ? batch.records : batch.records.filter((record) => this.#wish(record))
    if (wanted.length === 0) return
    const payload = eventPayload(batch, wanted, { context: this.#context })
    this.#write(`id: ${batch.id}\ndata: ${JSON.stringify(payload)}\n\n`)
  }

  end(): void {
    if (!this.#isOpen) return
    this.closed()
    this.#outlet.end()
  }

  /** The connection is gone: nothing is written any more. */
  closed(): void {
    this.#isOpen = false
    this.#cancelKeepAlive()
  }

  #keepAlive(): void {
    this.#cancelKeepAlive = this.#clock.schedule(KEEP_ALIVE_MS, () => {
      this.#write(':\n\n')
      if (this.#isOpen) this.#keepAlive()
    })
  }

  #write(text: string): void {
    if (!this.#isOpen) return
    if (this.#outlet.backlogBytes > MAX_BACKLOG_BYTES) {
      this.closed()
      return this.#outlet.destroy()
    }
    this.#outlet.write(text)
  }
}
