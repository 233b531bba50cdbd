import * as fc from 'fast-check'
import type { Row } from '../../src/bmc/bmc.ts'
import type { Endpoint } from '../../src/http/mount.ts'
import { isObject, type Json, type JsonObject } from '../../src/redfish/resource.ts'
import { uris } from '../../src/redfish/uris.ts'
import { PASSWORD } from './emulator.ts'

/** Stands in a URI for a session that is open when the request is sent: its Id is random. */
export const SOME_SESSION = '~session~'

/** What requests are made of: the paths of a service, and what its resources look like. */
export interface Corpus {
  readonly rows: readonly Row[]
  readonly endpoints: readonly Endpoint[]
  /** By URI, as a client sees it. */
  readonly bodies: ReadonlyMap<string, JsonObject>
  /** An image that the machine takes, for this component. */
  readonly component: string
  readonly image: Buffer
}

const odd = fc.constantFrom<Json>(
  null,
  true,
  false,
  0,
  -1,
  0.5,
  2 ** 53,
  -1e308,
  '',
  'x',
  'Ä\u0000\ud800',
  '__proto__',
  'a'.repeat(5_000),
  '2026-13-45T99:99:99Z',
  'PT5S',
  'http://127.0.0.1:9/x',
  '/redfish/v1/Systems/1',
  '10.0.0.256',
)
const oddNames = fc.constantFrom(
  '__proto__',
  'constructor',
  'toString',
  '@odata.id',
  '@odata.etag',
  'Oem',
  '',
)

/** A path of the service, with URIs that lead there. */
export interface Place {
  readonly uris: readonly string[]
  /** What a GET shows there. */
  readonly bodies: readonly JsonObject[]
  /** Those it knows. */
  readonly methods: readonly string[]
  /** The parameters of an action, or what a new member is made of. */
  readonly parameters: JsonObject
  readonly takesImage: boolean
}

export function placesOf({ rows, endpoints, bodies: seen }: Corpus): Place[] {
  const found = [...seen.keys()]
  const bare: Omit<Place, 'uris'> = { bodies: [], methods: ['POST'], parameters: {}, takesImage: false }
  return [
    ...rows.flatMap((row) => {
      const known = found.filter((uri) => fits(row.path, uri))
      const all = known.length > 0 ? known : [row.path]
      const shown = known.map((uri) => seen.get(uri) ?? {})
      return [
        {
          ...bare,
          uris: all,
          bodies: shown,
          methods: methodsOf(row),
          parameters: newMembers[row.path] ?? {},
        },
        ...(row.post ? [{ ...bare, uris: all.map((uri) => `${uri}/Members`), bodies: shown }] : []),
        ...Object.entries(row.actions ?? {}).map(([name, { parameters }]) => ({
          ...bare,
          uris: all.map((uri) => `${uri}/Actions/${name}`),
          parameters: examplesOf(parameters),
        })),
      ]
    }),
    ...endpoints.map(({ path, methods, holdsBody = false }) => ({
      ...bare,
      uris: [path],
      methods: Object.keys(methods),
      takesImage: holdsBody,
    })),
  ]
}

function methodsOf({ post, patch, put, delete: remove }: Row): string[] {
  const changing = { POST: post, PATCH: patch, PUT: put, DELETE: remove }
  const known = Object.entries(changing).flatMap(([name, method]) => (method === undefined ? [] : [name]))
  return ['GET', ...known]
}

/** What makes a member of a collection, by the collection's path. */
const newMembers: Readonly<Record<string, JsonObject>> = {
  [uris.sessions]: { UserName: 'admin', Password: PASSWORD },
  [uris.accounts]: { UserName: 'fuzz', Password: 'correct horse', RoleId: 'Operator', Enabled: true },
  [uris.roles]: { RoleId: 'Fuzz', AssignedPrivileges: ['Login', 'ConfigureSelf'] },
  [uris.eventDestinations]: { Destination: 'http://127.0.0.1:9/x', Protocol: 'Redfish', Context: 'x' },
}

function fits(path: string, uri: string): boolean {
  const [wanted, given] = [path.split('/'), uri.split('/')]
  if (wanted.at(-1) !== '*' && wanted.length !== given.length) return false
  return wanted.every((part, at) => part === '*' || part.startsWith(':') || part === given[at])
}

/** For every member that a schema names, something that it may be. */
function examplesOf(schema: unknown): Record<string, Json> {
  const properties = isObject(schema) && isObject(schema['properties']) ? schema['properties'] : {}
  return Object.fromEntries(Object.entries(properties).map(([name, member]) => [name, exampleOf(member)]))
}

function exampleOf(schema: unknown): Json {
  if (!isObject(schema)) return null
  const { enum: choices, anyOf, type, items, const: only } = schema
  if (only !== undefined) return only
  if (Array.isArray(choices)) return (choices[0] as Json | undefined) ?? null
  if (Array.isArray(anyOf)) return exampleOf(anyOf[0])
  if (type === 'object') return examplesOf(schema)
  if (type === 'array') return [exampleOf(items)]
  if (type === 'boolean') return true
  return type === 'integer' || type === 'number' ? 1 : 'x'
}

/** Names and scalar values that the service itself uses. */
export interface Values {
  readonly name: fc.Arbitrary<string>
  readonly scalar: fc.Arbitrary<Json>
  readonly any: fc.Arbitrary<Json>
}

export function valuesOf({ bodies: seen }: Corpus): Values {
  const names = new Set<string>()
  const scalars = new Set<Json>()
  const gather = (value: Json): void => {
    if (Array.isArray(value)) value.forEach(gather)
    else if (isObject(value))
      for (const [name, member] of Object.entries(value)) {
        names.add(name)
        gather(member as Json) // of a body that came as JSON
      }
    else scalars.add(value)
  }
  for (const body of seen.values()) gather(body)
  const name = fc.oneof(fc.constantFrom(...names), oddNames)
  const scalar = fc.oneof(fc.constantFrom(...scalars), odd, fc.string())
  const { any } = fc.letrec<{ any: Json }>((tie) => ({
    any: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      scalar,
      fc.array(tie('any'), { maxLength: 3 }),
      fc.array(fc.tuple(name, tie('any')), { maxLength: 3 }).map((all) => Object.fromEntries(all)),
    ),
  }))
  return { name, scalar, any }
}
