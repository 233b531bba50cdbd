import * as fc from 'fast-check'
import { isObject, type JsonObject } from '../../src/redfish/resource.ts'
import { uris } from '../../src/redfish/uris.ts'
import { mutations } from './fuzz.ts'
import { multipartBody, pushParts } from './multipart.ts'
import { type Corpus, type Place, placesOf, SOME_SESSION, type Values, valuesOf } from './request-corpus.ts'

/** Who a request says that it is from. */
export type Sender = 'token' | 'password' | 'nobody' | 'wrong password' | 'wrong token'

export interface FuzzRequest {
  readonly method: string
  readonly url: string
  readonly sender: Sender
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | Buffer | undefined
}

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

function methodsFor({ methods }: Place): fc.Arbitrary<string> {
  return fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom(...methods) },
    { weight: 2, arbitrary: fc.constantFrom('GET', 'HEAD', 'POST', 'PATCH', 'PUT', 'DELETE') },
    { weight: 1, arbitrary: fc.constantFrom('OPTIONS', 'TRACE', 'PROPFIND', 'REPORT') },
  )
}

const senders = fc.oneof(
  { weight: 60, arbitrary: fc.constant<Sender>('token') },
  { weight: 8, arbitrary: fc.constantFrom<Sender>('password', 'nobody', 'wrong token') },
  // To check one takes as long as all the others together.
  { weight: 1, arbitrary: fc.constant<Sender>('wrong password') },
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
      const text =
        typeof right === 'string' ? `'${right.slice(0, 50).replaceAll("'", "''")}'` : JSON.stringify(right)
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
