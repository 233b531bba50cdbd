import type { FastifyInstance, FastifyReply, FastifyRequest, RouteOptions } from 'fastify'
import { finished } from 'node:stream'
import type { Bmc, Row } from '../bmc/bmc.ts'
import { RedfishError } from '../redfish/errors.ts'
import { message } from '../redfish/messages/message.ts'
import { isObject, type JsonObject } from '../redfish/resource.ts'
import type { Action, Answer, Call, Method, Privileges } from '../redfish/resource-table.ts'
import { judge, parameterMessages } from '../redfish/validation.ts'
import { type Access, accessToEndpoint, accessToRow } from './access.ts'
import type { Authenticator } from './auth.ts'
import { type Changing, checkPrecondition, patchResource, putResource } from './changes.ts'
import { actorOf, contextOf, type EndpointHandler, paramsOf, pathOf } from './context.ts'
import { JSON_TYPE, methodNotAllowed, notFound } from './errors.ts'
import { accepts, allMethods, guard } from './protocol.ts'
import type { Reading } from './reading.ts'
import { allowOf } from './rendering.ts'
import { ofEach } from '../lib/of-each.ts'

/** A path that is no resource: the push URI, a task monitor, a document. */
export interface Endpoint {
  readonly path: string
  readonly privileges: Privileges
  /** Whose it is: ConfigureSelf counts for nobody else. */
  readonly owner?: Row['owner']
  readonly methods: { readonly [M in Method]?: EndpointHandler }
  /** Whether this BMC has it; every BMC, where absent. */
  readonly exists?: (bmc: Bmc) => boolean
  readonly produces?: 'application/octet-stream' | 'application/xml' | 'text/event-stream' | 'text/plain'
  /** Whether the handler asks for the body itself, after it has looked at the headers. */
  readonly holdsBody?: boolean
  /** Whether a GET may have query options. */
  readonly takesQuery?: boolean
}

/** Who may read, and how. */
export interface Readers {
  readonly authenticator: Authenticator
  readonly reading: Reading
}

type Handler = (request: FastifyRequest, reply: FastifyReply) => unknown

/** Makes routes of the resource table: every method of every path is answered, if only with 405 and `Allow`. */
export function mountRows(
  app: FastifyInstance,
  rows: readonly Row[],
  { authenticator, reading }: Readers,
): void {
  for (const row of rows) {
    const mounted = {
      path: row.path,
      access: accessToRow(row, pathOf),
      methods: rowMethods(row, reading),
      exists: existence(row),
      allow: (request: FastifyRequest) => allowOf(row, reading.resource(request, row)),
      takesQuery: true,
    }
    mountPath(app, authenticator, mounted)
    // DSP0266: a collection creates members through its Members property, too.
    const { POST } = mounted.methods
    if (POST)
      mountPath(app, authenticator, {
        ...mounted,
        path: `${row.path}/Members`,
        access: accessToRow(row, (request) => pathOf(request).replace(/\/Members$/, '')),
        methods: { POST },
        allow: () => 'POST',
      })
    for (const [name, action] of Object.entries(row.actions ?? {})) {
      mountPath(app, authenticator, {
        path: `${row.path}/Actions/${name}`,
        access: accessToRow(row, (request) => pathOf(request).replace(/\/Actions\/.*$/, '')),
        methods: { POST: (request, reply) => act(request, reply, name, action) },
        exists: (request) => offersAction(row.view(contextOf(request).bmc, paramsOf(request)), name),
      })
    }
  }
}

export function mountEndpoints(
  app: FastifyInstance,
  endpoints: readonly Endpoint[],
  authenticator: Authenticator,
): void {
  for (const endpoint of endpoints) {
    const access = accessToEndpoint(endpoint.privileges, endpoint.owner)
    const { exists = () => true } = endpoint
    mountPath(app, authenticator, {
      ...endpoint,
      access,
      exists: (request) => exists(contextOf(request).bmc),
    })
  }
}

interface MountedPath extends Omit<Endpoint, 'privileges' | 'owner' | 'exists'> {
  readonly access: Access
  readonly exists: (request: FastifyRequest) => boolean
  /** The methods of this very resource, where they are not those of its row. */
  readonly allow?: (request: FastifyRequest) => string
}

function mountPath(app: FastifyInstance, authenticator: Authenticator, path: MountedPath): void {
  const { methods, access, exists, produces = 'application/json', holdsBody = false, takesQuery } = path
  const { allow = () => Object.keys(methods).join(', ') } = path
  const handlers: Partial<Record<string, EndpointHandler>> = methods
  const route: RouteOptions = {
    method: allMethods,
    url: path.path,
    config: { holdsBody },
    onRequest: guard(authenticator, access),
    handler: (request, reply) => {
      const handle = handlers[request.method]
      // A GET finds out by rendering; nothing is rendered twice.
      const isRead = request.method === 'GET' || request.method === 'HEAD'
      const isAcceptable = accepts(request.headers.accept, produces)
      if (!(isRead && isAcceptable && handle) && !exists(request)) throw notFound(pathOf(request))
      if (handle === undefined) throw methodNotAllowed(allow(request))
      if (!isAcceptable) throw new RedfishError(406, message('Base.HeaderInvalid', 'Accept'))
      const context = contextOf(request)
      if (context.query !== undefined && takesQuery !== true) {
        throw new RedfishError(400, message('Base.QueryNotSupportedOnResource'))
      }
      const handled = handle(request, reply, context)
      // A reply that is returned is waited for like a promise, which costs more than the answer.
      return handled === reply ? undefined : handled
    },
  }
  if (!holdsBody) return void app.route(route)
  // No parser may wait for a body that nobody has asked the client for.
  void app.register(async (scope) => {
    scope.removeAllContentTypeParsers()
    scope.addContentTypeParser('*', ignoreBody)
    // Nor may Fastify refuse a type that it cannot read: what the body says of itself is the handler's to judge.
    scope.addHook('onRequest', (request, _reply, done) => {
      Object.assign(request, { headers: { 'content-type': undefined } })
      done()
    })
    scope.route(route)
  })
}

/** Leaves the body to the handler. */
async function ignoreBody(): Promise<void> {}

function existence(row: Row): MountedPath['exists'] {
  return (request) => row.view(contextOf(request).bmc, paramsOf(request)) !== undefined
}

function rowMethods(row: Row, reading: Reading): Endpoint['methods'] {
  const { post, patch, put, delete: remove } = row
  const get: Handler = (request, reply) => {
    const prepared = row.prepare?.(contextOf(request).bmc, paramsOf(request))
    if (prepared === undefined) return reading.answer(request, reply, row)
    return prepared.then(() => reading.answer(request, reply, row))
  }
  const change = (request: FastifyRequest, reply: FastifyReply): Changing => {
    const changing = {
      request,
      reply,
      row,
      call: callOf(request),
      render: () => reading.render(request, row),
      resource: () => reading.resource(request, row),
    }
    checkPrecondition(changing)
    return changing
  }
  return {
    GET: get,
    HEAD: get,
    ...(post && { POST: async (request, reply) => answer(reply, await post(callOf(request))) }),
    ...(patch && { PATCH: async (request, reply) => patchResource(change(request, reply), patch) }),
    ...(put && { PUT: async (request, reply) => putResource(change(request, reply), put) }),
    ...(remove && {
      DELETE: async (request, reply) => answer(reply, await remove(change(request, reply).call)),
    }),
  }
}

async function act(
  request: FastifyRequest,
  reply: FastifyReply,
  name: string,
  action: Action<Bmc>,
): Promise<unknown> {
  const call = callOf(request)
  const body = call.body ?? {}
  const judged = judgeWith(action.parameters)(body)
  if (!judged.ok) {
    if (!isObject(body)) throw new RedfishError(400, message('Base.UnrecognizedRequestBody'))
    const others = action.mistakes?.({ ...call, body }, judged.problem) ?? []
    const shown = name.replace(OEM_ACTION, '')
    throw new RedfishError(400, [...parameterMessages(judged.problem, shown), ...others])
  }
  return answer(reply, await action.run({ ...call, body }))
}

function answer(reply: FastifyReply, { status, headers = {}, body, afterwards }: Answer): FastifyReply {
  if (afterwards) finished(reply.raw, afterwards)
  void reply.code(status).headers(headers)
  return body === undefined ? reply.send() : reply.type(JSON_TYPE).send(JSON.stringify(body))
}

/** Compiled when first needed: a start does not wait for schemas that nobody sends a body for. */
const judgeWith = ofEach((schema: Action<Bmc>['parameters']) => judge(schema))

function callOf(request: FastifyRequest): Call<Bmc> {
  const { bmc, principal } = contextOf(request)
  return {
    bmc,
    principal,
    params: paramsOf(request),
    body: request.body,
    origin: request.ip,
    actor: actorOf(request),
  }
}

/** How the names of actions begin that are not the standard's. */
const OEM_ACTION = 'Oem/'

/** Whether a resource shows an action: what is not shown is not there. */
export function offersAction(resource: JsonObject | undefined, name: string): boolean {
  const actions = resource?.['Actions']
  if (!isObject(actions)) return false
  if (!name.startsWith(OEM_ACTION)) return isObject(actions[`#${name}`])
  const { Oem: own } = actions
  return isObject(own) && isObject(own[`#${name.slice(OEM_ACTION.length)}`])
}
