import { Type } from '../../lib/schema.ts'
import { RedfishError } from '../../redfish/errors.ts'
import { about, type Message, message } from '../../redfish/messages/message.ts'
import { isObject } from '../../redfish/resource.ts'
import { referencePath } from '../../redfish/uris.ts'

export const Reference = Type.Object(
  { '@odata.id': Type.String({ minLength: 1 }) },
  { additionalProperties: false },
)

/** Each reference in a member of a body that leads to nothing; what is no reference the schema tells. */
export function missingReferences(
  body: unknown,
  member: string,
  isThere: (path: string) => boolean,
): Message[] {
  const given = isObject(body) ? body[member] : undefined
  if (!Array.isArray(given)) return []
  return given.flatMap((one: unknown, index) => {
    const reference = isObject(one) ? one['@odata.id'] : undefined
    if (typeof reference !== 'string' || reference === '' || isThere(referencePath(reference))) return []
    return [about(message('Base.ResourceMissingAtURI', reference), `/${member}/${index}/@odata.id`)]
  })
}

export function refuse(mistakes: readonly Message[]): void {
  if (mistakes.length > 0) throw new RedfishError(400, mistakes)
}
