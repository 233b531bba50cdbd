import type { FastifyInstance, FastifyRequest, HTTPMethods } from 'fastify'
import { RedfishError } from '../redfish/errors.ts'
import { message } from '../redfish/messages/message.ts'
import type { Method } from '../redfish/resource-table.ts'
import { type Access, accessToEndpoint } from './access.ts'
import type { Authenticator } from './auth.ts'
import { contextOf, type EndpointHandler, pathOf, type Route } from './context.ts'
import { methodNotAllowed, notFound } from './errors.ts'
import { type Found, indexPaths } from './path-index.ts'
import { accepts, admit } from './protocol.ts'

/** What every path answers, most of them with 405. */
const allMethods: HTTPMethods[] = ['GET', 'HEAD', 'POST', 'PATCH', 'PUT', 'DELETE', 'OPTIONS']

/** A path that is served. */
export interface MountedPath {
  readonly path: string
  readonly access: Access
  readonly methods: { readonly [M in Method]?: EndpointHandler }
  readonly exists: (request: FastifyRequest) => boolean
  /** The methods of this very resource, where they are not those above. */
  readonly allow?: (request: FastifyRequest) => string
  readonly produces?: string
  readonly holdsBody?: boolean
  readonly takesQuery?: boolean
}

interface GuardedRoute extends Route {
  readonly access: Access
}

/**
 * Every method of every path is answered, if only with 405 and `Allow`. Fastify has one route for all of them: told of
 * each path and method it would compile thousands, at every start.
 */
export function routePaths(
  app: FastifyInstance,
  paths: readonly MountedPath[],
  authenticator: Authenticator,
): void {
  const find = indexPaths(() => paths.map(routeOf))
  const loggedIn = accessToEndpoint({})
  app.addHook('onRequest', (request, _reply, done) => {
    const found = request.is404 ? undefined : find(pathOf(request))
    if (found) enter(request, found)
    // Where nothing is there to be guarded, whoever asks is judged even so, before a body that nobody wants is read.
    admit(authenticator, found?.value.access ?? loggedIn, request, (problem) => {
      const refusal: Error | undefined = problem ?? (found ? undefined : unrouted(request))
      done(refusal)
    })
  })
  app.route({
    method: allMethods,
    url: '*',
    handler: (request, reply) => contextOf(request).route?.answer(request, reply),
  })
}

function enter(request: FastifyRequest, { value: route, params }: Found<Route>): void {
  Object.assign(contextOf(request), { route, params })
  // Fastify may not refuse a type that it cannot read: what a body says of itself is judged by who asks for it.
  if (route.holdsBody) Object.assign(request, { headers: { 'content-type': undefined } })
}

/** A method that no path knows is not implemented (RFC 9110 §15.6.2), whatever the path. */
function unrouted(request: FastifyRequest): RedfishError {
  return request.is404
    ? new RedfishError(501, message('Base.OperationNotAllowed'))
    : notFound(pathOf(request))
}

function routeOf({ path, access, holdsBody = false, ...mounted }: MountedPath): GuardedRoute {
  const { methods, exists, produces = 'application/json', takesQuery = false } = mounted
  const { allow = () => Object.keys(methods).join(', ') } = mounted
  const handlers: Partial<Record<string, EndpointHandler>> = methods
  return {
    path,
    access,
    holdsBody,
    answer: (request, reply) => {
      const handle = handlers[request.method]
      // A GET finds out by rendering; nothing is rendered twice.
      const isRead = request.method === 'GET' || request.method === 'HEAD'
      const isAcceptable = accepts(request.headers.accept, produces)
      if (!(isRead && isAcceptable && handle) && !exists(request)) throw notFound(pathOf(request))
      if (handle === undefined) throw methodNotAllowed(allow(request))
      if (!isAcceptable) throw new RedfishError(406, message('Base.HeaderInvalid', 'Accept'))
      const context = contextOf(request)
      if (context.query !== undefined && !takesQuery) {
        throw new RedfishError(400, message('Base.QueryNotSupportedOnResource'))
      }
      const handled = handle(request, reply, context)
      // A reply that is returned is waited for like a promise, which costs more than the answer.
      return handled === reply ? undefined : handled
    },
  }
}
