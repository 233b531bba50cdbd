import type { FastifyInstance } from 'fastify'
import type { JobRequest } from '../bmc/user-job.ts'
import type { Clock } from '../lib/clock.ts'
import { readJson } from '../redfish/json-body.ts'
import { isObject, type JsonObject } from '../redfish/resource.ts'
import { type Pass, PASS_HEADER, type Passes } from './passes.ts'

/** A request that the service sends to itself, in the name of a user who is not there. */
interface InsideRequest extends Pass, JobRequest {}

export interface InsideAnswer {
  readonly status: number
  /** Empty where the answer has no object in it. */
  readonly body: JsonObject
}

export type SendInside = (request: InsideRequest) => Promise<InsideAnswer>

/** Requests that go through everything that holds for those of clients, and over no socket. */
export function insideSender(app: FastifyInstance, passes: Passes, clock: Clock): SendInside {
  return async ({ method, uri, headers, body, ...pass }) => {
    const all = {
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...headers,
      [PASS_HEADER]: passes.issue(pass),
    }
    const sent = app.inject({ method, url: uri, headers: all, ...(body !== undefined && { payload: body }) })
    const answer = await clock.io(sent)
    const read = readJson(answer.body)
    return { status: answer.statusCode, body: read.ok && isObject(read.value) ? read.value : {} }
  }
}
