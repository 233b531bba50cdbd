import { getPointer } from '../../src/redfish/pointer.ts'
import { isObject, type JsonObject } from '../../src/redfish/resource.ts'
import { uris } from '../../src/redfish/uris.ts'
import type { TestEmulator } from './emulator.ts'
import { loadSchemas } from './schemas.ts'

/** What a client that follows links has found. */
export interface Walk {
  /** Every resource, by its URI without the trailing slash. */
  readonly visited: ReadonlyMap<string, Visited>
  /** Every link, with the member that holds it. */
  readonly links: readonly Link[]
}

export interface Visited {
  readonly uri: string
  readonly status: number
  readonly allow: readonly string[]
  readonly body: JsonObject
}

export interface Link {
  readonly from: string
  /** RFC 6901 pointer to the member. */
  readonly at: string
  readonly to: string
  readonly kind: 'reference' | 'endpoint'
}

/** Members that hold the URI of something that is no resource: a task monitor, the push URI, an action. */
const endpointMembers: ReadonlySet<string> = new Set([
  'TaskMonitor',
  'MultipartHttpPushUri',
  'HttpPushUri',
  'ImageDataURI',
  'target',
])
/** Members other than `@odata.id` that hold the URI of a resource. */
const uriMembers: ReadonlySet<string> = new Set([
  '@odata.id',
  '@Redfish.ActionInfo',
  'DataSourceUri',
  'TargetComponentURI',
])

/** Follows every link from the service root. */
export async function walk({ send }: Pick<TestEmulator, 'send'>): Promise<Walk> {
  const visited = new Map<string, Visited>()
  const links: Link[] = []
  const queue: string[] = [uris.root]
  for (const uri of queue) {
    if (visited.has(uri)) continue
    const { status, headers, json } = await send(uri === uris.root ? `${uri}/` : uri)
    const allow = (headers['allow'] ?? '').split(', ')
    visited.set(uri, { uri, status, allow, body: json })
    const found = linksIn(uri, json, '')
    links.push(...found)
    queue.push(...found.filter(({ kind }) => kind === 'reference').map(({ to }) => withoutPointer(to)))
  }
  return { visited, links }
}

/** Links that lead nowhere: to no resource, or by their JSON pointer to no element of one. */
export function dangling({ visited, links }: Walk): string[] {
  return links
    .filter(({ kind, to }) => kind === 'reference' && target(visited, to) === undefined)
    .map(({ from, at, to }) => `${from}#${at} leads to ${to}`)
}

/** Links that lead to something of another type than their schema says. */
export function misleading({ visited, links }: Walk): string[] {
  return links.flatMap(({ from, at, to, kind }) => {
    const wanted = kind === 'reference' ? linkedType(visited.get(from)?.body, at) : undefined
    const found = target(visited, to)
    const type = isObject(found) ? found['@odata.type'] : undefined
    // Elements of an array need no type of their own; `Resource` and `Item` are any.
    if (wanted === undefined || typeof type !== 'string' || ['Resource', 'Item'].includes(wanted)) return []
    return type.split('.').at(-1) === wanted ? [] : [`${from}#${at} wants a ${wanted}, ${to} is ${type}`]
  })
}

function target(visited: Walk['visited'], to: string): unknown {
  const { status = 404, body } = visited.get(withoutPointer(to)) ?? {}
  const [, pointer = ''] = to.split('#')
  return status === 200 ? getPointer(body, pointer) : undefined
}

/** The `link` of the schema at a pointer into a body; `undefined` where the schema does not say. */
function linkedType(body: JsonObject | undefined, pointer: string): string | undefined {
  const type = body?.['@odata.type']
  if (typeof type !== 'string') return undefined
  const file = type.slice(1, type.lastIndexOf('.'))
  let at: Place | undefined = {
    file: `${file}.json`,
    schema: { $ref: `#/definitions/${type.split('.').at(-1)}` },
  }
  // The last segment is `@odata.id` itself.
  for (const segment of pointer.split('/').slice(1, -1)) {
    at = at && step(follow(at), segment.replaceAll('~1', '/').replaceAll('~0', '~'))
  }
  const link = at?.schema['link']
  return typeof link === 'string' ? link : undefined
}

interface Place {
  readonly file: string
  readonly schema: JsonObject
}

function step({ file, schema }: Place, segment: string): Place | undefined {
  const next = /^\d+$/.test(segment) ? schema['items'] : getPointer(schema, `/properties/${segment}`)
  return isObject(next) ? { file, schema: next } : undefined
}

/** The definition behind a reference that has members to step into. */
function follow(place: Place): Place {
  const { file, schema } = place
  const union = schema['anyOf']
  const first: unknown = Array.isArray(union) ? union[0] : undefined
  const from = isObject(first) ? first : schema
  const ref = from['$ref']
  if (typeof ref !== 'string' || 'properties' in from || 'items' in from) return { file, schema: from }
  const [other, pointer = ''] = ref.split('#')
  const name = other === '' || other === undefined ? file : other
  const document = loadSchemas().schemas.get(name) as JsonObject | undefined
  const found = getPointer(document, pointer)
  return isObject(found) ? follow({ file: name, schema: found }) : { file, schema: {} }
}

function linksIn(from: string, value: unknown, at: string): Link[] {
  if (Array.isArray(value))
    return value.flatMap((item: unknown, index) => linksIn(from, item, `${at}/${index}`))
  if (!isObject(value)) return []
  return Object.entries(value).flatMap(([name, member]): Link[] => {
    const here = `${at}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`
    if (typeof member !== 'string') return linksIn(from, member, here)
    if (endpointMembers.has(name)) return [{ from, at: here, to: member, kind: 'endpoint' }]
    const isLocation = name === 'Uri' && at.startsWith('/Location')
    // A schema of ours is a document; a registry is a resource, too.
    if (isLocation && member.startsWith(`${uris.oemSchemas}/`))
      return [{ from, at: here, to: member, kind: 'endpoint' }]
    return uriMembers.has(name) || isLocation ? [{ from, at: here, to: member, kind: 'reference' }] : []
  })
}

function withoutPointer(uri: string): string {
  const path = uri.replace(/#.*/, '')
  return path.length > 1 ? path.replace(/\/$/, '') : path
}
