import { isCollection, isObject, type Json, type JsonObject, type Resource } from '../resource.ts'

/** Names to keep, and of each what to keep inside; nothing inside means all of it. */
export interface Selection extends ReadonlyMap<string, Selection> {}
interface Growing extends Map<string, Growing> {}

const PATH = /^[A-Za-z_@#][\w@#.-]*(?:\/[A-Za-z_@#][\w@#.-]*)*$/
/** DSP0266: these are in the answer whatever is selected. */
const always = new Set(['@odata.id', '@odata.type', '@odata.context', '@odata.etag'])

/** The selection that a list of paths means; `undefined` when one of them is no path. */
export function parseSelect(text: string): Selection | undefined {
  const root: Growing = new Map()
  for (const path of text.split(',').map((one) => one.trim())) {
    if (!PATH.test(path)) return undefined
    grow(root, path.split('/'))
  }
  return root
}

/**
 * The selected properties of a resource. Where members stand in a collection in full, names that do not begin with
 * `Members` speak of them: whoever expands a collection wants to choose what comes of its members.
 */
export function select(resource: Resource, selection: Selection): Resource {
  const { '@odata.id': id, '@odata.type': type } = resource
  const ofMembers = [...selection].filter(([name]) => !/^Members(@|$)/.test(name))
  if (!isCollection(resource) || ofMembers.length === 0 || !resource.Members.some(isInFull)) {
    return { '@odata.id': id, '@odata.type': type, ...selectFrom(resource, selection) }
  }
  const [, given] = [...selection].find(([name]) => name === 'Members') ?? []
  const inner = given?.size === 0 ? given : new Map([...ofMembers, ...(given ?? [])])
  const whole = new Map([...selection, ['Members', inner] as const])
  return { '@odata.id': id, '@odata.type': type, ...selectFrom(resource, whole) }
}

function grow(root: Growing, path: readonly string[]): void {
  let here = root
  for (const [index, name] of path.entries()) {
    const known = here.get(name)
    // All of it is selected already.
    if (known?.size === 0) return
    if (index === path.length - 1) here.set(name, new Map())
    const next: Growing = known ?? new Map<string, Growing>()
    if (index < path.length - 1) here.set(name, next)
    here = next
  }
}

function selectFrom(object: JsonObject, selection: Selection): JsonObject {
  return Object.fromEntries(
    Object.entries(object).flatMap(([name, value]) => {
      const inside = selection.get(name)
      if (inside === undefined) {
        // What is said about a property goes with it: `Members@odata.nextLink` with `Members`.
        const [about = ''] = name.split('@', 1)
        return always.has(name) || (about !== '' && selection.has(about)) ? [[name, value] as const] : []
      }
      const kept = inside.size === 0 ? value : selectInside(value, inside)
      return kept === undefined ? [] : [[name, kept] as const]
    }),
  )
}

function selectInside(value: Json | undefined, selection: Selection): Json | undefined {
  if (Array.isArray(value)) return value.map((item: Json) => selectInside(item, selection) ?? null)
  return isObject(value) ? selectFrom(value, selection) : undefined
}

function isInFull(member: Json): boolean {
  return isObject(member) && Object.keys(member).some((name) => !always.has(name))
}
