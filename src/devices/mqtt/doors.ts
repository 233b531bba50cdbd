import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { systemClock } from '../../lib/clock.ts'

/** A door beside, where nobody is heard who does not speak TLS. */
export interface BrokerTls {
  readonly port: number
  /** Makes what begins TLS over a connection that has come; `done` is told when it is spoken. */
  readonly secure: (done: (secured: Duplex, carrier: Socket) => void) => (carrier: Socket) => void
}

/** Who speaks no TLS by then is sent away. */
const HANDSHAKE_MS = 30_000

/** Where connections come, and all that have. */
export class Doors {
  readonly #host: string
  readonly #servers: Server[] = []
  readonly #sockets = new Set<Socket>()

  constructor(host: string) {
    this.#host = host
  }

  /** Resolves to the port when it is open. */
  async open(port: number, come: (socket: Socket) => void): Promise<number> {
    const server = createServer({ noDelay: true }, (socket) => {
      this.#sockets.add(socket)
      socket.once('close', () => this.#sockets.delete(socket))
      come(socket)
    })
    server.listen(port, this.#host)
    await once(server, 'listening')
    this.#servers.push(server)
    return (server.address() as AddressInfo).port // of a TCP server that listens
  }

  /** Lets nobody in any more; resolves when all have left. */
  async shut(): Promise<void> {
    const closed = this.#servers.map((server) => once(server, 'close'))
    for (const server of this.#servers) server.close()
    await Promise.all(closed)
  }

  clear(): void {
    for (const socket of this.#sockets) socket.destroy()
  }
}

/** Hears who speaks TLS in time. */
export function greeting({ secure }: BrokerTls, come: (secured: Duplex) => void): (carrier: Socket) => void {
  const newcomers = new Map<Socket, () => void>()
  const begin = secure((secured, carrier) => {
    newcomers.get(carrier)?.()
    come(secured)
  })
  return (carrier) => {
    const cancel = systemClock.schedule(HANDSHAKE_MS, () => carrier.destroy())
    newcomers.set(carrier, cancel)
    carrier.once('close', () => {
      cancel()
      newcomers.delete(carrier)
    })
    begin(carrier)
  }
}
