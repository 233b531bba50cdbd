import * as fc from 'fast-check'
import { isObject, type Json, type JsonObject } from '../../src/redfish/resource.ts'
import type { Row } from '../../src/bmc/bmc.ts'
import type { Endpoint } from '../../src/http/mount.ts'
import { uris } from '../../src/redfish/uris.ts'
import { PASSWORD } from './emulator.ts'
import { mutations } from './fuzz.ts'
import { multipartBody, pushParts } from './multipart.ts'

/** Stands in a URI for a session that is open when the request is sent: its Id is random. */
export const SOME_SESSION = '~session~'

/** Who a request says that it is from. */
export type Sender = 'token' | 'password' | 'nobody' | 'wrong password' | 'wrong token'

export interface FuzzRequest {
  readonly method: string
  readonly url: string
  readonly sender: Sender
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | Buffer | undefined
}

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

/** Requests for every path of a service, each as likely as the others: near the truth, and far from it. */
export function requestsTo(corpus: Corpus): fc.Arbitrary<FuzzRequest> {
  const places = placesOf(corpus)
  const values = valuesOf(corpus)
  return fc
    .constantFrom(...places)
    .chain((place) =>
      fc.record({
        method: methodsFor(place),
        url: urls(place, values),
        sender: senders,
        headers: headers(place),
        body: bodies(place, values, corpus),
      }),
    )
    .map(({ body, ...request }): FuzzRequest => ({
      ...request,
      headers: { ...(body !== undefined && { 'content-type': body.type }), ...request.headers },
      body: body?.bytes,
    }))
}

/** A path of the service, with URIs that lead there. */
interface Place {
  readonly uris: readonly string[]
  /** What a GET shows there. */
  readonly bodies: readonly JsonObject[]
  /** Those it knows. */
  readonly methods: readonly string[]
  /** The parameters of an action, or what a new member is made of. */
  readonly parameters: JsonObject
  readonly takesImage: boolean
}

function placesOf({ rows, endpoints, bodies: seen }: Corpus): Place[] {
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
  if (only !== undefined) return only as Json
  if (Array.isArray(choices)) return (choices[0] as Json | undefined) ?? null
  if (Array.isArray(anyOf)) return exampleOf(anyOf[0])
  switch (type) {
    case 'object':
      return examplesOf(schema)
    case 'array':
      return [exampleOf(items)]
    case 'boolean':
      return true
    case 'integer':
    case 'number':
      return 1
    default:
      return 'x'
  }
}

/** Names and scalar values that the service itself uses. */
interface Values {
  readonly name: fc.Arbitrary<string>
  readonly scalar: fc.Arbitrary<Json>
  readonly any: fc.Arbitrary<Json>
}

function valuesOf({ bodies }: Corpus): Values {
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
  for (const body of bodies.values()) gather(body as Json)
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

function methodsFor({ methods }: Place): fc.Arbitrary<string> {
  return fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom(...methods) },
    { weight: 2, arbitrary: fc.constantFrom('GET', 'HEAD', 'POST', 'PATCH', 'PUT', 'DELETE') },
    { weight: 1, arbitrary: fc.constantFrom('OPTIONS', 'TRACE', 'PROPFIND', 'REPORT') },
  )
}

const senders = fc.oneof(
  { weight: 30, arbitrary: fc.constant<Sender>('token') },
  { weight: 2, arbitrary: fc.constant<Sender>('password') },
  { weight: 2, arbitrary: fc.constantFrom<Sender>('nobody', 'wrong token', 'wrong token') },
)

function urls({ uris: known }: Place, { name, scalar }: Values): fc.Arbitrary<string> {
  const segment = fc.oneof(
    fc.string({ minLength: 1 }).map(escaped),
    fc.constantFrom(
      'constructor',
      '__proto__',
      '..',
      '%2e%2e',
      '%',
      '%zz',
      '%00',
      '%ff',
      'x'.repeat(2_000),
      ';a=b',
      SOME_SESSION,
    ),
  )
  const path = fc.constantFrom(...known).chain((uri) => {
    const filled = fc.array(segment, { minLength: 1, maxLength: 3 }).map((segments) =>
      uri
        .split('/')
        .map((part, at) => (/^[:*]/.test(part) ? (segments[at % segments.length] ?? '1') : part))
        .join('/'),
    )
    return fc.oneof(
      {
        weight: 12,
        arbitrary: /[:*]/.test(uri)
          ? fc.oneof(filled, fc.constant(uri.replaceAll(/:\w+|\*/g, '1')))
          : fc.constant(uri),
      },
      { weight: 1, arbitrary: fc.tuple(filled, segment).map(([base, more]) => `${base}/${more}`) },
      {
        weight: 1,
        arbitrary: fc.tuple(fc.nat(9), segment).map(([at, other]) =>
          uri
            .split('/')
            .with(Math.min(at + 1, uri.split('/').length - 1), other)
            .join('/'),
        ),
      },
      { weight: 1, arbitrary: fc.constantFrom('/', '//', '/?', '#x', '/%').map((end) => uri + end) },
      {
        weight: 1,
        arbitrary: fc.constantFrom(uri.toLowerCase(), uri.replace('/', '//'), `${uri}/Actions/X`),
      },
    )
  })
  const option = fc.oneof(
    fc.constantFrom(
      '$expand=.($levels=2)',
      '$expand=*',
      '$expand=~($levels=9)',
      '$select=Name,Status/State',
      'only',
      'excerpt',
      '$top=1',
      '$skip=1',
      '$skip=99999999999',
      '$top=-1',
      '$count=true',
      '$filter=',
      '%24expand=.',
      '$select=*',
    ),
    fc
      .tuple(
        fc.constantFrom('$filter', '$select', '$expand', '$top', '$skip', 'only', 'excerpt', '$x', 'y'),
        fc.string(),
      )
      .map(([key, value]) => `${key}=${escaped(value)}`),
    fc.tuple(name, fc.constantFrom('eq', 'ne', 'lt', 'ge', 'and', 'or'), scalar).map(([left, by, right]) => {
      const text = typeof right === 'string' ? `'${right.slice(0, 50).replaceAll("'", "''")}'` : String(right)
      return `$filter=${escaped(`${left} ${by} ${text}`)}`
    }),
    fc.tuple(name, name).map(([first, second]) => `$select=${escaped(`${first}/${second}`)}`),
    fc
      .constantFrom(1, 20, 200, 15_000)
      .map((depth) => `$filter=${'('.repeat(depth)}Id eq 'a'${')'.repeat(depth)}`.replaceAll(' ', '%20')),
    fc.string().map(escaped),
  )
  const query = fc.oneof(
    { weight: 3, arbitrary: fc.constant('') },
    {
      weight: 1,
      arbitrary: fc.array(option, { minLength: 1, maxLength: 3 }).map((all) => `?${all.join('&')}`),
    },
  )
  return fc.tuple(path, query).map(([first, second]) => first + second)
}

/** A lone surrogate has no escape. */
function escaped(text: string): string {
  return encodeURIComponent(text.toWellFormed())
}

const headerValues: Readonly<Record<string, readonly string[]>> = {
  accept: [
    'application/json',
    '*/*',
    'application/xml',
    'text/event-stream',
    'application/json;q=0',
    'a/b;q=x',
    ',;,',
    'application/*',
  ],
  'accept-encoding': ['gzip', 'br, gzip;q=0', '*', 'identity;q=0', ';;q=', 'gzip;q=0.5, deflate'],
  'if-match': ['*', '"x"', 'W/"x"', '"a", "b"', '', '"', 'x', '","'],
  'if-none-match': ['*', '"x"', 'W/"x", "y"', '"'],
  'content-type': [
    'application/json',
    'application/json;charset=utf-8',
    'application/json; charset=utf-16',
    'text/plain',
    'multipart/form-data',
    'multipart/form-data; boundary=',
    'multipart/form-data; boundary="',
    ';',
    'application/octet-stream',
  ],
  'content-encoding': ['gzip', 'identity'],
  'odata-version': ['4.0', '4.1', '', 'x'],
  authorization: ['Basic', 'Basic Og==', 'Basic ====', 'Bearer x', 'Basic YWRtaW4=', 'Digest x'],
  'last-event-id': ['1', '-1', 'x', '99999999999999999999'],
  range: ['bytes=0-1', 'bytes=-', 'x'],
  expect: ['100-continue', 'x'],
  origin: ['http://x'],
  'x-forwarded-for': ['1.2.3.4', ','],
  cookie: ['a=b', ';'],
  host: ['', 'x:99999', '[::1'],
}

function headers({ takesImage }: Place): fc.Arbitrary<Record<string, string>> {
  const known = fc
    .constantFrom(...Object.keys(headerValues))
    .chain((name) => fc.constantFrom(...(headerValues[name] ?? [])).map((value) => [name, value] as const))
  const garbage = fc
    .tuple(
      fc.constantFrom(...Object.keys(headerValues), 'x-auth-token'),
      fc.string({ unit: 'grapheme-ascii' }),
    )
    .filter(([name]) => !(takesImage && name === 'content-type'))
  const some = fc.array(fc.oneof({ weight: 5, arbitrary: known }, { weight: 1, arbitrary: garbage }), {
    maxLength: 3,
  })
  // Without it, what demands it would hardly ever be changed.
  const matched = some.map((all) => ({ 'if-match': '*', ...Object.fromEntries(all) }))
  return fc.oneof(
    fc.constant({}),
    matched,
    some.map((all): Record<string, string> => Object.fromEntries(all)),
  )
}

interface Body {
  readonly type: string
  readonly bytes: string | Buffer
}

function bodies(place: Place, values: Values, { image, component }: Corpus): fc.Arbitrary<Body | undefined> {
  const json = objects(place, values).map((value): Body => ({
    type: 'application/json',
    bytes: JSON.stringify(value),
  }))
  const text = fc
    .constantFrom(
      '',
      ' ',
      '{',
      '[]',
      'null',
      '1',
      '"x"',
      '{"a":1,}',
      '{"a":1}{',
      '\ufeff{}',
      '{"__proto__":{"x":1}}',
      '{"Name":"a","Name":"b"}',
      '['.repeat(50_000),
      `${'{"a":'.repeat(500)}1${'}'.repeat(500)}`,
      `${'['.repeat(5_000)}${']'.repeat(5_000)}`,
      `{"Oem":${'{"a":'.repeat(5_000)}1${'}'.repeat(5_000)}}`,
    )
    .map((bytes): Body => ({ type: 'application/json', bytes }))
  const broken = fc
    .tuple(json, mutations(['"', '{', '}', '\\', '\u0000', ',']))
    .map(([{ type, bytes }, mutate]): Body => ({ type, bytes: mutate(Buffer.from(bytes)) }))
  const push = { Targets: [uris.firmware(component)] }
  const upload = fc
    .tuple(
      objects({ ...place, bodies: [{}], parameters: push }, values),
      fc.option(mutations(['\r\n', '--', 'Content-Disposition: form-data; name="UpdateFile"\r\n\r\n'])),
    )
    .map(([parameters, mutate]): Body => {
      const { headers: ofParts, body } = multipartBody(pushParts(image, parameters))
      return { type: ofParts['content-type'], bytes: mutate === null ? body : mutate(body) }
    })
  return fc.oneof(
    { weight: 8, arbitrary: fc.constant(undefined) },
    { weight: 48, arbitrary: json },
    { weight: 8, arbitrary: text },
    { weight: 4, arbitrary: broken },
    { weight: place.takesImage ? 80 : 1, arbitrary: upload },
  )
}

/** What the resource shows or its action takes, with members left out, added and replaced. */
function objects({ bodies: shown, parameters }: Place, { name, any }: Values): fc.Arbitrary<JsonObject> {
  const base = fc.oneof(fc.constant(parameters), fc.constantFrom(parameters, ...shown))
  return base.chain((own) => {
    const names = Object.keys(own)
    const kept =
      names.length === 0
        ? fc.constant<JsonObject>({})
        : fc.subarray(names).map((some): JsonObject => Object.fromEntries(some.map((one) => [one, own[one]])))
    const key = names.length === 0 ? name : fc.oneof(fc.constantFrom(...names), name)
    const changes = fc.array(fc.tuple(key, any), { maxLength: 3 })
    const nested = fc.tuple(key, name, any)
    return fc.oneof(
      fc.constant(own),
      fc.tuple(kept, changes).map(([one, all]): JsonObject => ({ ...one, ...Object.fromEntries(all) })),
      changes.map((all): JsonObject => Object.fromEntries(all)),
      nested.map(([member, inner, value]): JsonObject => {
        const before = own[member]
        return { [member]: isObject(before) ? { ...before, [inner]: value } : value }
      }),
      nested.map(([member, inner, value]): JsonObject => ({ [member]: { [inner]: value } })),
    )
  })
}
