import { readFileSync, readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import { namespaceOf, oemSchemas } from '../../src/redfish/oem/types.ts'
import { isObject, type JsonObject } from '../../src/redfish/resource.ts'
import { csdlUri, jsonSchemaUri } from '../../src/redfish/schema-locations.ts'
import { lastSegment, uris } from '../../src/redfish/uris.ts'
import { startEmulator } from '../support/emulator.ts'
import { loadSchemas, validateBody } from '../support/schemas.ts'
import { type Element, rootOf } from '../support/xml.ts'

const folder = resolve(import.meta.dirname, '../../schemas/oem')
const files = oemSchemas.map((oem) => ({
  name: oem.name,
  namespace: namespaceOf(oem),
  json: jsonSchemaUri(namespaceOf(oem)),
  csdl: csdlUri(oem.name),
}))

describe.each(files)('the schema of $namespace', ({ name, namespace, json, csdl }) => {
  test('is served to everybody, as JSON schema and as CSDL, and is what the project holds of it', async () => {
    const { send } = await startEmulator()
    const served = await send(json, { user: null })
    expect(served).toMatchObject({ status: 200, headers: { allow: 'GET, HEAD' } })
    expect(served.headers['content-type']).toMatch(/^application\/json\b/)
    expect(served.json).toEqual(JSON.parse(fileOf(json)))
    expect(served.json).toMatchObject({ $id: json, title: `#${namespace}.${name}` })

    const xml = await send(csdl, { user: null })
    expect(xml).toMatchObject({ status: 200, headers: { allow: 'GET, HEAD' }, text: fileOf(csdl) })
    expect(xml.headers['content-type']).toMatch(/^application\/xml\b/)
    expect((await send(csdl, { user: null, method: 'HEAD' })).status).toBe(200)
    expect((await send(csdl, { method: 'DELETE' })).status).toBe(405)
  })

  test('is listed, and the file that it points to is there', async () => {
    const { get } = await startEmulator()
    const { Members } = await get(uris.jsonSchemas)
    expect(Members).toContainEqual({ '@odata.id': uris.jsonSchema(namespace) })
    const file = await get(uris.jsonSchema(namespace))
    expect(file).toMatchObject({ Schema: `#${namespace}.${name}` })
    expect(file['Location']).toEqual([{ Language: 'en', Uri: json }])
    expect(validateBody(file)).toEqual([])
  })

  test('is referred to by $metadata, at our own place', async () => {
    const { send } = await startEmulator()
    const { children } = rootOf((await send(uris.metadata)).text)
    const reference = children.find(({ attributes }) => attributes['Uri'] === csdl)
    expect(reference?.children.map(({ attributes }) => attributes['Namespace'])).toEqual([name, namespace])
  })

  test('says the same in JSON schema as in CSDL', () => {
    const { definitions = {} } = loadSchemas().schemas.get(lastSegment(json)) ?? {}
    const [abstract, present] = schemasIn(fileOf(csdl))
    expect([abstract, present].map((one) => one?.attributes['Namespace'])).toEqual([name, namespace])
    const types = (present?.children ?? []).filter(({ name: tag }) => /^(Entity|Complex)Type$/.test(tag))
    const actions = (abstract?.children ?? []).filter(({ name: tag }) => tag === 'Action')
    const named = [...types, ...actions].map(({ attributes }) => attributes['Name'])
    expect(named).toEqual(Object.keys(definitions))
    for (const { attributes, children } of actions) {
      const [, ...parameters] = children.filter(({ name: tag }) => tag === 'Parameter')
      const { parameters: given = {} } = definitions[attributes['Name'] ?? ''] as JsonObject
      expect(parameters.map((one) => one.attributes['Name'])).toEqual(Object.keys(given as JsonObject))
    }
    for (const type of types) {
      expect(inCsdl(type)).toEqual(inJson(definitions[type.attributes['Name'] ?? ''] as JsonObject))
    }
  })
})

test('CSDL refers to each namespace that it speaks of, and derives from what Redfish asks for', () => {
  for (const { csdl } of files) {
    const document = fileOf(csdl)
    const included = [...document.matchAll(/<edmx:Include Namespace="([^"]+)"(?: Alias="([^"]+)")?/g)].map(
      ([, namespace = '', alias]) => alias ?? namespace,
    )
    const own = schemasIn(document).map(({ attributes }) => attributes['Namespace'] ?? '')
    const spoken = [...document.matchAll(/(?:Type|BaseType|Term)="(?:Collection\()?([\w.]+)\.\w+\)?"/g)]
    const unknown = spoken
      .map(([, one = '']) => one)
      .filter((one) => ![...included, ...own, 'Edm'].includes(one))
    expect({ csdl, unknown }).toEqual({ csdl, unknown: [] })
  }
  const bases = files.map(({ csdl }) => /BaseType="([^"]+)" Abstract="true"/.exec(fileOf(csdl))?.[1])
  const parts = Array<string>(6).fill('Resource.OemObject')
  const expected = ['Resource.v1_0_0.Resource', ...parts]
  expect(bases).toEqual(expected)
})

test('other schemas are not made up', async () => {
  const { send } = await startEmulator()
  expect((await send(uris.oemSchema('Redflash.v1_0_0.json'))).status).toBe(404)
  expect(readdirSync(folder).toSorted()).toEqual(
    files.flatMap(({ json, csdl }) => [lastSegment(json), lastSegment(csdl)]).toSorted(),
  )
})

test('an unknown, a wrong and a missing member of our parts are noticed', async () => {
  const { get } = await startEmulator()
  const item = await get(uris.firmware('NIC-1'))
  const history = await get(uris.firmwareHistory('NIC-1'))
  const part = isObject(item['Oem']) && isObject(item['Oem']['Redflash']) ? item['Oem']['Redflash'] : {}
  const [version = {}] = history['Versions'] as readonly JsonObject[]
  const inOem = (members: JsonObject): JsonObject => ({ ...item, Oem: { Redflash: { ...part, ...members } } })
  const inVersion = (members: JsonObject): JsonObject => ({
    ...history,
    Versions: [{ ...version, ...members }],
  })
  expect([item, history].flatMap((body) => validateBody(body))).toEqual([])
  const wrong = [
    inOem({ Colour: 'red' }),
    inOem({ History: 'here' }),
    inOem({ '@odata.type': '#RedflashTeapot.v1_0_0.RedflashTeapot' }),
    { ...item, Oem: { Redflash: { History: part['History'] } } },
    inVersion({ Colour: 'red' }),
    inVersion({ ImageSHA256: 'ABC' }),
    inVersion({ Version: null }),
    { ...history, Colour: 'red' },
    { ...history, Versions: undefined },
  ]
  expect(wrong.filter((body) => validateBody(JSON.parse(JSON.stringify(body))).length === 0)).toEqual([])
})

function text(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

function fileOf(uri: string): string {
  return readFileSync(join(folder, lastSegment(uri)), 'utf8')
}

function schemasIn(csdl: string): readonly Element[] {
  const services = rootOf(csdl).children.find(({ name }) => name === 'edmx:DataServices')
  return services?.children ?? []
}

/** Members of a type with what both forms of schema say of them; those that it inherits are DMTF's. */
function inCsdl({ children }: Element): Record<string, string> {
  const kinds: Record<string, string> = {
    'Edm.String': 'string',
    'Edm.DateTimeOffset': 'date-time',
    'Edm.Int64': 'integer',
  }
  const properties = children.filter(({ name }) => name.endsWith('Property'))
  return Object.fromEntries(
    properties.map(({ name, attributes, children: annotations }) => {
      const { Name = '', Type = '', Nullable } = attributes
      const [, one = ''] = /^(?:Collection\()?([\w.]+)\)?$/.exec(Type) ?? []
      const kind = name === 'NavigationProperty' ? 'link' : (kinds[one] ?? one.split('.').at(-1))
      const term = (wanted: string) =>
        annotations.find((child) => child.attributes['Term'] === wanted)?.attributes
      const facts = [
        kind,
        Type.startsWith('Collection(') ? 'many' : 'one',
        Nullable === 'false' ? 'never null' : 'or null',
        term('Redfish.Required') ? 'required' : 'optional',
        term('OData.Permissions')?.['EnumMember'] === 'OData.Permission/Read' ? 'read-only' : 'writable',
        term('Validation.Pattern')?.['String'] ?? '',
      ]
      return [Name, facts.join(', ')]
    }),
  )
}

function inJson(definition: JsonObject): Record<string, string> {
  const { properties = {}, required = [], additionalProperties } = definition
  expect(additionalProperties).toBe(false)
  const inherited = ['Id', 'Name', 'Description', 'Oem']
  const own = Object.entries(properties as Record<string, JsonObject>).filter(
    ([name]) => !inherited.includes(name) && !name.includes('@'),
  )
  return Object.fromEntries(
    own.map(([name, property]) => {
      const isMany = property['type'] === 'array'
      const one = (isMany ? property['items'] : property) as JsonObject
      const reference = typeof one['$ref'] === 'string' ? lastSegment(one['$ref']) : undefined
      const kind = reference === 'idRef' ? 'link' : text(reference ?? one['format'] ?? one['type'])
      const facts = [
        kind,
        isMany ? 'many' : 'one',
        Array.isArray(one['type']) || one['anyOf'] ? 'or null' : 'never null',
        (required as readonly string[]).includes(name) ? 'required' : 'optional',
        property['readonly'] === true ? 'read-only' : 'writable',
        text(one['pattern']),
      ]
      return [name, facts.join(', ')]
    }),
  )
}
