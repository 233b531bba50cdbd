import type { Bmc } from '../bmc/bmc.ts'
import { commit } from '../bmc/commit.ts'
import { nextNumber } from '../bmc/numbers.ts'
import type { Subscription } from '../bmc/subscription.ts'
import { Background } from '../lib/background.ts'
import type { Clock } from '../lib/clock.ts'
import { fail, type Result, succeed } from '../lib/result.ts'
import { message } from '../redfish/messages/message.ts'
import type { Destinations } from './destinations.ts'
import type { EventSink } from './event-sink.ts'
import { EventStream, type StreamOutlet } from './event-stream.ts'
import type { Wish } from './filters.ts'
import type { Occurrence } from './occurrence.ts'
import { type Directory, Watch } from './watch.ts'

/** Subscriptions of one BMC, its open streams counted; and how many of these may be streams. */
export const MAX_SUBSCRIPTIONS = 64
const MAX_STREAMS = 16

export interface EventsOptions {
  readonly clock: Clock
  readonly sink: EventSink
  readonly destinations: Destinations
  readonly directory: Directory
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
  readonly #watches = new Map<Bmc, Watch>()

  constructor(options: EventsOptions) {
    this.#options = options
    this.#background = new Background(options.failed)
  }

  /** Adds a subscription; one whose destination may not be reached is there, suspended, and never contacted. */
  subscribe(bmc: Bmc, wish: SubscriptionWish): Result<Subscription, 'limit'> {
    if (bmc.state.subscriptions.size >= MAX_SUBSCRIPTIONS) return fail('limit')
    const reason = this.mayReach(wish.destination)
      ? undefined
      : message('Base.AccessDenied', wish.destination)
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

  suspend(bmc: Bmc, id: string, reason?: ReturnType<typeof message>): void {
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
    const { clock, sink, directory, dropped = () => {} } = this.#options
    const watch = new Watch(bmc, {
      clock,
      sink,
      directory,
      background: this.#background,
      dropped,
      mayReach: (url) => this.mayReach(url),
      exhausted: (one, id) => this.#exhausted(one, id),
    })
    this.#watches.set(bmc, watch)
    return watch
  }

  #exhausted(bmc: Bmc, id: string): void {
    const { retryPolicy, destination } = bmc.state.subscriptions.get(id) ?? {}
    if (retryPolicy === 'TerminateAfterRetries') this.remove(bmc, id)
    else if (destination !== undefined) {
      this.suspend(bmc, id, message('Base.CouldNotEstablishConnection', destination))
    }
  }
}
