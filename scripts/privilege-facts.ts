import { isArray, isObject, objectAt, stringAt } from './dmtf-sources.ts'
import type { Json, JsonObject, Sources } from './dmtf-sources.ts'

const METHODS = ['GET', 'HEAD', 'PATCH', 'POST', 'PUT', 'DELETE']

/**
 * The privilege registry as a table: who may do what to an entity is one of a few maps, which `maps` lists once.
 * `entities` names the map of each, `below` the maps that replace it under other entities, `properties` under a name.
 */
export function privilegeFacts(sources: Sources): JsonObject {
  const name = sources.names('registries').filter((file) => file.endsWith('_PrivilegeRegistry.json'))
  const [newest] = name.toSorted().toReversed()
  if (newest === undefined) throw new Error('no privilege registry in the sources')
  const published = sources.json(`registries/${newest}`)
  const maps = new Map<string, number>()
  const numberOf = (owner: JsonObject): number => {
    const text = JSON.stringify(operations(objectAt(owner, 'OperationMap')))
    if (!maps.has(text)) maps.set(text, maps.size)
    return maps.get(text) ?? 0
  }
  const overrides = (mapping: JsonObject, member: string): Json[] =>
    listAt(mapping, member).map((one) => ({ targets: one['Targets'] ?? [], map: numberOf(one) }))
  const entities = listAt(published, 'Mappings').map((mapping) => {
    const below = overrides(mapping, 'SubordinateOverrides')
    const properties = overrides(mapping, 'PropertyOverrides')
    const facts = {
      map: numberOf(mapping),
      ...(below.length > 0 && { below }),
      ...(properties.length > 0 && { properties }),
    }
    return [stringAt(mapping, 'Entity'), facts] as const
  })
  return {
    id: newest.replace(/\.json$/, ''),
    maps: [...maps.keys()].map((text): Json => JSON.parse(text) as Json),
    entities: Object.fromEntries(entities),
  }
}

/** Method → sets of privileges, any of which suffices. */
function operations(map: JsonObject): JsonObject {
  const known = METHODS.filter((method) => map[method] !== undefined)
  return Object.fromEntries(
    known.map((method) => [method, listAt(map, method).map((set) => set['Privilege'] ?? [])]),
  )
}

function listAt(owner: JsonObject, name: string): JsonObject[] {
  const list = owner[name]
  return isArray(list) ? list.filter(isObject) : []
}
