import { fail, type Result, succeed } from '../../lib/result.ts'
import { isObject, type Resource } from '../resource.ts'

/** How deep `$expand` goes at most, as the service root announces. */
export const MAX_LEVELS = 6
/** Resources in one answer: beyond, links stay links, the deepest first. */
const MAX_EXPANDED = 4_000

/** Which hyperlinks are replaced by what they lead to: `*`, `.` or `~`, and how many times over. */
export interface Expand {
  readonly which: 'all' | 'subordinate' | 'links'
  readonly levels: number
}

/** A resource as the requester may read it; `undefined`: the link stays a link. */
export type Lookup = (uri: string) => Resource | undefined

type Holder = Record<string | number, unknown>
interface Node {
  readonly object: object
  readonly level: number
  readonly way: Way
}
/** The resources from the root of the answer to here: none of them is expanded within itself. */
interface Way {
  readonly uri: string
  readonly from: Way | undefined
}

export function parseExpand(text: string): Result<Expand, 'format' | 'range'> {
  const [, mark, levels = '1'] = /^([*.~])(?:\(\$levels=(-?\d{1,9})\))?$/.exec(text) ?? []
  if (mark === undefined) return fail('format')
  if (Number(levels) < 1 || Number(levels) > MAX_LEVELS) return fail('range')
  const which = mark === '*' ? 'all' : mark === '.' ? 'subordinate' : 'links'
  return succeed({ which, levels: Number(levels) })
}

/** Replaces hyperlinks by their resources, level by level, so that a full answer misses only the deepest. */
export function expand(resource: Resource, { which, levels }: Expand, lookup: Lookup): Resource {
  const root = structuredClone(resource)
  const nodes: Node[] = [{ object: root, level: 0, way: { uri: bare(root['@odata.id']), from: undefined } }]
  let left = MAX_EXPANDED
  // The list grows while it is walked.
  for (const { object, level, way } of nodes) {
    if (level === levels) continue
    const add = (inner: object, uri: string): void =>
      void nodes.push({ object: inner, level: level + 1, way: { uri, from: way } })
    for (const place of places(object, false)) {
      if (place.kind === 'resource') {
        add(place.object, place.uri)
        continue
      }
      const { holder, key, uri, inLinks } = place
      const isWanted = which === 'all' || inLinks === (which === 'links')
      if (!isWanted || left === 0 || leadsBack(way, uri)) continue
      const found = lookup(uri)
      if (found === undefined) continue
      left -= 1
      // What goes no deeper is not written into, and need not be copied.
      const inner = level + 1 < levels ? structuredClone(found) : found
      holder[key] = inner
      add(inner, uri)
    }
  }
  return root
}

type Place =
  | {
      readonly kind: 'link'
      readonly holder: Holder
      readonly key: string | number
      readonly uri: string
      readonly inLinks: boolean
    }
  /** A resource that stands in another in full, as log entries do: its links are a level deeper. */
  | { readonly kind: 'resource'; readonly object: object; readonly uri: string }

function places(object: object, inLinks: boolean): Place[] {
  const holder = object as Holder // what structuredClone made of JSON is ours to write
  const keys = Array.isArray(object) ? object.keys() : Object.keys(object)
  return [...keys].flatMap((key): Place[] => {
    const value = holder[key]
    if (Array.isArray(value)) return places(value, inLinks)
    if (!isObject(value)) return []
    const isInLinks = inLinks || key === 'Links'
    const uri = value['@odata.id']
    // A reference with a fragment leads into a resource, not to one.
    if (typeof uri !== 'string' || uri.includes('#')) return places(value, isInLinks)
    return Object.keys(value).length === 1
      ? [{ kind: 'link', holder, key, uri: bare(uri), inLinks: isInLinks }]
      : [{ kind: 'resource', object: value, uri: bare(uri) }]
  })
}

function leadsBack(way: Way | undefined, uri: string): boolean {
  for (let step = way; step !== undefined; step = step.from) if (step.uri === uri) return true
  return false
}

function bare(uri: string): string {
  return uri.replace(/\/$/, '')
}
