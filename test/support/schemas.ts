import { readFileSync, readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { Ajv } from 'ajv'
import type { ErrorObject, ValidateFunction } from 'ajv'
import ajvFormats from 'ajv-formats'
import { factKeywords } from '../../scripts/schema-keywords.ts'
import { OEM } from '../../src/redfish/oem/types.ts'

const SCHEMAS = resolve(import.meta.dirname, '../../schemas')
const FOLDER = join(SCHEMAS, 'resources')
const OEM_FOLDER = join(SCHEMAS, 'oem')

interface Schema {
  readonly $id: string
  readonly definitions?: Readonly<Record<string, unknown>>
}

let loaded: { readonly ajv: Ajv; readonly schemas: ReadonlyMap<string, Schema> } | undefined

/** All generated resource schemas and our own by file name, registered with one Ajv; nothing is compiled yet. */
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
  for (const name of readdirSync(OEM_FOLDER).filter((one) => one.endsWith('.json'))) {
    const schema = asFacts(readFileSync(join(OEM_FOLDER, name), 'utf8'), [...schemas.keys()])
    schemas.set(name, { ...schema, $id: name })
    ajv.addSchema({ ...schema, $id: name })
  }
  loaded = { ajv, schemas }
  return loaded
}

/** A schema as it is published, with neither prose nor meta schema, and referring to the files that we have of others. */
function asFacts(text: string, files: readonly string[]): object {
  const local = text.replaceAll(
    /http:\/\/redfish\.dmtf\.org\/schemas\/v1\/([\w-]+)\.json/g,
    (_uri, type: string) => files.find((file) => file.startsWith(`${type}.`)) ?? type,
  )
  return JSON.parse(local, (key, value: unknown) =>
    key === '$schema' || (key === 'description' && typeof value === 'string') ? undefined : value,
  ) as object
}

/** What the schema of a body's own `@odata.type` has against the body; nothing when it is right. */
export function validateBody(body: unknown): string[] {
  const type = isRecord(body) ? body['@odata.type'] : undefined
  if (typeof type !== 'string') return ['/ has no @odata.type']
  const validate = validatorOf(type)
  if (!validate) return [`/@odata.type names no generated schema: ${type}`]
  return [...problemsOf(validate, body), ...unknownTypes(body, ''), ...oemProblems(body, '')]
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

/** What our own schemas have against our parts of `Oem`; those of others are described elsewhere. */
function oemProblems(value: unknown, path: string): string[] {
  if (Array.isArray(value)) return value.flatMap((item, index) => oemProblems(item, `${path}/${index}`))
  if (!isRecord(value)) return []
  return Object.entries(value).flatMap(([name, item]) => {
    const at = `${path}/${name}`
    if (name !== 'Oem' || !isRecord(item)) return oemProblems(item, at)
    return OEM in item ? validateBody(item[OEM]).map((problem) => `${at}/${OEM}${problem}`) : []
  })
}

/** Objects inside a body name their types too; those in `Oem` are looked at by themselves. */
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
