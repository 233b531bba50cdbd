import type { Static, TSchema } from '../lib/schema.ts'
import { RedfishError } from './errors.ts'
import { type Message, message } from './messages/message.ts'
import { isObject, type JsonObject } from './resource.ts'
import { judge, propertyMessages } from './validation.ts'

/**
 * The body of a POST that creates a resource. Throws a RedfishError (400) that tells every mistake: those that `also`
 * finds, too, which looks at a body that may have others.
 */
export function bodyAs<S extends TSchema>(
  schema: S,
  body: unknown,
  also: (body: JsonObject) => readonly Message[] = () => [],
): Static<S> {
  if (!isObject(body)) throw new RedfishError(400, message('Base.UnrecognizedRequestBody'))
  const judged = judge(schema)(body)
  const mistakes = [...(judged.ok ? [] : propertyMessages(judged.problem)), ...also(body)]
  if (!judged.ok || mistakes.length > 0) throw new RedfishError(400, mistakes)
  return judged.value
}
