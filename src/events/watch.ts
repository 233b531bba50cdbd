import { findAccount } from '../bmc/accounts.ts'
import type { Bmc, Listener } from '../bmc/bmc.ts'
import type { Change } from '../bmc/state.ts'
import type { Subscription } from '../bmc/subscription.ts'
import { message } from '../redfish/messages/message.ts'
import { uris } from '../redfish/uris.ts'
import type { EventStream } from './event-stream.ts'
import type { EventKeeper, KeptEvents } from './kept.ts'
import { type Batch, type EventRecord, messageKeyOf, type Occurrence } from './occurrence.ts'
import { occurrencesOf } from './occurrences.ts'
import { RecentBatches } from './recent.ts'
import { lossOf, type Mail, type Sender, Subscriber } from './subscriber.ts'

/** How long events are kept for a stream to come back once nobody is told of them. */
const KEEP_MS = 600_000

export interface WatchOptions {
  readonly mail: Mail
  readonly keeper: EventKeeper
  /** Begins the ids of its events: those of another run mean nothing in this one. */
  readonly run: number
}

/** What one BMC tells its subscribers; begun with the first of them, so that the others cost nothing. */
export class Watch {
  readonly #bmc: Bmc
  readonly #sender: Sender
  readonly #subscribers = new Map<string, Subscriber>()
  readonly #streams = new Map<string, EventStream>()
  readonly #recent = new RecentBatches()
  /** Told when the manager is back: nobody sends while it boots. */
  #held: Batch[] = []
  /** The manager was booting when the process ended, and is about to boot again. */
  #isAway = false
  #batches = 0
  readonly #run: string
  #cancelForgetting = (): void => {}

  constructor(bmc: Bmc, { mail, keeper, run }: WatchOptions) {
    this.#bmc = bmc
    this.#sender = { ...mail, bmc, keeper, batch: (occurrences) => this.#batch(occurrences) }
    this.#run = run.toString(36)
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

  /**
   * After a restart: goes on with what was not taken or not told, before anything new. To subscribers a restart is the
   * serving manager coming back: RedfishServiceStarted, now, or at the end of a boot that begins again.
   */
  takeUp({ held, outboxes }: KeptEvents): void {
    const { machine, state } = this.#bmc
    for (const subscription of state.subscriptions.values()) {
      const subscriber = new Subscriber(this.#sender, subscription, outboxes.get(subscription.id))
      this.#subscribers.set(subscription.id, subscriber)
      if (subscription.suspended === undefined) subscriber.resume()
      else subscriber.suspend()
    }
    this.#held = [...held]
    this.#isAway = state.resets.get(machine.manager)?.boot !== undefined
    if (this.#isAway) return
    this.#release()
    this.publish([{ message: message('HeartbeatEvent.RedfishServiceStarted'), origin: uris.root }])
  }

  /** Tells everybody who wants to know. */
  publish(occurrences: readonly Occurrence[]): void {
    if (occurrences.length === 0 || !this.#bmc.state.settings.eventServiceEnabled) return
    const batch = this.#batch(occurrences)
    if (this.#bmc.state.outage === undefined && !this.#isAway) return this.#send(batch)
    this.#held.push(batch)
    this.#sender.keeper.held(batch)
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
    this.#subscribers.get(id)?.resume(maxAgeMs)
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
    for (const subscriber of this.#subscribers.values()) subscriber.close()
    this.#subscribers.clear()
  }

  readonly #onCommit: Listener = (change, before) => {
    const isBack = before.outage !== undefined && this.#bmc.state.outage === undefined
    if (isBack) this.#release()
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
      this.#subscribers.get(id)?.discard()
      this.#subscribers.delete(id)
      return
    }
    if (subscription.kind === 'SSE') return
    const subscriber = this.#subscribers.get(id) ?? new Subscriber(this.#sender, subscription)
    this.#subscribers.set(id, subscriber)
    if (subscription.suspended !== undefined) subscriber.suspend()
  }

  /** Tells what happened while nobody was told. */
  #release(): void {
    this.#isAway = false
    for (const batch of this.#held.splice(0)) {
      this.#send(batch)
      this.#sender.keeper.released(batch)
    }
  }

  #batch(occurrences: readonly Occurrence[]): Batch {
    const id = `${this.#run}-${++this.#batches}`
    const records = occurrences.map((one): EventRecord => {
      const originType = this.#sender.directory.typeOf(this.#bmc, one.origin)
      return { ...one, originType }
    })
    return { id, at: this.#sender.clock.now(), records }
  }

  #send(batch: Batch): void {
    this.#recent.add(batch)
    // They are kept: before a stream lets anything leave.
    for (const subscriber of this.#subscribers.values()) subscriber.push(batch)
    for (const stream of this.#streams.values()) stream.send(batch)
  }

  #forgetWhenAlone({ subscriptions = [] }: Change): void {
    if (subscriptions.length === 0 || this.#bmc.state.subscriptions.size > 0) return
    this.#cancelForgetting()
    this.#cancelForgetting = this.#sender.clock.schedule(KEEP_MS, () => {
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
