import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import { errorBody, platformErrorBody, RedfishError } from '../redfish/errors.ts'
import { message } from '../redfish/messages/message.ts'
import { PLATFORM } from '../redfish/uris.ts'

export const JSON_TYPE = 'application/json; charset=utf-8'

/** Renders whatever was thrown as a Redfish error; what nobody foresaw is logged and told as InternalError. */
export function sendError(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const refusal = asRefusal(error)
  if (refusal.status >= 500 && !(error instanceof RedfishError)) {
    request.server.log.error({ err: error, method: request.method, url: request.url }, 'request failed')
  }
  const bodyOf = request.url.startsWith(`${PLATFORM}/`) ? platformErrorBody : errorBody
  return reply
    .code(refusal.status)
    .headers(refusal.headers)
    .type(JSON_TYPE)
    .send(JSON.stringify(bodyOf(refusal.messages)))
}

/** The resource is not there. */
export function notFound(path: string): RedfishError {
  return new RedfishError(404, message('Base.InvalidURI', path))
}

/** The resource is there, and does not know the method. */
export function methodNotAllowed(allow: string): RedfishError {
  return new RedfishError(405, message('Base.OperationNotAllowed'), { Allow: allow })
}

function asRefusal(error: unknown): RedfishError {
  if (error instanceof RedfishError) return error
  const status = statusOf(error)
  switch (status) {
    case 413:
      return new RedfishError(413, message('Base.PayloadTooLarge'))
    case 415:
      return new RedfishError(415, message('Base.HeaderInvalid', 'Content-Type'))
    case 500:
      return new RedfishError(500, message('Base.InternalError'))
    default:
      return new RedfishError(status, message('Base.GeneralError'))
  }
}

function statusOf(error: unknown): number {
  const { statusCode } = error as Partial<FastifyError>
  return statusCode !== undefined && statusCode >= 400 && statusCode < 500 ? statusCode : 500
}
