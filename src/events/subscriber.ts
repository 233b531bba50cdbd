import type { Bmc } from '../bmc/bmc.ts'
import type { Subscription } from '../bmc/subscription.ts'
import type { Background } from '../lib/background.ts'
import type { Clock } from '../lib/clock.ts'
import { message } from '../redfish/messages/message.ts'
import type { Resource } from '../redfish/resource.ts'
import { uris } from '../redfish/uris.ts'
import type { Directory } from './directory.ts'
import type { EventSink } from './event-sink.ts'
import { passes } from './filters.ts'
import type { EventKeeper, KeptOutbox } from './kept.ts'
import type { Batch, Occurrence } from './occurrence.ts'
import { Outbox } from './outbox.ts'
import { eventPayload } from './payload.ts'

/** What the subscribers of all BMCs have in common. */
export interface Mail {
  readonly clock: Clock
  readonly sink: EventSink
  readonly background: Background
  readonly directory: Directory
  /** Told of every event that its subscriber will never be sent. */
  readonly dropped: () => void
  /** Whether events may be sent to a URL. */
  readonly mayReach: (url: string) => boolean
  /** A subscriber's attempts are used up. */
  readonly exhausted: (bmc: Bmc, id: string) => void
}

/** What the subscribers of one BMC have in common. */
export interface Sender extends Mail {
  readonly bmc: Bmc
  readonly keeper: EventKeeper
  /** Gives what a subscriber alone is told of a name. */
  readonly batch: (occurrences: readonly Occurrence[]) => Batch
}

/** One who is told by POST. */
export class Subscriber {
  readonly #sender: Sender
  readonly #id: string
  readonly #outbox: Outbox
  #cancelBeat = (): void => {}

  constructor(sender: Sender, { id, heartbeatMinutes }: Subscription, kept?: KeptOutbox) {
    const { bmc, keeper } = sender
    this.#sender = sender
    this.#id = id
    this.#outbox = new Outbox({
      kept,
      clock: sender.clock,
      background: { start: (work) => sender.background.start(work, bmc) },
      dropped: sender.dropped,
      send: (body, signal) => this.#deliver(body, signal),
      rules: () => {
        const { deliveryRetryAttempts, deliveryRetryIntervalS } = bmc.state.settings
        const policy = this.#subscription?.retryPolicy ?? 'TerminateAfterRetries'
        return { attempts: deliveryRetryAttempts, intervalMs: deliveryRetryIntervalS * 1_000, policy }
      },
      exhausted: () => sender.exhausted(bmc, id),
      lossNotice: () => this.#bodyOf(sender.batch([lossOf(uris.eventDestination(id))]), true) ?? '',
      keep: (number, value) => keeper.waits(id, number, value),
    })
    if (heartbeatMinutes !== undefined) this.#beat(heartbeatMinutes * 60_000)
  }

  /** Tells of a batch, as far as the subscriber wants to know, or whatever it wants. */
  push(batch: Batch, isForAll = false): void {
    const body = this.#bodyOf(batch, isForAll)
    if (body !== undefined) this.#outbox.push(body)
  }

  suspend(): void {
    this.#outbox.suspend()
  }

  /** Goes on sending, with what waited and is not older than `maxAgeMs`. */
  resume(maxAgeMs?: number): void {
    this.#outbox.resume(maxAgeMs)
  }

  /** Sends nothing more; another run of the service goes on with what waits. */
  close(): void {
    this.#cancelBeat()
    this.#outbox.close()
  }

  /** Its subscription is gone, and with it all that it was to be told. */
  discard(): void {
    this.#cancelBeat()
    this.#outbox.discard()
  }

  get #subscription(): Subscription | undefined {
    return this.#sender.bmc.state.subscriptions.get(this.#id)
  }

  #beat(intervalMs: number): void {
    this.#cancelBeat = this.#sender.clock.schedule(intervalMs, () => {
      const { outage, settings } = this.#sender.bmc.state
      const isTold = outage === undefined && settings.eventServiceEnabled
      const isSuspended = this.#subscription?.suspended !== undefined
      const functional = { message: message('HeartbeatEvent.RedfishServiceFunctional'), origin: uris.root }
      if (isTold && !isSuspended) this.push(this.#sender.batch([functional]), true)
      this.#beat(intervalMs)
    })
  }

  #bodyOf(batch: Batch, isForAll: boolean): string | undefined {
    const subscription = this.#subscription
    if (subscription === undefined) return undefined
    const { bmc, directory } = this.#sender
    const { filter, context, includeOrigin, owner } = subscription
    const wanted = isForAll ? batch.records : batch.records.filter((record) => passes(filter, record))
    if (wanted.length === 0) return undefined
    const show = (uri: string): Resource | undefined => directory.show(bmc, uri, owner)
    return JSON.stringify(eventPayload(batch, wanted, { context, ...(includeOrigin && { show }) }))
  }

  /** Tries the destination, then each of its backups. */
  async #deliver(body: string, signal: AbortSignal): Promise<boolean> {
    // What leaves is kept first, with everything written by then: what others are to be told of the same commit, too.
    await Promise.resolve()
    signal.throwIfAborted()
    const subscription = this.#subscription
    if (subscription === undefined) return true
    const { sink, mayReach } = this.#sender
    const { destination, backupDestinations, httpHeaders: headers, verifyCertificate } = subscription
    for (const one of [destination, ...backupDestinations].filter(mayReach)) {
      const isTaken = await sink.deliver({ destination: one, headers, body, verifyCertificate, signal })
      if (isTaken) return true
    }
    return false
  }
}

/** That something was lost on the way to a subscriber. */
export function lossOf(origin: string): Occurrence {
  return { message: message('Base.EventBufferExceeded'), origin }
}
