import { type IClientOptions, MqttClient, connect } from 'mqtt'
import type { Duplex } from 'node:stream'
import type { Clock } from '../../lib/clock.ts'

/** Where a broker is, and who asks. */
export interface BrokerAddress {
  /** `mqtt://` or `mqtts://`, or a broker of our own that gives a stream to itself. */
  readonly broker: string | { readonly stream: () => Duplex }
  readonly clientId: string
  readonly userName?: string | undefined
  readonly password?: string | undefined
  /** Whom a broker of `mqtts://` has to be certified by; by whom everybody trusts unless given. */
  readonly trust?: BrokerTrust | undefined
}

/** Certificates (PEM), or whatever a broker shows. */
export type BrokerTrust = { readonly certificates: string } | 'any'

export interface ConnectionOptions extends BrokerAddress {
  readonly clock: Clock
  readonly filters: readonly string[]
  readonly take: (topic: string, payload: Uint8Array) => void
  /** It is there, and what the filters name will come. */
  readonly up: () => void
  /** It is gone, or was not to be had; it is tried again. */
  readonly down: (why: string) => void
}

/** How long a broker may take for what it was told last. */
const GOODBYE_MS = 2_000
const RETRY_MS = { first: 1_000, longest: 60_000 }

/** Why a connection was lost of which nothing else was heard. */
const CLOSED = 'the broker closed it'

/** A connection to a broker that comes again when it is lost. What could not be said meanwhile is not said later. */
export class Connection {
  readonly #options: ConnectionOptions
  #client: MqttClient | undefined
  #isUp = false
  #retryMs = RETRY_MS.first
  #why = CLOSED
  #retry: AbortController | undefined
  readonly #unsaid = new Set<() => void>()

  constructor(options: ConnectionOptions) {
    this.#options = options
  }

  get isUp(): boolean {
    return this.#isUp
  }

  /** Connects, where it is not connected; returns at once. */
  open(): void {
    this.#retry?.abort(new Error('not waited for any more'))
    if (this.#client !== undefined) return
    const { filters, take, clock } = this.#options
    const { promise: settled, resolve: settle } = Promise.withResolvers<void>()
    const client = openClient(this.#options)
    this.#client = client
    client.on('message', (topic, payload) => {
      if (this.#client === client) take(topic, payload)
    })
    client.on('error', (error) => (this.#why = reasonOf(error)))
    client.on('connect', () => {
      // Acknowledgements and answers are small: Nagle would have each wait for the one before.
      if ('setNoDelay' in client.stream && typeof client.stream.setNoDelay === 'function')
        client.stream.setNoDelay(true)
      client.subscribe([...filters], { qos: 1 }, (error) => {
        if (this.#client !== client) return
        settle()
        if (error) return void client.end(true)
        this.#isUp = true
        this.#why = CLOSED
        this.#retryMs = RETRY_MS.first
        this.#options.up()
      })
    })
    client.on('close', () => {
      settle()
      client.end(true)
      if (this.#client === client) this.#lose()
    })
    void clock.io(settled)
  }

  /** Resolves to whether the broker has taken it. */
  publish(topic: string, message: object): Promise<boolean> {
    const client = this.#client
    if (client === undefined || !this.#isUp) return Promise.resolve(false)
    const { promise, resolve } = Promise.withResolvers<boolean>()
    const lost = (): void => resolve(false)
    this.#unsaid.add(lost)
    client.publish(topic, JSON.stringify(message), { qos: 1 }, (error) => {
      this.#unsaid.delete(lost)
      resolve(!error)
    })
    return this.#options.clock.io(promise)
  }

  /** Leaves the broker until it is opened again; what was said before is said to the end. */
  async close(): Promise<void> {
    this.#retry?.abort(new Error('not waited for any more'))
    const [client, isPolite] = [this.#client, this.#isUp]
    this.#forget()
    if (client === undefined) return
    const { clock } = this.#options
    const { promise: gone, resolve: go } = Promise.withResolvers<void>()
    const cancelTimer = clock.schedule(GOODBYE_MS, () => {
      client.stream.destroy()
      go()
    })
    client.end(!isPolite, {}, () => go())
    await clock.io(gone)
    cancelTimer()
  }

  #lose(): void {
    this.#forget()
    this.#options.down(this.#why)
    const { signal } = (this.#retry = new AbortController())
    // The process stays alive for a broker that is to come.
    this.#options.clock.sleep(this.#retryMs, signal).then(
      () => this.open(),
      () => {}, // it was opened, or closed, before
    )
    this.#retryMs = Math.min(this.#retryMs * 2, RETRY_MS.longest)
  }

  #forget(): void {
    this.#client = undefined
    this.#isUp = false
    for (const lost of this.#unsaid) lost()
    this.#unsaid.clear()
  }
}

/** A client for one connection: what it did not get rid of goes with it, so that nothing is said that is out of date. */
function openClient({ broker, clientId, userName, password, trust }: BrokerAddress): MqttClient {
  const options: IClientOptions = {
    clientId,
    protocolVersion: 4,
    clean: true,
    reconnectPeriod: 0,
    resubscribe: false,
    ...(userName !== undefined && { username: userName }),
    ...(password !== undefined && { password }),
    ...(trust === 'any' ? { rejectUnauthorized: false } : trust && { ca: trust.certificates }),
  }
  return typeof broker === 'string'
    ? connect(broker, options)
    : new MqttClient(() => broker.stream(), options)
}

/** One that was tried at several addresses says nothing itself. */
function reasonOf(error: Error): string {
  return error.message || ('code' in error ? String(error.code) : CLOSED)
}
