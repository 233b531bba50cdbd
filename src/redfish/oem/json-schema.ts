import type { JsonObject } from '../resource.ts'
import { DMTF_SCHEMAS, jsonSchemaUri } from '../schema-locations.ts'
import { namespaceOf, type OemAction, type OemProperty, type OemSchema, type OemType } from './types.ts'

const ANNOTATION = '^([a-zA-Z_][a-zA-Z0-9_]*)?@(odata|Redfish|Message)\\.[a-zA-Z_][a-zA-Z0-9_]*$'

const dmtf = (file: string, name: string): JsonObject => ({
  $ref: `${DMTF_SCHEMAS}/${file}.json#/definitions/${name}`,
})
const odata = (name: string): JsonObject => dmtf('odata-v4', name)
const resourceMember = (name: string): JsonObject => dmtf('Resource', name)

const typeMember = { '@odata.type': odata('type') }
/** Members that a type has by what it derives from, and those of them that must be there. */
const inherited: Readonly<Record<OemSchema['kind'], readonly [JsonObject, readonly string[]]>> = {
  part: [typeMember, ['@odata.type']],
  resource: [
    {
      '@odata.context': odata('context'),
      '@odata.etag': odata('etag'),
      '@odata.id': odata('id'),
      ...typeMember,
      Description: { anyOf: [resourceMember('Description'), { type: 'null' }], readonly: true },
      Id: { ...resourceMember('Id'), readonly: true },
      Name: { ...resourceMember('Name'), readonly: true },
      Oem: resourceMember('Oem'),
    },
    ['@odata.id', '@odata.type', 'Id', 'Name'],
  ],
}

/** The JSON schema of our own types (DSP0266, JSON Schema for Redfish). */
export function jsonSchemaOf(schema: OemSchema): JsonObject {
  const { name, kind, uris, main, objects = {}, actions = {} } = schema
  const namespace = namespaceOf(schema)
  const [members, required] = inherited[kind]
  const places = uris && { insertable: false, updatable: false, deletable: false, uris }
  return {
    $id: jsonSchemaUri(namespace),
    $schema: `${DMTF_SCHEMAS}/redfish-schema-v1.json`,
    title: `#${namespace}.${name}`,
    $ref: `#/definitions/${name}`,
    definitions: {
      [name]: { ...objectSchema(main, members, required), ...places },
      ...Object.fromEntries(Object.entries(objects).map(([type, one]) => [type, objectSchema(one)])),
      ...Object.fromEntries(Object.entries(actions).map(([action, one]) => [action, actionSchema(one)])),
    },
  }
}

function actionSchema({ description, parameters }: OemAction): JsonObject {
  const given = Object.entries(parameters).map(
    ([name, { description: said, isArray, isRequired, shape }]) => {
      const one = shapeSchema({ description: said, shape })
      const facts = { description: said, ...(isRequired === true && { requiredParameter: true }) }
      return [name, { ...(isArray === true ? { type: 'array', items: one } : one), ...facts }] as const
    },
  )
  return {
    type: 'object',
    description,
    parameters: Object.fromEntries(given),
    properties: {
      target: { type: 'string', format: 'uri-reference' },
      title: { type: 'string' },
    },
    patternProperties: { [ANNOTATION]: {} },
    additionalProperties: false,
  }
}

function objectSchema(
  { description, properties }: OemType,
  members: JsonObject = {},
  required: readonly string[] = [],
): JsonObject {
  const own = Object.entries(properties)
  const wanted = [...required, ...own.flatMap(([name, { isRequired }]) => (isRequired ? [name] : []))]
  return {
    type: 'object',
    description,
    ...(wanted.length > 0 && { required: wanted }),
    properties: { ...members, ...Object.fromEntries(own.flatMap(propertySchemas)) },
    patternProperties: { [ANNOTATION]: {} },
    additionalProperties: false,
  }
}

function propertySchemas([name, property]: readonly [string, OemProperty]): [string, JsonObject][] {
  const { description, isArray, shape } = property
  const facts = { description, readonly: true }
  const one = shapeSchema(property)
  if (isArray !== true) return [[name, { ...one, ...facts }]]
  const count: [string, JsonObject] = [`${name}@odata.count`, odata('count')]
  return [[name, { type: 'array', items: one, ...facts }], ...(shape.kind === 'link' ? [count] : [])]
}

function shapeSchema({ shape }: OemProperty): JsonObject {
  switch (shape.kind) {
    case 'text':
      return { type: 'string', ...(shape.pattern !== undefined && { pattern: shape.pattern }) }
    case 'boolean':
      return { type: 'boolean' }
    case 'count':
      return { type: 'integer' }
    case 'open':
      return resourceMember('Oem')
    case 'time':
      return { type: 'string', format: 'date-time' }
    case 'link':
      return odata('idRef')
    case 'object':
      return { $ref: `#/definitions/${shape.of}` }
  }
}
