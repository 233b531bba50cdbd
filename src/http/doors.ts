import type { IncomingMessage, Server as HttpServer } from 'node:http'
import type { Socket } from 'node:net'
import type { Bmc } from '../bmc/bmc.ts'
import { commit } from '../bmc/commit.ts'
import type { Change } from '../bmc/state.ts'
import { systemClock } from '../lib/clock.ts'
import { Connections, reset } from './connections.ts'
import { Door, Pair, type Ports } from './door.ts'
import { isLoopbackAddress, portAt, type Reach } from './reach.ts'
import { type RequestHandler, Server, type ServerOptions } from './server.ts'

const IDLE_CHECK_MS = 20
const EVERY_ADDRESS = '0.0.0.0'

export interface DoorsOptions extends Ports, Omit<ServerOptions, 'httpsPortOf' | 'secured' | 'named'> {
  readonly host: string
  /** Of each port. */
  readonly maxConnections?: number
  readonly reach: Reach
  /** The network failed. */
  readonly failed: (error: unknown) => void
}

type Take = (socket: Socket, bmc: Bmc | undefined) => void

/** Where the service listens: a pair of ports for everybody, and where BMCs are told apart by them, a pair for each. */
export class Doors {
  readonly #options: DoorsOptions
  readonly #connections = new Connections()
  readonly #server: Server
  readonly #everybodys: Pair
  readonly #own = new Map<Bmc, Pair>()
  #isClosed = false

  constructor(options: DoorsOptions, handler: RequestHandler) {
    const { reach } = options
    this.#options = options
    this.#server = new Server(
      {
        ...options,
        named: reach.named,
        httpsPortOf: (socket) => this.#httpsPortOf(socket),
        secured: (socket, carrier) => this.#connections.secure(socket, carrier),
      },
      handler,
    )
    const ownerOf = ({ localAddress }: Socket): Bmc | undefined => reach.atAddress(localAddress)
    this.#everybodys = this.#pair(options, ownerOf)
  }

  /** What Fastify is given as its server. */
  get http(): HttpServer {
    return this.#server.http
  }

  /** Where everybody is served; those that were not given are known once it is open. */
  get ports(): Ports {
    return this.#everybodys.ports
  }

  /** Whom a request for this path is for. Throws a RedfishError where there is nobody. */
  bmcOf(request: IncomingMessage, path: string): Bmc {
    const { reach } = this.#options
    const { socket } = request
    const bmc = reach.ofRequest(request, path, this.#connections.of(socket))
    if (!reach.isAsked) return bmc
    this.#connections.claim(socket, bmc)
    if (bmc.state.outage === 'refuse') this.#connections.reset(socket)
    return bmc
  }

  /** Listens. Rejects where a port is taken. */
  async open(): Promise<void> {
    if (this.#isClosed) return
    await this.#everybodys.open()
    if (this.#isClosed) void this.#everybodys.close()
  }

  /** Lets a BMC be reached, and tells it where; its connections follow its outages. The first has everybody's ports. */
  async admit(bmc: Bmc, slot = 0): Promise<void> {
    const { ports } = this.#options.reach.hasPorts && slot > 0 ? await this.#openOwn(bmc, slot) : this
    commit(bmc, { network: { httpPort: ports.port, httpsPort: ports.httpsPort } })
    bmc.listeners.add((change) => this.#follow(bmc, change))
  }

  /** Nobody reaches this BMC any more. */
  dismiss(bmc: Bmc): void {
    void this.#own.get(bmc)?.close()
    this.#own.delete(bmc)
    this.#connections.cut(bmc)
  }

  /** Ends: requests that run may finish within `graceMs`, then they are cut. */
  async close(graceMs: number): Promise<void> {
    this.#isClosed = true
    const closed = [this.#everybodys, ...this.#own.values()].map((pair) => pair.close())
    const cancelCut = systemClock.schedule(graceMs, () => this.#connections.cutAll())
    let cancelIdle = (): void => {}
    const closeIdle = (): void => {
      this.#server.closeIdle()
      cancelIdle = systemClock.schedule(IDLE_CHECK_MS, closeIdle)
    }
    closeIdle()
    await Promise.all(closed)
    cancelCut()
    cancelIdle()
  }

  /** A BMC that refuses connections: alone it does not listen; among others, what comes to it is reset. */
  #follow(bmc: Bmc, change: Change): void {
    const { reach, failed } = this.#options
    if (!('outage' in change)) return
    const isRefusing = change.outage === 'refuse'
    if (isRefusing && !reach.isOfOne) return this.#connections.cut(bmc)
    if (isRefusing) {
      void this.#everybodys.close()
      this.#connections.cutAll()
    } else if (!this.#everybodys.isOpen) this.open().catch(failed)
  }

  #httpsPortOf(socket: Socket): number | undefined {
    return this.#connections.of(socket)?.state.network.httpsPort ?? this.ports.httpsPort
  }

  async #openOwn(bmc: Bmc, slot: number): Promise<Pair> {
    const { port, httpsPort } = this.#options
    const pair = this.#pair({ port: portAt(port, slot), httpsPort: portAt(httpsPort, slot) }, () => bmc)
    this.#own.set(bmc, pair)
    await pair.open()
    if (this.#isClosed) void pair.close()
    return pair
  }

  #pair(ports: Ports, ownerOf: (socket: Socket) => Bmc | undefined): Pair {
    const { reach, maxConnections } = this.#options
    const host = reach.isWildcard ? EVERY_ADDRESS : this.#options.host
    const door = (port: number | undefined, allowHalfOpen: boolean, take: Take) => {
      if (port === undefined) return undefined
      const options = { host, port, allowHalfOpen, maxConnections }
      return new Door(options, (socket) => this.#welcome(socket, ownerOf(socket), take))
    }
    return new Pair(
      door(ports.port, true, (socket) => this.#server.take(socket)),
      door(ports.httpsPort, false, (socket, bmc) => this.#server.takeSecure(socket, bmc)),
    )
  }

  #welcome(socket: Socket, bmc: Bmc | undefined, take: Take): void {
    const { reach } = this.#options
    const isStranger = reach.isForLoopback && !isLoopbackAddress(socket.remoteAddress)
    const isNobody = bmc === undefined && !reach.isAsked
    if (isStranger || isNobody || bmc?.state.outage === 'refuse') return reset(socket)
    this.#connections.add(socket, bmc)
    take(socket, bmc)
  }
}
