import { createRequire } from 'node:module'
import { isObject, type JsonObject } from './resource.ts'
import { resourceTypes } from './types.gen.ts'

const require = createRequire(import.meta.url)
/** Schemas that services write themselves hold all that they refer to. */
const OWN = ''

/** A schema and the file that its references are relative to. */
export interface Facts {
  readonly file: string
  readonly schema: JsonObject
}

/** What a schema says of one member of an object, or of the items of an array. */
export interface MemberFacts extends Facts {
  readonly isReadOnly: boolean
  readonly isNullable: boolean
  /** A reference to another resource. */
  readonly isLink: boolean
  /** The schema leaves the names of such members to the implementation (the attributes of a BIOS). */
  readonly isOpen: boolean
}

/** What the published schema says of the type in an `@odata.type`, whatever its version; `undefined`: we have none. */
export function factsOfType(odataType: string): Facts | undefined {
  const name = odataType.slice(odataType.lastIndexOf('.') + 1)
  const known = Object.entries(resourceTypes).find(([type]) => type === name)
  if (known === undefined) return undefined
  const file = `${known[1].slice(0, known[1].lastIndexOf('.'))}.json`
  return { file, schema: definition(file, name) }
}

/** A schema of our own as facts. */
export function ownFacts(schema: object): Facts {
  return { file: OWN, schema: schema as JsonObject } // a JSON Schema is a JSON object
}

export function isOwn({ file }: Facts): boolean {
  return file === OWN
}

/** What an object's schema says of the member with this name; `undefined` where there cannot be one. */
export function memberFacts({ file, schema }: Facts, name: string): MemberFacts | undefined {
  const named = ownObject(schema['properties'], name)
  if (named !== undefined) return followed({ file, schema: named })
  // Every object refers to the schema of the annotations that it may have.
  if (name.includes('@')) {
    const { $ref: reference } = schema
    if (typeof reference !== 'string') return undefined
    const annotation = ownObject(schemaFile(reference)['properties'], name)
    return annotation && followed({ file: reference, schema: annotation })
  }
  const patterns = isObject(schema['patternProperties']) ? Object.entries(schema['patternProperties']) : []
  const open = patterns.find(([pattern]) => !pattern.includes('@') && new RegExp(pattern, 'u').test(name))
  return isObject(open?.[1]) ? { ...followed({ file, schema: open[1] }), isOpen: true } : undefined
}

export function itemFacts({ file, schema }: Facts): MemberFacts | undefined {
  return isObject(schema['items']) ? followed({ file, schema: schema['items'] }) : undefined
}

/** The facts behind references, and behind a choice between something and null. */
function followed({ file, schema }: Facts): MemberFacts {
  const isReadOnly = schema['readonly'] === true
  const options = Array.isArray(schema['anyOf']) ? schema['anyOf'].filter(isObject) : []
  const choices = options.filter((option) => option['type'] !== 'null')
  const [only] = choices
  if (only !== undefined && choices.length === 1) {
    const inner = followed({ file, schema: only })
    return { ...inner, isReadOnly, isNullable: inner.isNullable || options.length > 1 }
  }
  const { $ref: reference } = schema
  if (typeof reference === 'string' && !('properties' in schema) && !('patternProperties' in schema)) {
    const [other = '', pointer = ''] = reference.split('#')
    const target = other === '' ? file : other
    const inner = followed({ file: target, schema: definition(target, pointer.replace(/.*\//, '')) })
    return { ...inner, isReadOnly, isLink: inner.isLink || reference.endsWith('/idRef') }
  }
  const { type } = schema
  const isNullable = Array.isArray(type) && type.includes('null')
  return { file, schema, isReadOnly, isNullable, isLink: false, isOpen: false }
}

function definition(file: string, name: string): JsonObject {
  const found = ownObject(schemaFile(file)['definitions'], name)
  if (found === undefined) throw new Error(`no definition of ${name} in ${file}`)
  return found
}

function schemaFile(file: string): JsonObject {
  const document: unknown = require(`../../schemas/resources/${file}`)
  if (!isObject(document)) throw new Error(`${file} is no schema`)
  return document
}

function ownObject(owner: unknown, name: string): JsonObject | undefined {
  const value = isObject(owner) && Object.hasOwn(owner, name) ? owner[name] : undefined
  return isObject(value) ? value : undefined
}
