import type { FastifyInstance, FastifyRequest, onRequestHookHandler } from 'fastify'
import type { Bmc } from '../bmc/bmc.ts'
import type { Clock } from '../lib/clock.ts'
import { busy, RedfishError } from '../redfish/errors.ts'
import { message } from '../redfish/messages/message.ts'
import type { Principal, Requirement } from '../redfish/resource-table.ts'
import { type Authenticator, authorize } from './auth.ts'
import { contextOf, pathOf, setContext } from './context.ts'
import { drainBody } from './drain.ts'
import { notFound, sendError } from './errors.ts'

const MAX_JSON_BYTES = 2 ** 20
/** How soon a client may ask again while the manager boots. */
const OUTAGE_RETRY_S = 5

export interface Protocol {
  readonly clock: Clock
  readonly authenticator: Authenticator
  /** Which BMC a request is for. */
  readonly resolveBmc: (request: FastifyRequest) => Bmc
}

/** What holds for every request: its BMC, the headers of every answer, errors, bodies (DSP0266, protocol details). */
export function installProtocol(app: FastifyInstance, protocol: Protocol): void {
  const { clock, authenticator, resolveBmc } = protocol
  app.addHook('onRequest', (request, reply, done) => {
    const bmc = resolveBmc(request)
    setContext(request, { bmc, principal: undefined })
    void reply.headers({ 'OData-Version': '4.0', 'Cache-Control': 'no-cache' })
    if (bmc.state.outage === 'refuse') return void request.raw.socket.destroy()
    done(bmc.state.outage === undefined ? undefined : busy(OUTAGE_RETRY_S))
  })
  app.addHook('onSend', async (request, reply, payload) => {
    await drainBody(request, reply, clock)
    return payload
  })
  app.setErrorHandler(sendError)
  const loggedIn = guard(authenticator, () => [['Login']])
  app.setNotFoundHandler({ preHandler: loggedIn }, (request) => {
    throw notFound(pathOf(request))
  })
  app.removeAllContentTypeParsers()
  app.addContentTypeParser<string>(
    'application/json',
    { parseAs: 'string', bodyLimit: MAX_JSON_BYTES },
    parseJson,
  )
  // Clients send bodies of no use with types of no use (an empty one as a form): whoever wants a body looks at it.
  app.addContentTypeParser('*', (_request, _payload, done) => done(null))
}

/** A hook that lets through who may pass; authentication comes before everything else that a request says. */
export function guard(
  authenticator: Authenticator,
  requirement: (method: string) => Requirement,
): onRequestHookHandler {
  return (request, _reply, done) => {
    const needed = requirement(request.method)
    const context = contextOf(request)
    const check = (principal: Principal | undefined): void => {
      context.principal = principal
      authorize(needed, principal, request.headers['x-auth-token'] !== undefined)
      checkVersion(request)
      checkQuery(request)
    }
    const sender = needed.length === 0 ? undefined : authenticator.identify(context.bmc, request)
    if (sender instanceof Promise) {
      // Resolved or rejected, the hook ends through `done`.
      sender.then(check).then(() => done(), done)
    } else {
      check(sender)
      done()
    }
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

/** No query option is offered yet: those with `$` are refused, others ignored (DSP0266, query parameters). */
function checkQuery({ url }: FastifyRequest): void {
  const start = url.indexOf('?')
  if (start === -1) return
  const unsupported = [...new URLSearchParams(url.slice(start)).keys()].filter((name) => name.startsWith('$'))
  if (unsupported.length === 0) return
  throw new RedfishError(
    501,
    unsupported.map((name) => message('Base.QueryParameterUnsupported', name)),
  )
}

/** A JSON body; an empty one is no body, whatever its type says. */
function parseJson(
  _request: FastifyRequest,
  body: string,
  done: (error: Error | null, value?: unknown) => void,
): void {
  if (body.trim() === '') return done(null)
  try {
    done(null, JSON.parse(body))
  } catch {
    done(new RedfishError(400, message('Base.MalformedJSON')))
  }
}
