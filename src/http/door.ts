import { once } from 'node:events'
import { type AddressInfo, createServer, type Server as TcpServer, type Socket } from 'node:net'

/** Clients that come all at once: those beyond it are kept waiting for a second by their own systems. */
const BACKLOG = 2_048

/** `undefined`: not served. */
export interface Ports {
  readonly port: number | undefined
  readonly httpsPort: number | undefined
}

/** The doors of HTTP and HTTPS. */
export class Pair {
  readonly #http: Door | undefined
  readonly #https: Door | undefined

  constructor(http: Door | undefined, https: Door | undefined) {
    this.#http = http
    this.#https = https
  }

  get ports(): Ports {
    return { port: this.#http?.port, httpsPort: this.#https?.port }
  }

  get isOpen(): boolean {
    return this.#http?.isOpen === true || this.#https?.isOpen === true
  }

  async open(): Promise<void> {
    await this.#http?.open()
    await this.#https?.open()
  }

  async close(): Promise<void> {
    await Promise.all([this.#http?.close(), this.#https?.close()])
  }
}

interface DoorOptions {
  readonly host: string
  /** 0 for any free one. */
  readonly port: number
  /** Whether a client may close its side and still be answered: with HTTP, not with TLS, as Node's own servers do. */
  readonly allowHalfOpen: boolean
  readonly maxConnections: number | undefined
}

/** A port that is listened at: the same one whenever it is opened again. */
export class Door {
  readonly #server: TcpServer
  readonly #host: string
  #port: number

  constructor({ host, port, allowHalfOpen, maxConnections }: DoorOptions, welcome: (socket: Socket) => void) {
    this.#server = createServer({ allowHalfOpen, noDelay: true }, welcome)
    if (maxConnections !== undefined) this.#server.maxConnections = maxConnections
    this.#host = host
    this.#port = port
  }

  get port(): number {
    return this.#port
  }

  get isOpen(): boolean {
    return this.#server.listening
  }

  async open(): Promise<void> {
    this.#server.listen({ port: this.#port, host: this.#host, backlog: BACKLOG })
    await once(this.#server, 'listening').catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EMFILE') throw error
      throw new Error(`${error.message}: every port takes a file; allow more of them (ulimit -n)`, {
        cause: error,
      })
    })
    this.#port = (this.#server.address() as AddressInfo).port // a TCP server's address, once it listens
  }

  /** At once; resolves when the last of those who came by it is gone. */
  async close(): Promise<void> {
    if (!this.isOpen) return
    const closed = once(this.#server, 'close')
    this.#server.close()
    await closed
  }
}
