import { findAccount } from '../bmc/accounts.ts'
import type { Bmc, Listener } from '../bmc/bmc.ts'
import type { Change } from '../bmc/state.ts'
import type { Subscription } from '../bmc/subscription.ts'
import type { Background } from '../lib/background.ts'
import type { Clock } from '../lib/clock.ts'
import { message } from '../redfish/messages/message.ts'
import type { Resource } from '../redfish/resource.ts'
import { uris } from '../redfish/uris.ts'
import type { EventStream } from './event-stream.ts'
import type { EventSink } from './event-sink.ts'
import { passes } from './filters.ts'
import { type Batch, type EventRecord, messageKeyOf, type Occurrence } from './occurrence.ts'
import { occurrencesOf } from './occurrences.ts'
import { Outbox } from './outbox.ts'
import { eventPayload } from './payload.ts'
import { RecentBatches } from './recent.ts'

/** How long events are kept for a stream to come back once nobody is told of them. */
const KEEP_MS = 600_000

/** What resources are, for events that show them or are filtered by their type. */
export interface Directory {
  /** The type without its version, of resources that are gone, too. */
  typeOf(bmc: Bmc, uri: string): string | undefined
  /** As a user may see it. */
  show(bmc: Bmc, uri: string, username: string | undefined): Resource | undefined
}

export interface WatchOptions {
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

/** What one BMC tells its subscribers; begun with the first of them, so that the others cost nothing. */
export class Watch {
  readonly #bmc: Bmc
  readonly #options: WatchOptions
  readonly #outboxes = new Map<string, Outbox>()
  readonly #heartbeats = new Map<string, () => void>()
  readonly #streams = new Map<string, EventStream>()
  readonly #recent = new RecentBatches()
  /** Told when the manager is back: nobody sends while it boots. */
  #held: Batch[] = []
  #batches = 0
  /** Ids of another run mean nothing in this one. */
  readonly #run: string
  #cancelForgetting = (): void => {}

  constructor(bmc: Bmc, options: WatchOptions) {
    this.#bmc = bmc
    this.#options = options
    this.#run = options.clock.now().toString(36)
    this.begin()
  }

  get streamCount(): number {
    return this.#streams.size
  }

  /** Watches, again if nobody was left. */
  begin(): void {
    this.#cancelForgetting()
    this.#bmc.listeners.add(this.#onCommit)
  }

  /** Tells everybody who wants to know. */
  publish(occurrences: readonly Occurrence[]): void {
    if (occurrences.length === 0 || !this.#bmc.state.settings.eventServiceEnabled) return
    const batch = this.#batch(occurrences)
    if (this.#bmc.state.outage !== undefined) this.#held.push(batch)
    else this.#send(batch)
  }

  /** Adds the stream of a subscription and sends it what it missed. */
  addStream(id: string, stream: EventStream, lastEventId: string | undefined): void {
    if (lastEventId !== undefined) {
      const missed = this.#recent.after(lastEventId)
      if (missed === undefined) stream.send(this.#batch([lossOf(uris.eventDestination(id))]), true)
      for (const batch of missed ?? this.#recent.all()) stream.send(batch)
    }
    this.#streams.set(id, stream)
  }

  streamClosed(id: string): void {
    this.#streams.get(id)?.closed()
    this.#streams.delete(id)
  }

  /** Goes on sending to a subscriber, with what waited for it and is not older than `maxAgeMs`. */
  resume(id: string, maxAgeMs: number | undefined): void {
    this.#outboxes.get(id)?.resume(maxAgeMs)
  }

  endStreams(): void {
    for (const stream of this.#streams.values()) stream.end()
    this.#streams.clear()
  }

  /** A stream outlives the session that opened it (DSP0266), and not the account. */
  #endStreamsOfNobody(): void {
    const { accounts, subscriptions } = this.#bmc.state
    for (const [id, stream] of this.#streams) {
      const owner = findAccount(accounts, subscriptions.get(id)?.owner ?? '')
      if (owner?.enabled !== true) stream.end()
    }
  }

  close(): void {
    this.#bmc.listeners.delete(this.#onCommit)
    this.#cancelForgetting()
    this.endStreams()
    for (const id of this.#outboxes.keys()) this.#removeOutbox(id)
  }

  readonly #onCommit: Listener = (change, before) => {
    const isBack = before.outage !== undefined && this.#bmc.state.outage === undefined
    if (isBack) {
      for (const batch of this.#held.splice(0)) this.#send(batch)
    }
    // Whoever subscribes by this change is told of the next one first.
    this.publish(occurrencesOf(this.#bmc, change, before))
    for (const [id, subscription] of change.subscriptions ?? []) this.#follow(id, subscription)
    const { outage, settings } = this.#bmc.state
    // Ended before the connections are cut, which a reader could not tell from a fault.
    const isOver = outage !== undefined || !settings.eventServiceEnabled || isFarewell(change)
    if (isOver) this.endStreams()
    if (change.accounts) this.#endStreamsOfNobody()
    this.#forgetWhenAlone(change)
  }

  #follow(id: string, subscription: Subscription | undefined): void {
    if (subscription === undefined) {
      const terminated = {
        message: message('Base.SubscriptionTerminated'),
        origin: uris.eventDestination(id),
      }
      const stream = this.#streams.get(id)
      stream?.send(this.#batch([terminated]), true)
      stream?.end()
      this.#streams.delete(id)
      return this.#removeOutbox(id)
    }
    if (subscription.kind === 'SSE') return
    const outbox = this.#outboxes.get(id) ?? this.#addOutbox(subscription)
    if (subscription.suspended !== undefined) outbox.suspend()
  }

  #addOutbox({ id, heartbeatMinutes }: Subscription): Outbox {
    const outbox = new Outbox({
      clock: this.#options.clock,
      background: this.#options.background,
      dropped: this.#options.dropped,
      send: (body, signal) => this.#deliver(id, body, signal),
      rules: () => {
        const { deliveryRetryAttempts, deliveryRetryIntervalS } = this.#bmc.state.settings
        const policy = this.#bmc.state.subscriptions.get(id)?.retryPolicy ?? 'TerminateAfterRetries'
        return { attempts: deliveryRetryAttempts, intervalMs: deliveryRetryIntervalS * 1_000, policy }
      },
      exhausted: () => this.#options.exhausted(this.#bmc, id),
      lossNotice: () => this.#bodyFor(id, this.#batch([lossOf(uris.eventDestination(id))]), true) ?? '',
    })
    this.#outboxes.set(id, outbox)
    if (heartbeatMinutes !== undefined) this.#beat(id, heartbeatMinutes * 60_000)
    return outbox
  }

  #removeOutbox(id: string): void {
    this.#outboxes.get(id)?.close()
    this.#outboxes.delete(id)
    this.#heartbeats.get(id)?.()
    this.#heartbeats.delete(id)
  }

  #beat(id: string, intervalMs: number): void {
    const cancel = this.#options.clock.schedule(intervalMs, () => {
      const { outage, settings, subscriptions } = this.#bmc.state
      const isTold = outage === undefined && settings.eventServiceEnabled
      const isSuspended = subscriptions.get(id)?.suspended !== undefined
      const functional = { message: message('HeartbeatEvent.RedfishServiceFunctional'), origin: uris.root }
      if (isTold && !isSuspended) this.#push(id, this.#batch([functional]), true)
      this.#beat(id, intervalMs)
    })
    this.#heartbeats.set(id, cancel)
  }

  #batch(occurrences: readonly Occurrence[]): Batch {
    const id = `${this.#run}-${++this.#batches}`
    const records = occurrences.map((one): EventRecord => {
      const originType = this.#options.directory.typeOf(this.#bmc, one.origin)
      return { ...one, originType }
    })
    return { id, at: this.#options.clock.now(), records }
  }

  #send(batch: Batch): void {
    this.#recent.add(batch)
    for (const id of this.#outboxes.keys()) this.#push(id, batch)
    for (const stream of this.#streams.values()) stream.send(batch)
  }

  #push(id: string, batch: Batch, isForAll = false): void {
    const body = this.#bodyFor(id, batch, isForAll)
    if (body !== undefined) this.#outboxes.get(id)?.push(body)
  }

  #bodyFor(id: string, batch: Batch, isForAll = false): string | undefined {
    const subscription = this.#bmc.state.subscriptions.get(id)
    if (subscription === undefined) return undefined
    const { filter, context, includeOrigin, owner } = subscription
    const wanted = isForAll ? batch.records : batch.records.filter((record) => passes(filter, record))
    if (wanted.length === 0) return undefined
    const show = (uri: string): Resource | undefined => this.#options.directory.show(this.#bmc, uri, owner)
    return JSON.stringify(eventPayload(batch, wanted, { context, ...(includeOrigin && { show }) }))
  }

  /** Tries the destination, then each of its backups. */
  async #deliver(id: string, body: string, signal: AbortSignal): Promise<boolean> {
    const subscription = this.#bmc.state.subscriptions.get(id)
    if (subscription === undefined) return true
    const { destination, backupDestinations, httpHeaders: headers, verifyCertificate } = subscription
    for (const one of [destination, ...backupDestinations].filter((url) => this.#options.mayReach(url))) {
      const isTaken = await this.#options.sink.deliver({
        destination: one,
        headers,
        body,
        verifyCertificate,
        signal,
      })
      if (isTaken) return true
    }
    return false
  }

  #forgetWhenAlone({ subscriptions = [] }: Change): void {
    if (subscriptions.length === 0 || this.#bmc.state.subscriptions.size > 0) return
    this.#cancelForgetting()
    this.#cancelForgetting = this.#options.clock.schedule(KEEP_MS, () => {
      if (this.#bmc.state.subscriptions.size > 0) return
      this.#bmc.listeners.delete(this.#onCommit)
      this.#recent.clear()
    })
  }
}

function isFarewell({ notices = [] }: Change): boolean {
  const farewell = 'HeartbeatEvent.RedfishServiceShuttingDown'
  return notices.some((one) => messageKeyOf(one.message.MessageId) === farewell)
}

function lossOf(origin: string): Occurrence {
  return { message: message('Base.EventBufferExceeded'), origin }
}
