import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { finished } from 'node:stream'
import type { Bmc, Row } from '../bmc/bmc.ts'
import { RedfishError } from '../redfish/errors.ts'
import { message } from '../redfish/messages/message.ts'
import { isObject, type JsonObject } from '../redfish/resource.ts'
import type { Action, Answer, Call, Method, Privileges } from '../redfish/resource-table.ts'
import { judge, parameterMessages } from '../redfish/validation.ts'
import { accessToEndpoint, accessToRow } from './access.ts'
import type { Authenticator } from './auth.ts'
import { type Changing, checkPrecondition, patchResource, putResource } from './changes.ts'
import { actorOf, contextOf, type EndpointHandler, paramsOf, pathOf } from './context.ts'
import { JSON_TYPE } from './errors.ts'
import type { Reading } from './reading.ts'
import { allowOf } from './rendering.ts'
import { type MountedPath, routePaths } from './routing.ts'
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

/** Serves the resource table and the paths beside it. */
export function mount(
  app: FastifyInstance,
  { rows, endpoints }: { readonly rows: readonly Row[]; readonly endpoints: readonly Endpoint[] },
  { authenticator, reading }: Readers,
): void {
  const paths = [...rows.flatMap((row) => pathsOfRow(row, reading)), ...endpoints.map(pathOfEndpoint)]
  routePaths(app, paths, authenticator)
}

/** A resource, and what is below it: its actions, and the Members of a collection. */
function pathsOfRow(row: Row, reading: Reading): readonly MountedPath[] {
  const methods = rowMethods(row, reading)
  const resource: MountedPath = {
    path: row.path,
    access: accessToRow(row, pathOf),
    methods,
    exists: (request) => row.view(contextOf(request).bmc, paramsOf(request)) !== undefined,
    allow: (request) => allowOf(row, reading.resource(request, row)),
    takesQuery: true,
  }
  const { POST } = methods
  // DSP0266: a collection creates members through its Members property, too.
  const members: MountedPath | undefined = POST && {
    ...resource,
    path: `${row.path}/Members`,
    access: accessToRow(row, (request) => pathOf(request).replace(/\/Members$/, '')),
    methods: { POST },
    allow: () => 'POST',
  }
  const actions = Object.entries(row.actions ?? {}).map(([name, action]): MountedPath => ({
    path: `${row.path}/Actions/${name}`,
    access: accessToRow(row, (request) => pathOf(request).replace(/\/Actions\/.*$/, '')),
    methods: { POST: (request, reply) => act(request, reply, name, action) },
    exists: (request) => offersAction(row.view(contextOf(request).bmc, paramsOf(request)), name),
  }))
  return [resource, ...(members ? [members] : []), ...actions]
}

function pathOfEndpoint({ privileges, owner, exists = () => true, ...endpoint }: Endpoint): MountedPath {
  return {
    ...endpoint,
    access: accessToEndpoint(privileges, owner),
    exists: (request) => exists(contextOf(request).bmc),
  }
}

function rowMethods(row: Row, reading: Reading): Endpoint['methods'] {
  const { post, patch, put, delete: remove } = row
  const get: Handler = (request, reply) => {
    const { bmc } = contextOf(request)
    const params = paramsOf(request)
    const prepared = row.prepare?.(bmc, params) ?? row.refresh?.(bmc, params)
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
