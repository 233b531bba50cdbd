import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Bmc } from '../bmc/bmc.ts'
import type { Journal } from '../journal/journal.ts'
import type { Clock } from '../lib/clock.ts'
import { busy, RedfishError } from '../redfish/errors.ts'
import { readJson } from '../redfish/json-body.ts'
import { message } from '../redfish/messages/message.ts'
import { parseQuery, type Query } from '../redfish/query/parse.ts'
import type { Principal } from '../redfish/resource-table.ts'
import type { Access } from './access.ts'
import { type Authenticator, authorize } from './auth.ts'
import { contextOf, setContext } from './context.ts'
import { drainBody, isUnread } from './drain.ts'
import { sendError } from './errors.ts'
import { askForBody } from './expect-continue.ts'
import { isKept } from './kept.ts'
import type { Passes } from './passes.ts'

const REQUEST_TIMEOUT_MS = 60_000
const MAX_JSON_BYTES = 2 ** 20
/** How soon a client may ask again while the manager boots. */
const OUTAGE_RETRY_S = 5

export interface Protocol {
  readonly clock: Clock
  /** How long a body may take that a handler does not ask for itself. */
  readonly requestTimeoutMs?: number
  /** Which BMC a request is for. */
  readonly resolveBmc: (request: FastifyRequest) => Bmc
  /** Of requests that come from inside the process. */
  readonly passes: Passes
  /** Where changes are kept before anybody is told of them. */
  readonly journal?: Journal | undefined
}

const everyAnswer = { 'OData-Version': '4.0', 'Cache-Control': 'no-cache' }

/** What holds for every request: its BMC, the headers of every answer, errors, bodies (DSP0266, protocol details). */
export function installProtocol(app: FastifyInstance, protocol: Protocol): void {
  const { clock, requestTimeoutMs = REQUEST_TIMEOUT_MS, resolveBmc, passes, journal } = protocol
  app.decorateRequest('redflash')
  app.addHook('onRequest', (request, reply, done) => {
    void reply.headers(everyAnswer)
    const pass = passes.redeem(request)
    const bmc = pass?.bmc ?? resolveBmc(request)
    setContext(request, bmc, pass?.maker)
    if (bmc.state.outage === 'refuse') return void request.raw.socket.destroy()
    if (bmc.state.outage !== undefined) return done(busy(OUTAGE_RETRY_S))
    if (journal && !isSafe(request) && !journal.hasRoom()) return done(noRoom())
    done()
  })
  app.addHook('preParsing', (request, reply, payload, done) => {
    if (isUnread(request.raw) && contextOf(request).route?.holdsBody !== true) {
      askForBody(request.raw, reply.raw)
      // Emitted rather than destroyed by: who reads the body gives up, and the client is still told why.
      const late = (): void =>
        void payload.emit('error', new RedfishError(408, message('Base.OperationTimeout')))
      const cancel = clock.schedule(requestTimeoutMs, late)
      payload.once('end', cancel).once('close', cancel).once('error', cancel)
    }
    done(null, payload)
  })
  app.addHook('onSend', (request, reply, payload, done) => {
    const send = (): void => {
      // What cannot be kept was never said.
      if (isKept(journal)) done(null, payload)
      else request.raw.socket.destroy()
    }
    // Hardly any request leaves a body unread: no promise is made for the others.
    if (!isUnread(request.raw)) return send()
    drainBody(request, reply, clock).then(send, done)
  })
  app.setErrorHandler(sendError)
  app.removeAllContentTypeParsers()
  app.addContentTypeParser<string>(
    'application/json',
    { parseAs: 'string', bodyLimit: MAX_JSON_BYTES },
    parseJson,
  )
  // Clients send bodies of no use with types of no use (an empty one as a form): whoever wants a body looks at it.
  app.addContentTypeParser('*', (_request, _payload, done) => done(null))
}

/** A path whose escapes cannot be read is refused before any hook runs. */
export function refuseBadPath(_error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  void reply.headers(everyAnswer)
  void sendError(new RedfishError(400, message('Base.InvalidURI', request.url)), request, reply)
}

/** Lets through who may pass; authentication comes before everything else that a request says. */
export function admit(
  authenticator: Authenticator,
  { requirement, isOwn }: Access,
  request: FastifyRequest,
  done: (problem?: Error) => void,
): void {
  const needed = requirement(request)
  const context = contextOf(request)
  context.needed = needed
  const check = (principal: Principal | undefined): void => {
    context.principal = principal
    authorize(request, needed, principal, isOwn(request, principal))
    checkVersion(request)
    context.query = queryOf(request)
  }
  // Whoever reads an open resource need not say who they are; what a query adds to it may depend on it.
  const isAnybody = needed.length === 0 && !(isRead(request) && request.url.includes('?'))
  const sender = isAnybody ? undefined : authenticator.identify(context.bmc, request)
  if (sender instanceof Promise) {
    // Resolved or rejected, the hook ends through `done`.
    sender.then(check).then(() => done(), done)
  } else {
    check(sender)
    done()
  }
}

function checkVersion({ headers }: FastifyRequest): void {
  const version = headers['odata-version']
  if (version === undefined || version === '4.0') return
  throw new RedfishError(412, message('Base.HeaderInvalid', 'OData-Version'))
}

/** Whether an Accept header lets a media type through (RFC 9110 §12.5.1); its absence accepts everything. */
export function accepts(header: string | undefined, type: string): boolean {
  if (header === undefined || header === '' || header === '*/*' || header === type) return true
  const ranges = header.split(',').map((range) => {
    const [name = '', ...parameters] = range.split(';').map((part) => part.trim().toLowerCase())
    return { name, isRefused: parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter)) }
  })
  const specificity = [type, type.replace(/\/.*/, '/*'), '*/*']
  const best = specificity
    .map((name) => ranges.find((range) => range.name === name))
    .find((range) => range !== undefined)
  return best !== undefined && !best.isRefused
}

/** The query options of a request; only a GET may have any (DSP0266, query parameters). */
function queryOf(request: FastifyRequest): Query | undefined {
  const start = request.url.indexOf('?')
  const query = start === -1 ? undefined : parseQuery(request.url.slice(start + 1))
  if (query === undefined || isRead(request)) return query
  throw new RedfishError(400, message('Base.QueryNotSupportedOnOperation'))
}

function isRead({ method }: FastifyRequest): boolean {
  return method === 'GET' || method === 'HEAD'
}

/** Whether a request asks for no change (RFC 9110 §9.2.1). */
function isSafe(request: FastifyRequest): boolean {
  return isRead(request) || request.method === 'OPTIONS'
}

function noRoom(): RedfishError {
  return new RedfishError(507, message('Base.InsufficientStorage'))
}

/** A JSON body; an empty one is no body, whatever its type says. */
function parseJson(
  _request: FastifyRequest,
  body: string,
  done: (error: Error | null, value?: unknown) => void,
): void {
  if (body.trim() === '') return done(null)
  const read = readJson(body)
  if (read.ok) done(null, read.value)
  else done(new RedfishError(400, read.problem))
}
