import { createServer, type IncomingMessage, type Server as HttpServer, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Bmc } from '../bmc/bmc.ts'
import { systemClock } from '../lib/clock.ts'
import { holdBody } from './expect-continue.ts'
import type { Handshakes, HandshakeOptions } from './handshakes.ts'
import { redirectToHttps } from './redirect.ts'

export type RequestHandler = (request: IncomingMessage, response: ServerResponse) => void

const REQUEST_TIMEOUT_MS = 60_000
/** How often, at least, Node looks for those that take too long. */
const CHECK_MS = 10_000
/** How a TLS connection begins: the record type of its first message (RFC 8446 §5.1). */
const TLS_HANDSHAKE = 0x16
/** A year, as is usual (RFC 6797 §6.1.1). */
const STRICT_TRANSPORT = 'max-age=31536000'

export interface ServerOptions extends Omit<HandshakeOptions, 'done'> {
  /** Where HTTPS is served for whoever came by this connection. */
  readonly httpsPortOf: (socket: Socket) => number | undefined
  /** TLS is spoken over this connection now. */
  readonly secured: HandshakeOptions['done']
  /** What the HTTP port does: answer, or send clients to HTTPS. */
  readonly httpMode?: 'serve' | 'redirect'
  /** How long a client may take for the headers of a request, or for its TLS handshake. */
  readonly requestTimeoutMs?: number
  /** Whether clients are told never to come by plain HTTP again. */
  readonly isStrict?: boolean
}

/** HTTP and TLS over connections that `Doors` accepts. It listens nowhere itself. */
export class Server {
  readonly #options: ServerOptions
  readonly #limits: Limits
  readonly #http: HttpServer
  readonly #https: HttpServer
  /** Sends to HTTPS who speaks plain HTTP to its port. */
  readonly #redirector: HttpServer
  /** Those at an HTTPS port that have not said anything yet, and those that are shaking hands. */
  readonly #newcomers = new Map<Socket, 'silent' | 'shaking'>()
  #handshakes: Promise<Handshakes> | undefined

  constructor(options: ServerOptions, handler: RequestHandler) {
    this.#options = options
    const { requestTimeoutMs = REQUEST_TIMEOUT_MS, httpMode, isStrict } = options
    this.#limits = limitsOf(requestTimeoutMs)
    const redirect = redirectToHttps(({ socket }) => options.httpsPortOf(socket))
    const isRedirect = httpMode === 'redirect'
    this.#http = createServer(this.#limits, isRedirect ? redirect : handler)
    this.#http.on('checkContinue', isRedirect ? redirect : checkContinue(handler))
    const told = isStrict === true ? strict(handler) : handler
    this.#https = createServer(this.#limits, told).on('checkContinue', checkContinue(told))
    const away = redirectToHttps()
    this.#redirector = createServer(this.#limits, away).on('checkContinue', away)
    for (const server of [this.#https, this.#redirector]) server.on('clientError', refuseUnreadable)
    // None of them listens; told that they do, they keep the lists by which slow and idle clients are found.
    for (const server of this.#all) server.emit('listening')
  }

  /** What Fastify is given as its server. */
  get http(): HttpServer {
    return this.#http
  }

  /** Takes a connection to an HTTP port. */
  take(socket: Socket): void {
    this.#http.emit('connection', socket)
  }

  /** Takes a connection to an HTTPS port, for this BMC unless the client asks for another by name. */
  takeSecure(socket: Socket, bmc: Bmc | undefined): void {
    this.#newcomers.set(socket, 'silent')
    socket.once('close', () => this.#newcomers.delete(socket))
    const cancel = systemClock.schedule(this.#limits.headersTimeout, () => this.#giveUp(socket))
    socket.once('close', cancel)
    socket.on('error', () => {}) // a client that leaves during the handshake is nobody's problem
    socket.once('data', (first) => {
      socket.pause().unshift(first)
      if (first[0] === TLS_HANDSHAKE) return this.#secure(socket, bmc)
      // Plain HTTP that came to the wrong door: it is told where to go.
      this.#newcomers.delete(socket)
      this.#redirector.emit('connection', socket)
      socket.resume()
    })
  }

  /** Closes the connections on which nothing is under way. */
  closeIdle(): void {
    for (const [socket, state] of this.#newcomers) if (state === 'silent') socket.destroy()
    for (const server of this.#all) server.closeIdleConnections()
  }

  get #all(): HttpServer[] {
    return [this.#http, this.#https, this.#redirector]
  }

  #giveUp(socket: Socket): void {
    if (this.#newcomers.has(socket)) socket.destroy()
  }

  #secure(socket: Socket, bmc: Bmc | undefined): void {
    // TLS and the making of a certificate are loaded when the first client knocks: most runs never need them.
    this.#newcomers.set(socket, 'shaking')
    this.#handshakes ??= this.#prepareHandshakes()
    this.#handshakes.then(
      (handshakes) => handshakes.begin(socket, bmc),
      (error: Error) => socket.destroy(error),
    )
  }

  async #prepareHandshakes(): Promise<Handshakes> {
    const { Handshakes } = await import('./handshakes.ts')
    return new Handshakes({
      ...this.#options,
      done: (secured, carrier) => {
        this.#newcomers.delete(carrier)
        this.#options.secured(secured, carrier)
        this.#https.emit('connection', secured)
      },
    })
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
