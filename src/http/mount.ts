import type { FastifyInstance, FastifyReply, FastifyRequest, HTTPMethods } from 'fastify'
import { finished } from 'node:stream'
import type { Bmc, Row } from '../bmc/bmc.ts'
import { RedfishError } from '../redfish/errors.ts'
import { about, message, type Message } from '../redfish/messages/message.ts'
import { isObject, type JsonObject, type Resource } from '../redfish/resource.ts'
import type {
  Action,
  Answer,
  Call,
  Method,
  Patch,
  Privileges,
  Requirement,
} from '../redfish/resource-table.ts'
import { judge, type Mistake, parameterMessages, propertyMessages } from '../redfish/validation.ts'
import type { Authenticator } from './auth.ts'
import { contextOf, type EndpointHandler, pathOf } from './context.ts'
import { JSON_TYPE, methodNotAllowed, notFound } from './errors.ts'
import { askForBody } from './expect-continue.ts'
import { accepts, guard } from './protocol.ts'
import { type Rendering, Renderings } from './rendering.ts'

const allMethods: HTTPMethods[] = ['GET', 'HEAD', 'POST', 'PATCH', 'PUT', 'DELETE', 'OPTIONS']

/** A path that is no resource: the push URI, a task monitor, a document. */
export interface Endpoint {
  readonly path: string
  readonly privileges: Privileges
  readonly methods: { readonly [M in Method]?: EndpointHandler }
  readonly produces?: 'application/xml'
  /** Whether the handler asks for the body itself, after it has looked at the headers. */
  readonly holdsBody?: boolean
}

type Handler = (request: FastifyRequest, reply: FastifyReply) => unknown

/** Makes routes of the resource table: every method of every path is answered, if only with 405 and `Allow`. */
export function mountRows(app: FastifyInstance, rows: readonly Row[], authenticator: Authenticator): void {
  const renderings = new Renderings()
  for (const row of rows) {
    const mounted = { ...row, methods: rowMethods(row, renderings), exists: existence(row) }
    mountPath(app, authenticator, mounted)
    // DSP0266: a collection creates members through its Members property, too.
    const { POST } = mounted.methods
    if (POST) mountPath(app, authenticator, { ...mounted, path: `${row.path}/Members`, methods: { POST } })
    for (const [name, action] of Object.entries(row.actions ?? {})) {
      mountPath(app, authenticator, {
        path: `${row.path}/Actions/${name}`,
        privileges: row.privileges,
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
  for (const endpoint of endpoints) mountPath(app, authenticator, { ...endpoint, exists: () => true })
}

interface MountedPath extends Endpoint {
  readonly exists: (request: FastifyRequest) => boolean
}

function mountPath(app: FastifyInstance, authenticator: Authenticator, path: MountedPath): void {
  const { methods, privileges, exists, produces = 'application/json', holdsBody = false } = path
  const allow = Object.keys(methods).join(', ')
  const handlers: Partial<Record<string, EndpointHandler>> = methods
  app.route({
    method: allMethods,
    url: path.path,
    onRequest: guard(authenticator, (method) => requirementOf(privileges, method)),
    preParsing: (request, reply, payload, done) => {
      if (!holdsBody) askForBody(request.raw, reply.raw)
      done(null, payload)
    },
    handler: (request, reply) => {
      // A GET finds out by rendering; nothing is rendered twice.
      const isRead = request.method === 'GET' || request.method === 'HEAD'
      const isAcceptable = accepts(request.headers.accept, produces)
      if (!(isRead && isAcceptable) && !exists(request)) throw notFound(pathOf(request))
      const handle = handlers[request.method]
      if (handle === undefined) throw methodNotAllowed(allow)
      if (!isAcceptable) throw new RedfishError(406, message('Base.HeaderInvalid', 'Accept'))
      return handle(request, reply, contextOf(request))
    },
  })
}

function requirementOf(privileges: Privileges, method: string): Requirement {
  switch (method) {
    case 'POST':
    case 'PATCH':
    case 'DELETE':
      return privileges[method] ?? privileges.GET
    default:
      return privileges.GET
  }
}

function existence(row: Row): MountedPath['exists'] {
  return (request) => row.view(contextOf(request).bmc, paramsOf(request)) !== undefined
}

function rowMethods(row: Row, renderings: Renderings): Endpoint['methods'] {
  const { post, patch, delete: remove } = row
  const allow = [
    'GET',
    'HEAD',
    ...(post ? ['POST'] : []),
    ...(patch ? ['PATCH'] : []),
    ...(remove ? ['DELETE'] : []),
  ].join(', ')
  const render = (request: FastifyRequest): Rendering => {
    const { bmc } = contextOf(request)
    const path = pathOf(request)
    const rendering = renderings.get(bmc, path, () => row.view(bmc, paramsOf(request)), allow)
    if (rendering === undefined) throw notFound(path)
    return rendering
  }
  const get: Handler = (request, reply) => {
    const { body, headers, etag } = render(request)
    void reply.headers(headers)
    const seen = request.headers['if-none-match']
    return seen !== undefined && matches(seen, etag) ? reply.code(304).send() : reply.send(body)
  }
  return {
    GET: get,
    HEAD: get,
    ...(post && { POST: async (request, reply) => answer(reply, await post(callOf(request))) }),
    ...(patch && { PATCH: (request, reply) => change(request, reply, patch, render) }),
    ...(remove && { DELETE: async (request, reply) => answer(reply, await remove(callOf(request))) }),
  }
}

/** PATCH: the whole body is judged before anything changes, and the answer is the resource as it is then. */
async function change(
  request: FastifyRequest,
  reply: FastifyReply,
  patch: Patch<Bmc>,
  render: (request: FastifyRequest) => Rendering,
): Promise<unknown> {
  const before = render(request)
  const ifMatch = request.headers['if-match']
  if (ifMatch !== undefined && !matches(ifMatch, before.etag))
    throw new RedfishError(412, message('Base.PreconditionFailed'))
  const call = callOf(request)
  if (!isObject(call.body)) throw new RedfishError(400, message('Base.UnrecognizedRequestBody'))
  const body = Object.fromEntries(Object.entries(call.body).filter(([name]) => !name.startsWith('@odata.')))
  if (Object.keys(body).length === 0) throw new RedfishError(400, message('Base.NoOperation'))
  const judged = judgeWith(patch.schema)(body)
  if (!judged.ok) throw new RedfishError(400, patchMessages(judged.problem, before.resource))
  await patch.apply({ ...call, body })
  const { body: after, headers } = render(request)
  return reply.headers(headers).send(after)
}

/** A member that the resource shows but nobody may write is not unknown. */
function patchMessages(mistakes: readonly Mistake[], resource: Resource): Message[] {
  return mistakes.flatMap((mistake) => {
    const name = mistake.pointer.slice(1)
    const isReadOnly = mistake.kind === 'unknown' && Object.hasOwn(resource, name)
    return isReadOnly
      ? [about(message('Base.PropertyNotWritable', name), mistake.pointer)]
      : propertyMessages([mistake])
  })
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
    const isObjectBody = isObject(body)
    throw new RedfishError(
      400,
      isObjectBody ? parameterMessages(judged.problem, name) : message('Base.UnrecognizedRequestBody'),
    )
  }
  return answer(reply, await action.run({ ...call, body }))
}

function answer(reply: FastifyReply, { status, headers = {}, body, afterwards }: Answer): FastifyReply {
  if (afterwards) finished(reply.raw, afterwards)
  void reply.code(status).headers(headers)
  return body === undefined ? reply.send() : reply.type(JSON_TYPE).send(JSON.stringify(body))
}

const judges = new WeakMap<Patch<Bmc>['schema'], ReturnType<typeof judge>>()

/** Compiled when first needed: a start does not wait for schemas that nobody sends a body for. */
function judgeWith(schema: Patch<Bmc>['schema']): ReturnType<typeof judge> {
  const known = judges.get(schema) ?? judge(schema)
  judges.set(schema, known)
  return known
}

function callOf(request: FastifyRequest): Call<Bmc> {
  const { bmc, principal } = contextOf(request)
  return { bmc, principal, params: paramsOf(request), body: request.body, origin: request.ip }
}

function paramsOf(request: FastifyRequest): Readonly<Record<string, string>> {
  return request.params as Readonly<Record<string, string>> // Fastify's router makes nothing but strings of a path
}

function offersAction(resource: JsonObject | undefined, name: string): boolean {
  const actions = resource?.['Actions']
  return isObject(actions) && isObject(actions[`#${name}`])
}

/** Whether an If-Match or If-None-Match header names this ETag; `*` names any, weak comparison suffices here. */
function matches(header: string, etag: string): boolean {
  return header === '*' || header.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag)
}
