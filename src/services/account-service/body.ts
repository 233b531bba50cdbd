import type { Bmc } from '../../bmc/bmc.ts'
import type { Static, TSchema } from '../../lib/schema.ts'
import { RedfishError } from '../../redfish/errors.ts'
import { message } from '../../redfish/messages/message.ts'
import { uris } from '../../redfish/uris.ts'
import { isObject } from '../../redfish/resource.ts'
import { judge, propertyMessages } from '../../redfish/validation.ts'

/** The body of a POST that creates a resource. Throws a RedfishError that tells every mistake. */
export function bodyAs<S extends TSchema>(schema: S, body: unknown): Static<S> {
  if (!isObject(body)) throw new RedfishError(400, message('Base.UnrecognizedRequestBody'))
  const judged = judge(schema)(body)
  if (!judged.ok) throw new RedfishError(400, propertyMessages(judged.problem))
  return judged.value
}

/** AccountService v1_18: while it is disabled, users can be neither made nor changed nor removed. */
export function requireService({ state }: Bmc): void {
  if (state.settings.accountServiceEnabled) return
  throw new RedfishError(503, message('Base.ServiceDisabled', uris.accountService))
}
