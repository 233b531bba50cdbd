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
import { redirectToHttps } from './redirect.ts'

export type RequestHandler = (request: IncomingMessage, response: ServerResponse) => void

const REQUEST_TIMEOUT_MS = 60_000
/** How often, at least, Node looks for those that take too long. */
const CHECK_MS = 10_000
/** Clients that come all at once: those beyond it are kept waiting for a second by their own systems. */
const BACKLOG = 2_048
const IDLE_CHECK_MS = 20
const MIN_TLS = 'TLSv1.2'
/** How a TLS connection begins: the record type of its first message (RFC 8446 §5.1). */
const TLS_HANDSHAKE = 0x16
/** A year, as is usual (RFC 6797 §6.1.1). */
const STRICT_TRANSPORT = 'max-age=31536000'

/** `undefined`: not served. */
export interface Ports {
  readonly port: number | undefined
  readonly httpsPort: number | undefined
}

export interface ServerOptions extends Ports {
  readonly host: string
  readonly keyPair: () => Promise<KeyPair>
  /** What the HTTP port does: answer, or send clients to HTTPS. */
  readonly httpMode?: 'serve' | 'redirect'
  /** How long a client may take for the headers of a request, or for the first word of TLS. */
  readonly requestTimeoutMs?: number
  /** Of each port. */
  readonly maxConnections?: number
  /** Whether clients are told never to come by plain HTTP again. */
  readonly isStrict?: boolean
}

/** The sockets of the service: HTTP, HTTPS beside it, both gone while a manager that refuses connections boots. */
export class Server {
  readonly #options: ServerOptions
  readonly #http: HttpServer
  readonly #handler: RequestHandler
  readonly #limits: Limits
  #https: Promise<HttpsServer> | undefined
  readonly #httpsDoor: TcpServer
  readonly #doorSockets = new Set<Socket>()
  /** Those at the HTTPS door that have not said anything yet. */
  readonly #silent = new Set<Socket>()
  #redirector: HttpServer | undefined
  #ports: Ports
  #isClosed = false

  constructor(options: ServerOptions, handler: RequestHandler) {
    this.#options = options
    this.#ports = options
    this.#handler = handler
    const redirect = redirectToHttps(() => this.#ports.httpsPort)
    const isRedirect = options.httpMode === 'redirect'
    const { requestTimeoutMs = REQUEST_TIMEOUT_MS, maxConnections } = options
    this.#limits = limitsOf(requestTimeoutMs)
    this.#http = createServer(this.#limits, isRedirect ? redirect : handler)
    this.#http.on('checkContinue', isRedirect ? redirect : checkContinue(handler))
    // TLS and the making of a certificate are loaded when the first client knocks: most runs never need them.
    this.#httpsDoor = createTcpServer((socket) => this.#welcome(socket))
    if (maxConnections !== undefined) {
      this.#http.maxConnections = maxConnections
      this.#httpsDoor.maxConnections = maxConnections
    }
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
    if (this.#isClosed) return this.#ports
    const { port, httpsPort } = this.#ports
    this.#ports = {
      port: port === undefined ? undefined : await this.#listenOn(this.#http, port),
      httpsPort: httpsPort === undefined ? undefined : await this.#listenOn(this.#httpsDoor, httpsPort),
    }
    if (this.#isClosed) this.suspend()
    return this.#ports
  }

  /** New connections are shown this certificate; those that are open stay as they are. */
  async setKeyPair(keyPair: KeyPair): Promise<void> {
    const https = await this.#https
    https?.setSecureContext({ ...keyPair, minVersion: MIN_TLS })
  }

  /** Refuses connections, and cuts those that are open, until it listens again. */
  suspend(): void {
    this.#http.close()
    this.#httpsDoor.close()
    this.#cut()
  }

  /** Ends: requests that run may finish within `graceMs`, then they are cut. */
  async close(graceMs: number): Promise<void> {
    this.#isClosed = true
    for (const socket of this.#silent) socket.destroy()
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
    server.listen({ port, host: this.#options.host, backlog: BACKLOG })
    await once(server, 'listening')
    return (server.address() as AddressInfo).port // a TCP server's address, once it listens
  }

  #welcome(socket: Socket): void {
    this.#doorSockets.add(socket.once('close', () => this.#doorSockets.delete(socket)))
    this.#silent.add(socket.once('close', () => this.#silent.delete(socket)))
    socket.once(
      'close',
      systemClock.schedule(this.#limits.headersTimeout, () => this.#giveUp(socket)),
    )
    socket.on('error', () => {}) // a client that leaves during the handshake is nobody's problem
    socket.once('data', (first) => {
      this.#silent.delete(socket)
      socket.pause().unshift(first)
      if (first[0] === TLS_HANDSHAKE) return this.#secure(socket)
      // Plain HTTP that came to the wrong door: it is told where to go.
      this.#redirector ??= createRedirector(this.#limits)
      this.#redirector.emit('connection', socket)
      socket.resume()
    })
  }

  #giveUp(socket: Socket): void {
    if (this.#silent.has(socket)) socket.destroy()
  }

  #secure(socket: Socket): void {
    this.#https ??= this.#makeHttps()
    this.#https.then(
      (https) => https.emit('connection', socket),
      (error: Error) => socket.destroy(error),
    )
  }

  async #makeHttps(): Promise<HttpsServer> {
    const { createServer: createHttpsServer } = await import('node:https')
    const keyPair = await this.#options.keyPair()
    const handler = this.#options.isStrict === true ? strict(this.#handler) : this.#handler
    const https = createHttpsServer({ ...this.#limits, ...keyPair, minVersion: MIN_TLS }, handler)
    // It never listens itself; told that it does, it keeps the list by which idle connections are closed.
    https.emit('listening')
    https.on('checkContinue', checkContinue(handler))
    https.on('clientError', refuseUnreadable)
    return https
  }

  #cut(): void {
    this.#http.closeAllConnections()
    for (const socket of this.#doorSockets) socket.destroy()
  }
}

type Limits = ReturnType<typeof limitsOf>

function limitsOf(headersTimeout: number) {
  return {
    // A long upload is no slow client: standstill is judged where a body is received, not by a total.
    requestTimeout: 0,
    headersTimeout,
    keepAliveTimeout: 72_000,
    connectionsCheckingInterval: Math.min(CHECK_MS, headersTimeout / 2),
  }
}

/** A server that never listens: it is handed connections. */
function createRedirector(limits: Limits): HttpServer {
  const redirect = redirectToHttps()
  return createServer(limits, redirect).on('checkContinue', redirect).on('clientError', refuseUnreadable)
}

/** Tells with every answer that this service is reached by HTTPS only (RFC 6797). */
function strict(handler: RequestHandler): RequestHandler {
  return (request, response) => {
    response.setHeader('Strict-Transport-Security', STRICT_TRANSPORT)
    handler(request, response)
  }
}

function checkContinue(handler: RequestHandler): RequestHandler {
  return (request, response) => {
    holdBody(request)
    handler(request, response)
  }
}

/** A request line of its first packet, whatever the method; Node's parser takes any other letter for a bad method too. */
const REQUEST_LINE = /^[\w!#$%&'*+.^`|~-]+ \S+ HTTP\/1\.\d\r\n/

/** What Node's parser finds wrong beside what is no HTTP at all (RFC 9110 §15.5.9, RFC 6585 §5). */
const unreadable: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
}

/** What is no HTTP gets an HTTP answer where one can be written; an unknown method is 501 (RFC 9110 §9.1). */
export function refuseUnreadable(
  error: NodeJS.ErrnoException,
  socket: Pick<Socket, 'writable' | 'end' | 'destroy'>,
): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy(error)
  const { code = '' } = error
  const packet = 'rawPacket' in error && Buffer.isBuffer(error.rawPacket) ? error.rawPacket : Buffer.of()
  const isRequest = code === 'HPE_INVALID_METHOD' && REQUEST_LINE.test(packet.toString('latin1'))
  const status = isRequest ? '501 Not Implemented' : (unreadable[code] ?? '400 Bad Request')
  socket.end(`HTTP/1.1 ${status}\r\nOData-Version: 4.0\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
}
