import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Bmc } from '../bmc/bmc.ts'
import type { Principal } from '../redfish/resource-table.ts'

/** What is known of a request before its handler runs. */
export interface RequestContext {
  readonly bmc: Bmc
  principal: Principal | undefined
}

const contexts = new WeakMap<FastifyRequest, RequestContext>()

/** Which BMC a request is for, and who sent it. */
export function contextOf(request: FastifyRequest): RequestContext {
  const context = contexts.get(request)
  if (context === undefined) throw new Error(`request ${request.id} has no context`)
  return context
}

export function setContext(request: FastifyRequest, context: RequestContext): void {
  contexts.set(request, context)
}

/** A handler of a path that is no resource: the push URI, a task monitor. */
export type EndpointHandler = (
  request: FastifyRequest,
  reply: FastifyReply,
  context: RequestContext,
) => unknown

/** The path of a request without its query and its trailing slash. */
export function pathOf(request: FastifyRequest): string {
  const path = request.url.split('?', 1)[0] ?? ''
  return path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path
}
