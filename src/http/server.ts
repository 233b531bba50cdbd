import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server as HttpServer, type ServerResponse } from 'node:http'
import type { Server as HttpsServer } from 'node:https'
import {
  type AddressInfo,
  createServer as createTcpServer,
  type Server as TcpServer,
  type Socket,
} from 'node:net'
import { systemClock } from '../lib/clock.ts'
import type { KeyPair } from './certificate.ts'
import { holdBody } from './expect-continue.ts'

export type RequestHandler = (request: IncomingMessage, response: ServerResponse) => void

// A long upload is no slow client: standstill is judged where the image is received, not by a total.
const limits = { requestTimeout: 0, headersTimeout: 60_000, keepAliveTimeout: 72_000 }
const IDLE_CHECK_MS = 20

/** `undefined`: not served. */
export interface Ports {
  readonly port: number | undefined
  readonly httpsPort: number | undefined
}

export interface ServerOptions extends Ports {
  readonly host: string
  readonly keyPair: () => Promise<KeyPair>
}

/** The sockets of the service: HTTP, HTTPS beside it, both gone while a manager that refuses connections boots. */
export class Server {
  readonly #options: ServerOptions
  readonly #http: HttpServer
  readonly #handler: RequestHandler
  #https: Promise<HttpsServer> | undefined
  readonly #httpsDoor: TcpServer
  readonly #doorSockets = new Set<Socket>()
  #ports: Ports

  constructor(options: ServerOptions, handler: RequestHandler) {
    this.#options = options
    this.#ports = options
    this.#handler = handler
    this.#http = createServer(limits, handler)
    this.#http.on('checkContinue', checkContinue(handler))
    // TLS and the making of a certificate are loaded when the first client knocks: most runs never need them.
    this.#httpsDoor = createTcpServer((socket) => this.#welcome(socket))
  }

  /** What Fastify is given as its server. */
  get http(): HttpServer {
    return this.#http
  }

  get isListening(): boolean {
    return this.#http.listening || this.#httpsDoor.listening
  }

  /** Listens and tells the ports, which stay the same from then on. Rejects when one is taken. */
  async listen(): Promise<Ports> {
    const { port, httpsPort } = this.#ports
    this.#ports = {
      port: port === undefined ? undefined : await this.#listenOn(this.#http, port),
      httpsPort: httpsPort === undefined ? undefined : await this.#listenOn(this.#httpsDoor, httpsPort),
    }
    return this.#ports
  }

  /** Refuses connections, and cuts those that are open, until it listens again. */
  suspend(): void {
    this.#http.close()
    this.#httpsDoor.close()
    this.#cut()
  }

  /** Ends: requests that run may finish within `graceMs`, then they are cut. */
  async close(graceMs: number): Promise<void> {
    const closed = [this.#http, this.#httpsDoor]
      .filter((one) => one.listening)
      .map((one) => once(one, 'close'))
    this.#http.close()
    this.#httpsDoor.close()
    const https = await this.#https
    const cancelCut = systemClock.schedule(graceMs, () => this.#cut())
    let cancelIdle = (): void => {}
    const closeIdle = (): void => {
      this.#http.closeIdleConnections()
      https?.closeIdleConnections()
      cancelIdle = systemClock.schedule(IDLE_CHECK_MS, closeIdle)
    }
    closeIdle()
    await Promise.all(closed)
    cancelCut()
    cancelIdle()
  }

  async #listenOn(server: TcpServer, port: number): Promise<number> {
    server.listen(port, this.#options.host)
    await once(server, 'listening')
    return (server.address() as AddressInfo).port // a TCP server's address, once it listens
  }

  #welcome(socket: Socket): void {
    this.#doorSockets.add(socket.once('close', () => this.#doorSockets.delete(socket)))
    this.#https ??= this.#makeHttps()
    this.#https.then(
      (https) => https.emit('connection', socket),
      (error: Error) => socket.destroy(error),
    )
    socket.on('error', () => {}) // a client that leaves during the handshake is nobody's problem
  }

  async #makeHttps(): Promise<HttpsServer> {
    const { createServer: createHttpsServer } = await import('node:https')
    const keyPair = await this.#options.keyPair()
    const https = createHttpsServer({ ...limits, ...keyPair, minVersion: 'TLSv1.2' }, this.#handler)
    https.on('checkContinue', checkContinue(this.#handler))
    https.on('clientError', refuseUnreadable)
    return https
  }

  #cut(): void {
    this.#http.closeAllConnections()
    for (const socket of this.#doorSockets) socket.destroy()
  }
}

function checkContinue(handler: RequestHandler): RequestHandler {
  return (request, response) => {
    holdBody(request)
    handler(request, response)
  }
}

/** What is no HTTP gets an HTTP answer where one can be written; an unknown method is 501 (RFC 9110 §9.1). */
export function refuseUnreadable(
  error: NodeJS.ErrnoException,
  socket: Pick<Socket, 'writable' | 'end' | 'destroy'>,
): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy(error)
  const status = error.code === 'HPE_INVALID_METHOD' ? '501 Not Implemented' : '400 Bad Request'
  socket.end(`HTTP/1.1 ${status}\r\nOData-Version: 4.0\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
}
