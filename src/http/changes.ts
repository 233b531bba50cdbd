import { isDeepStrictEqual } from 'node:util'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Bmc, Row } from '../bmc/bmc.ts'
import { RedfishError } from '../redfish/errors.ts'
import { type Message, message } from '../redfish/messages/message.ts'
import { judgePatch, type PatchOutcome } from '../redfish/patch.ts'
import { getPointer } from '../redfish/pointer.ts'
import { isObject, type JsonObject, type Resource } from '../redfish/resource.ts'
import type { Call, Patch } from '../redfish/resource-table.ts'
import { judge, propertyMessages } from '../redfish/validation.ts'
import { methodNotAllowed } from './errors.ts'
import { matches } from './etag.ts'
import { allowOf, type Rendering } from './rendering.ts'

/** Nobody reads more of them, and a body of a megabyte can hold a hundred thousand. */
const MAX_MISTAKES_TOLD = 100

/** A request that is to change the resource of a row. */
export interface Changing {
  readonly request: FastifyRequest
  readonly reply: FastifyReply
  readonly row: Row
  readonly call: Call<Bmc>
  /** The resource as it is when asked for. Throws a RedfishError (404) where there is none. */
  readonly render: () => Rendering
  readonly resource: () => Resource
}

/** What a client knew when it asked for a change must still be so (DSP0266, ETags; RFC 9110 §13.1.1). */
export function checkPrecondition({
  request,
  row,
  render,
}: Omit<Changing, 'call' | 'reply' | 'resource'>): void {
  const header = request.headers['if-match']
  if (header === undefined) {
    if (row.requiresIfMatch === true) throw new RedfishError(428, message('Base.PreconditionRequired'))
    return
  }
  // A strong comparison: a tag that calls itself weak matches nothing.
  const strong = header.split(',').filter((tag) => !tag.trim().startsWith('W/'))
  if (!matches(strong.join(','), render().etag))
    throw new RedfishError(412, message('Base.PreconditionFailed'))
}

/** PATCH: what is right of the body is changed in one go; the answer is the resource as it is then, and what is wrong. */
export async function patchResource(changing: Changing, patch: Patch<Bmc>): Promise<unknown> {
  const { reply, call, render } = changing
  const { accepted, messages } = judged(changing, patch, bodyOf(call))
  if (Object.keys(accepted).length === 0) {
    throw new RedfishError(400, messages.length === 0 ? message('Base.NoOperation') : told(messages))
  }
  await patch.apply({ ...call, body: accepted, stillFits: () => checkPrecondition(changing) })
  const after = render()
  void reply.headers(after.headers)
  if (messages.length === 0) return reply.send(after.body)
  return reply.send(
    JSON.stringify({
      ...changing.resource(),
      '@odata.etag': after.etag,
      '@Message.ExtendedInfo': told(messages),
    }),
  )
}

/** PUT: the body is the whole resource. What clients may not write may stand in it as it is; nothing else is wrong. */
export async function putResource(changing: Changing, put: Patch<Bmc>): Promise<unknown> {
  const { reply, call, render } = changing
  const resource = changing.resource()
  const body = bodyOf(call)
  const { accepted, messages } = judged(changing, put, body)
  const isAsBefore = (pointer: string): boolean =>
    isDeepStrictEqual(getPointer(body, pointer), getPointer(resource, pointer))
  const mistakes = messages.filter(({ RelatedProperties = [] }) => !RelatedProperties.every(isAsBefore))
  if (mistakes.length > 0) throw new RedfishError(400, told(mistakes))
  await put.apply({ ...call, body: accepted })
  const after = render()
  return reply.headers(after.headers).send(after.body)
}

function told(mistakes: readonly Message[]): readonly Message[] {
  return mistakes.slice(0, MAX_MISTAKES_TOLD)
}

function bodyOf({ body }: Call<Bmc>): JsonObject {
  if (!isObject(body)) throw new RedfishError(400, message('Base.UnrecognizedRequestBody'))
  return body
}

/** Throws a RedfishError (405) where this resource has nothing that clients may write. */
function judged({ row, resource: read }: Changing, patch: Patch<Bmc>, body: JsonObject): PatchOutcome {
  const resource = read()
  if (patch.schema === undefined) {
    const writable = patch.writable(resource)
    if (Object.keys(writable).length === 0) throw methodNotAllowed(allowOf(row, resource))
    return judgePatch({ current: resource, body, writable })
  }
  const outcome = judgePatch({ current: resource, body, schema: patch.schema })
  // What `apply` gets has passed its schema as a whole: members that go only together, too.
  const whole = judge(patch.schema)(outcome.accepted)
  if (whole.ok || Object.keys(outcome.accepted).length === 0) return outcome
  return { accepted: {}, messages: [...outcome.messages, ...propertyMessages(whole.problem)] }
}
