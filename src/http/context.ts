import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Bmc } from '../bmc/bmc.ts'
import type { Actor } from '../bmc/actor.ts'
import type { Query } from '../redfish/query/parse.ts'
import type { Params, Principal, Requirement } from '../redfish/resource-table.ts'

/** What is known of a request before its handler runs. */
export interface RequestContext {
  readonly bmc: Bmc
  /** The path without its query and its trailing slash. */
  readonly path: string
  /** Who answers, and the parameters of the path; known once the path was found. */
  route: Route | undefined
  params: Params
  /** In whose name it comes from inside the process. */
  readonly maker: Actor | undefined
  principal: Principal | undefined
  /** What the request asks of its sender; known once that was looked at. */
  needed: Requirement | undefined
  /** The query options of a GET. */
  query: Query | undefined
}

/** A path as it was mounted, and who answers there. */
export interface Route {
  readonly path: string
  /** Whether the handler asks for the body itself, after it has looked at the headers. */
  readonly holdsBody: boolean
  readonly answer: (request: FastifyRequest, reply: FastifyReply) => unknown
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Read it by `contextOf`. A property, because a WeakMap of all requests costs each more than its handler does. */
    redflash?: RequestContext | undefined
  }
}

/** Which BMC a request is for, and who sent it. */
export function contextOf(request: FastifyRequest): RequestContext {
  const context = request.redflash
  if (context === undefined) throw new Error(`request ${request.id} has no context`)
  return context
}

/** The request is for this BMC; who sent it and what it asks is found out later. */
export function setContext(request: FastifyRequest, bmc: Bmc, maker?: Actor): void {
  request.redflash = {
    bmc,
    path: plainPath(request.url),
    route: undefined,
    params: {},
    maker,
    principal: undefined,
    needed: undefined,
    query: undefined,
  }
}

/** A handler of a path that is no resource: the push URI, a task monitor. */
export type EndpointHandler = (
  request: FastifyRequest,
  reply: FastifyReply,
  context: RequestContext,
) => unknown

export function paramsOf(request: FastifyRequest): Params {
  return contextOf(request).params
}

/** Who sent a request, as the logs name them. */
export function actorOf(request: FastifyRequest): Actor {
  const { protocol, socket } = request
  // Whoever left before anybody looked has no address, whatever the type of `request.ip` says.
  const ip = socket.remoteAddress ?? 'unknown'
  const { maker, principal } = contextOf(request)
  const address = maker?.address ?? `${protocol}://${ip.includes(':') ? `[${ip}]` : ip}`
  return { username: principal?.username, address }
}

/** The path of a request without its query, a fragment, and its trailing slash. */
export function pathOf({ redflash, url }: FastifyRequest): string {
  return redflash?.path ?? plainPath(url)
}

function plainPath(url: string): string {
  const end = url.search(/[?#]/)
  const path = end === -1 ? url : url.slice(0, end)
  return path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path
}
