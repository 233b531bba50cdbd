import { readFileSync, readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { Ajv } from 'ajv'
import type { ErrorObject, ValidateFunction } from 'ajv'
import ajvFormats from 'ajv-formats'
import { factKeywords } from '../../scripts/schema-keywords.ts'

const FOLDER = resolve(import.meta.dirname, '../../schemas/resources')

interface Schema {
  readonly $id: string
  readonly definitions?: Readonly<Record<string, unknown>>
}

let loaded: { readonly ajv: Ajv; readonly schemas: ReadonlyMap<string, Schema> } | undefined

/** All generated resource schemas by file name, registered with one Ajv; nothing is compiled yet. */
export function loadSchemas(): NonNullable<typeof loaded> {
  if (loaded) return loaded
  const ajv = new Ajv({
    allErrors: true,
    allowUnionTypes: true,
    allowMatchingProperties: true,
    strictTypes: false,
    strictRequired: false,
  })
  ajv.addVocabulary([...factKeywords])
  // a CommonJS module: its default export is the module
  ajvFormats.default(ajv)
  const schemas = new Map<string, Schema>()
  for (const name of readdirSync(FOLDER).toSorted()) {
    const schema: unknown = JSON.parse(readFileSync(join(FOLDER, name), 'utf8'))
    if (!isSchema(schema)) throw new Error(`${name} has no $id`)
    schemas.set(name, schema)
    ajv.addSchema(schema)
  }
  loaded = { ajv, schemas }
  return loaded
}

/** What the DMTF schema of a body's own `@odata.type` has against the body; nothing when it is right. */
export function validateBody(body: unknown): string[] {
  const type = isRecord(body) ? body['@odata.type'] : undefined
  if (typeof type !== 'string') return ['/ has no @odata.type']
  const validate = validatorOf(type)
  if (!validate) return [`/@odata.type names no generated schema: ${type}`]
  return [...problemsOf(validate, body), ...unknownTypes(body, '')]
}

/** What the schema of Redfish errors has against a body; nothing when it is right. */
export function validateError(body: unknown): string[] {
  const name = [...loadSchemas().schemas.keys()].find((file) => file.startsWith('redfish-error.'))
  const validate = loadSchemas().ajv.getSchema(name ?? '')
  if (!validate) throw new Error('schemas/resources has no redfish-error')
  return [...problemsOf(validate, body), ...unknownTypes(body, '')]
}

/** Only the generated version of a type has a schema: another version is a mistake of ours. */
function validatorOf(type: string): ValidateFunction | undefined {
  const match = /^#(\w+(?:\.v\d+_\d+_\d+)?)\.(\w+)$/.exec(type)
  const [, file = '', name = ''] = match ?? []
  const { ajv, schemas } = loadSchemas()
  if (!Object.hasOwn(schemas.get(`${file}.json`)?.definitions ?? {}, name)) return undefined
  return ajv.getSchema(`${file}.json#/definitions/${name}`)
}

function problemsOf(validate: ValidateFunction, body: unknown): string[] {
  return validate(body)
    ? []
    : (validate.errors ?? []).filter((error) => !isEcho(error)).map((error) => describeError(error))
}

/** Every `anyOf` reads "this or null": what is wrong with "this" is reported already. */
function isEcho(error: ErrorObject): boolean {
  return error.keyword === 'anyOf' || error.schemaPath.endsWith('/anyOf/1/type')
}

function describeError(error: ErrorObject): string {
  return `${error.instancePath || '/'} ${error.message} ${JSON.stringify(error.params)}`
}

/** Objects inside a body name their types too; OEM objects have types that no schema here describes. */
function unknownTypes(value: unknown, path: string): string[] {
  if (Array.isArray(value)) return value.flatMap((item, index) => unknownTypes(item, `${path}/${index}`))
  if (!isRecord(value)) return []
  const type = value['@odata.type']
  const wrong = typeof type === 'string' && !validatorOf(type)
  return [
    ...(wrong ? [`${path}/@odata.type names no generated schema: ${type}`] : []),
    ...Object.entries(value).flatMap(([name, item]) =>
      name === 'Oem' ? [] : unknownTypes(item, `${path}/${name}`),
    ),
  ]
}

function isSchema(value: unknown): value is Schema {
  return isRecord(value) && typeof value['$id'] === 'string'
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
