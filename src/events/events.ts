import type { Bmc } from '../bmc/bmc.ts'
import { commit } from '../bmc/commit.ts'
import { nextNumber } from '../bmc/numbers.ts'
import type { Subscription } from '../bmc/subscription.ts'
import type { Journal, JournalRecord } from '../journal/journal.ts'
import { Background } from '../lib/background.ts'
import type { Clock } from '../lib/clock.ts'
import { fail, type Result, succeed } from '../lib/result.ts'
import { type Message, message } from '../redfish/messages/message.ts'
import type { Destinations } from './destinations.ts'
import type { Directory } from './directory.ts'
import type { EventSink } from './event-sink.ts'
import { EventStream, type StreamOutlet } from './event-stream.ts'
import type { Wish } from './filters.ts'
import { EventKeeper, keptEvents } from './kept.ts'
import type { Occurrence } from './occurrence.ts'
import type { Mail } from './subscriber.ts'
import { Watch } from './watch.ts'

/** Subscriptions of one BMC, its open streams counted; and how many of these may be streams. */
export const MAX_SUBSCRIPTIONS = 64
const MAX_STREAMS = 16

export interface EventsOptions {
  readonly clock: Clock
  readonly sink: EventSink
  readonly destinations: Destinations
  readonly directory: Directory
  /** Where events wait for a subscriber that has not taken them; without it they end with the process. */
  readonly journal?: Journal | undefined
  readonly failed: (error: unknown) => void
  /** Told of every event that its subscriber will never be sent. */
  readonly dropped?: () => void
}

/** What a client says of its subscription. */
export type SubscriptionWish = Omit<Subscription, 'id' | 'kind' | 'suspended'>

export interface StreamRequest {
  readonly outlet: StreamOutlet
  readonly owner: string | undefined
  /** `ip:port` of the reader. */
  readonly address: string
  readonly wish: Wish
  readonly lastEventId: string | undefined
}

/** The subscribers of all BMCs, and the way of every event to them. A commit never waits for it. */
export class Events {
  readonly #options: EventsOptions
  readonly #background: Background
  readonly #mail: Mail
  readonly #watches = new Map<Bmc, Watch>()
  /** After which runs of the service the events of a BMC are named already. */
  readonly #runs = new WeakMap<Bmc, number>()

  constructor(options: EventsOptions) {
    this.#options = options
    this.#background = new Background(options.failed)
    const { clock, sink, directory, dropped = () => {} } = options
    this.#mail = {
      clock,
      sink,
      directory,
      background: this.#background,
      dropped,
      mayReach: (url) => this.mayReach(url),
      exhausted: (bmc, id) => this.#exhausted(bmc, id),
    }
  }

  /** Adds a subscription; one whose destination may not be reached is there, suspended, and never contacted. */
  subscribe(bmc: Bmc, wish: SubscriptionWish): Result<Subscription, 'limit'> {
    if (bmc.state.subscriptions.size >= MAX_SUBSCRIPTIONS) return fail('limit')
    const reason = this.#denied(wish.destination)
    const suspended = reason && { since: this.#options.clock.now(), reason }
    return succeed(this.#add(bmc, { ...wish, kind: 'RedfishEvent', suspended }))
  }

  /** Whether the configuration lets events be sent there. */
  mayReach(destination: string): boolean {
    return this.#options.destinations(destination)
  }

  change(bmc: Bmc, id: string, members: Partial<Subscription>): void {
    const subscription = bmc.state.subscriptions.get(id)
    if (subscription) commit(bmc, { subscriptions: [[id, { ...subscription, ...members }]] })
  }

  /** Removes a subscription; a stream ends with it. */
  remove(bmc: Bmc, id: string): void {
    if (bmc.state.subscriptions.has(id)) commit(bmc, { subscriptions: [[id, undefined]] })
  }

  suspend(bmc: Bmc, id: string, reason?: Message): void {
    this.change(bmc, id, { suspended: { since: this.#options.clock.now(), reason } })
  }

  /** Goes on, with what waited and is not older than `maxAgeMs`. */
  resume(bmc: Bmc, id: string, maxAgeMs?: number): void {
    this.change(bmc, id, { suspended: undefined })
    this.#watch(bmc).resume(id, maxAgeMs)
  }

  /** Opens a stream, which is a subscription for as long as it is open; the returned function says that it closed. */
  openStream(bmc: Bmc, request: StreamRequest): Result<() => void, 'limit'> {
    const watch = this.#watch(bmc)
    const { subscriptions } = bmc.state
    if (watch.streamCount >= MAX_STREAMS || subscriptions.size >= MAX_SUBSCRIPTIONS) return fail('limit')
    const { id, context } = this.#add(bmc, {
      kind: 'SSE',
      owner: request.owner,
      destination: `redfish-sse://${request.address}`,
      backupDestinations: [],
      context: `stream of ${request.address}`,
      filter: {},
      includeOrigin: false,
      retryPolicy: 'TerminateAfterRetries',
      verifyCertificate: false,
      httpHeaders: {},
      heartbeatMinutes: undefined,
      suspended: undefined,
    })
    const { clock } = this.#options
    const stream = new EventStream(request.outlet, { clock, context: context ?? '', wish: request.wish })
    watch.addStream(id, stream, request.lastEventId)
    return succeed(() => {
      watch.streamClosed(id)
      this.remove(bmc, id)
    })
  }

  /** Tells the subscribers of something that did not happen. */
  submit(bmc: Bmc, occurrence: Occurrence): void {
    this.#watches.get(bmc)?.publish([occurrence])
  }

  /**
   * Goes on after a restart with what subscribers have not taken. An event that was on its way is sent again: they are
   * told of everything at least once, and in order.
   */
  takeUp(bmc: Bmc, records: readonly JournalRecord[]): void {
    const kept = keptEvents(records)
    if (kept.run !== undefined) this.#runs.set(bmc, kept.run)
    const keeper = new EventKeeper(this.#options.journal, bmc)
    const { subscriptions } = bmc.state
    keeper.sweep(kept, subscriptions)
    if (subscriptions.size === 0) return
    this.#watch(bmc).takeUp(kept)
    for (const [id, { destination, suspended }] of subscriptions) {
      // What may be reached is asked of every run anew.
      const reason = suspended === undefined ? this.#denied(destination) : undefined
      if (reason) this.suspend(bmc, id, reason)
    }
  }

  /** Tells nobody any more of a BMC that is gone. */
  async forget(bmc: Bmc): Promise<void> {
    this.#watches.get(bmc)?.close()
    this.#watches.delete(bmc)
    await this.#background.stop(bmc)
  }

  /** Ends the open streams, which would otherwise hold up the end of the service. */
  endStreams(): void {
    for (const watch of this.#watches.values()) watch.endStreams()
  }

  async close(): Promise<void> {
    for (const watch of this.#watches.values()) watch.close()
    await this.#background.close()
    await this.#options.sink.close()
  }

  #add(bmc: Bmc, wish: Omit<Subscription, 'id'>): Subscription {
    this.#watch(bmc)
    const subscription = { ...wish, id: String(nextNumber(bmc, 'subscriptions')) }
    commit(bmc, { subscriptions: [[subscription.id, subscription]] })
    return subscription
  }

  #watch(bmc: Bmc): Watch {
    const known = this.#watches.get(bmc)
    if (known) {
      known.begin()
      return known
    }
    const keeper = new EventKeeper(this.#options.journal, bmc)
    const run = Math.max(this.#options.clock.now(), (this.#runs.get(bmc) ?? 0) + 1)
    keeper.run(run)
    const watch = new Watch(bmc, { mail: this.#mail, keeper, run })
    this.#watches.set(bmc, watch)
    return watch
  }

  /** Why nothing may be sent there. */
  #denied(destination: string): Message | undefined {
    return this.mayReach(destination) ? undefined : message('Base.AccessDenied', destination)
  }

  #exhausted(bmc: Bmc, id: string): void {
    const { retryPolicy, destination } = bmc.state.subscriptions.get(id) ?? {}
    if (retryPolicy === 'TerminateAfterRetries') this.remove(bmc, id)
    else if (destination !== undefined) {
      this.suspend(bmc, id, message('Base.CouldNotEstablishConnection', destination))
    }
  }
}
