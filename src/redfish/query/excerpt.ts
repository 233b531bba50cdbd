import { isObject, type Json, type JsonObject, type Resource } from '../resource.ts'
import { excerptProperties } from '../types.gen.ts'

const propertiesOf: ReadonlyMap<string, ReadonlySet<string>> = new Map(
  Object.entries(excerptProperties).map(([type, names]) => [type, new Set<string>(names)]),
)

/** Resources whose schema names an excerpt are reduced to it, wherever they stand; others stay whole (DSP0266). */
export function excerpt(resource: Resource): Resource {
  return { '@odata.id': resource['@odata.id'], '@odata.type': resource['@odata.type'], ...reduce(resource) }
}

function reduce(object: JsonObject): JsonObject {
  const type = object['@odata.type']
  const names = typeof type === 'string' ? propertiesOf.get(type.slice(1).split('.', 1)[0] ?? '') : undefined
  return Object.fromEntries(
    Object.entries(object).flatMap(([name, value]) =>
      names === undefined
        ? [[name, reduceValue(value)] as const]
        : names.has(name) || name.startsWith('@odata.')
          ? [[name, value] as const]
          : [],
    ),
  )
}

function reduceValue(value: Json | undefined): Json | undefined {
  if (Array.isArray(value)) return value.map((item: Json) => reduceValue(item) ?? null)
  return isObject(value) ? reduce(value) : value
}
