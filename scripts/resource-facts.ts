import { byKey, isArray, isObject, objectAt, stringAt } from './dmtf-sources.ts'
import type { Json, JsonObject, Sources } from './dmtf-sources.ts'
import { droppedKeywords, factKeywords, standardKeywords } from './schema-keywords.ts'
import { SchemaSet, parseReference } from './schema-set.ts'
import type { DefinitionName } from './schema-set.ts'

const ODATA = 'odata-v4'
const ANNOTATIONS = 'redfish-payload-annotations'
const ACTION = 'redflash-action'
const ANY_ANNOTATION = '^([a-zA-Z_][a-zA-Z0-9_]*)?@(odata|Redfish|Message)\\.[a-zA-Z_][a-zA-Z0-9_]*$'
const KEYWORDS: readonly string[] = [...standardKeywords, ...factKeywords]

/** What a schema object is part of while its facts are taken. */
interface Place {
  readonly type: string
  /** The property shows the resources themselves where others show links to them. */
  readonly expand: boolean
}

/** Takes the facts of the wanted types and of all that they need: file name without `.json` → schema. */
export function resourceFacts(sources: Sources, wanted: readonly DefinitionName[]): Map<string, JsonObject> {
  return new FactTaker(new SchemaSet(sources)).take(wanted)
}

class FactTaker {
  readonly #schemas: SchemaSet
  readonly #taken = new Map<string, Map<string, JsonObject>>()
  readonly #waiting: DefinitionName[] = []

  constructor(schemas: SchemaSet) {
    this.#schemas = schemas
  }

  take(wanted: readonly DefinitionName[]): Map<string, JsonObject> {
    const files = new Map<string, JsonObject>()
    const annotations = this.#schemas.document(ANNOTATIONS)
    const { properties, patternProperties } = annotations
    const kept = { properties: properties ?? {}, patternProperties: patternProperties ?? {} }
    files.set(this.#schemas.fileOf(ANNOTATIONS), {
      $id: `${this.#schemas.fileOf(ANNOTATIONS)}.json`,
      ...this.#facts(kept, { type: ANNOTATIONS, expand: false }),
    })
    files.set(ACTION, this.#actionSchema())
    this.#waiting.push(...wanted)
    for (let next = this.#waiting.pop(); next; next = this.#waiting.pop()) this.#takeDefinition(next)
    for (const [type, definitions] of this.#taken) {
      files.set(this.#schemas.fileOf(type), this.#file(type, definitions))
    }
    return files
  }

  #takeDefinition({ type, name }: DefinitionName): void {
    const definitions = this.#taken.get(type) ?? new Map<string, JsonObject>()
    this.#taken.set(type, definitions)
    if (definitions.has(name)) return
    const facts = this.#facts(this.#schemas.definition({ type, name }), { type, expand: false })
    // DMTF's service validator refuses a link without a target; the published schema does not
    definitions.set(name, type === ODATA && name === 'idRef' ? { ...facts, required: ['@odata.id'] } : facts)
  }

  #file(type: string, definitions: ReadonlyMap<string, JsonObject>): JsonObject {
    const { title, release, $ref } = this.#schemas.document(type)
    const root = typeof $ref === 'string' && definitions.has(parseReference($ref, type).name)
    return {
      $id: `${this.#schemas.fileOf(type)}.json`,
      ...(title !== undefined && { title }),
      ...(release !== undefined && { release }),
      ...(root && { $ref }),
      definitions: Object.fromEntries([...definitions].toSorted(byKey)),
    }
  }

  #facts(schema: JsonObject, place: Place): JsonObject {
    const unknown = Object.keys(schema).filter((key) => !KEYWORDS.includes(key) && !droppedKeywords.has(key))
    if (unknown.length > 0) throw new Error(`unknown keywords in ${place.type}: ${unknown.join(', ')}`)
    const inner = { ...place, expand: schema['autoExpand'] === true || place.expand }
    const taken = new Map<string, Json>()
    for (const [keyword, value] of Object.entries(isAction(schema) ? withoutShape(schema) : schema)) {
      for (const [name, fact] of Object.entries(this.#fact(keyword, value, inner))) taken.set(name, fact)
    }
    if (isAction(schema)) taken.set('$ref', `${ACTION}.json`)
    else if (ANY_ANNOTATION in patternsOf(schema)) this.#checkAnnotations(taken)
    if (taken.has('versionDeprecated')) taken.delete('deprecated')
    const deprecated = enumDeprecated(schema)
    if (deprecated) taken.set('enumDeprecated', deprecated)
    return Object.fromEntries([...taken].toSorted((a, b) => KEYWORDS.indexOf(a[0]) - KEYWORDS.indexOf(b[0])))
  }

  /** One keyword of the publication as the keywords that we keep of it. */
  #fact(keyword: string, value: Json, place: Place): JsonObject {
    if (droppedKeywords.has(keyword) || (keyword === 'readonly' && value === false)) return {}
    switch (keyword) {
      case '$ref':
        return this.#reference(value, place)
      case 'deprecated':
        return { deprecated: true }
      case 'anyOf':
        return { anyOf: isArray(value) ? value.map((item) => this.#nested(item, place)) : value }
      case 'items':
      case 'actionResponse':
        return { [keyword]: this.#nested(value, place) }
      case 'properties':
      case 'patternProperties':
      case 'parameters':
        return { [keyword]: this.#members(value, { ...place, expand: false }) }
      default:
        return { [keyword]: value }
    }
  }

  #nested(value: Json, place: Place): Json {
    return isObject(value) ? this.#facts(value, place) : value
  }

  #members(value: Json, place: Place): Json {
    if (!isObject(value)) throw new Error(`members of ${place.type} should be an object`)
    return Object.fromEntries(
      Object.entries(value).map(([name, member]) => [name, this.#nested(member, place)]),
    )
  }

  #reference(reference: Json, place: Place): JsonObject {
    if (typeof reference !== 'string') throw new Error(`a $ref in ${place.type} should be a string`)
    const target = parseReference(reference, place.type)
    // Swordfish types are published elsewhere: their shape stays unchecked
    if (!this.#schemas.has(target.type)) return { foreign: `${target.type}.${target.name}` }
    if (target.type !== ODATA && this.#schemas.isLinkable(target) && !place.expand) {
      this.#waiting.push({ type: ODATA, name: 'idRef' })
      return { $ref: `${ODATA}.json#/definitions/idRef`, ...linkTarget(target) }
    }
    this.#waiting.push(target)
    const file = target.type === place.type ? '' : `${this.#schemas.fileOf(target.type)}.json`
    return { $ref: `${file}#/definitions/${target.name}` }
  }

  /** Replaces "any value" for every annotation by the types that the annotations have. */
  #checkAnnotations(taken: Map<string, Json>): void {
    const { [ANY_ANNOTATION]: _any, ...others } = objectAt(Object.fromEntries(taken), 'patternProperties')
    const closed = taken.get('additionalProperties') === false
    const patterns = { ...others, ...(closed && { [ANY_ANNOTATION]: {} }) }
    if (Object.keys(patterns).length > 0) taken.set('patternProperties', patterns)
    else taken.delete('patternProperties')
    if (isObject(taken.get('properties')) && Object.keys(taken.get('properties') ?? {}).length === 0) {
      taken.delete('properties')
    }
    taken.set('$ref', `${this.#schemas.fileOf(ANNOTATIONS)}.json`)
  }

  /** All standard actions look the same in a resource; only their parameters differ. */
  #actionSchema(): JsonObject {
    const properties = { target: { type: 'string', format: 'uri-reference' }, title: { type: 'string' } }
    return {
      $id: `${ACTION}.json`,
      $ref: `${this.#schemas.fileOf(ANNOTATIONS)}.json`,
      type: 'object',
      properties,
      patternProperties: { [ANY_ANNOTATION]: {} },
      additionalProperties: false,
    }
  }
}

/** `Resource` stands for a link to anything. */
function linkTarget({ type, name }: DefinitionName): JsonObject {
  if (type === 'Resource') return {}
  return { link: type === name ? type : `${type}.${name}` }
}

function isAction(schema: JsonObject): boolean {
  return 'parameters' in schema && Object.keys(objectAt(schema, 'properties')).join() === 'target,title'
}

function withoutShape(schema: JsonObject): JsonObject {
  const shape = ['type', 'properties', 'patternProperties', 'additionalProperties']
  return Object.fromEntries(Object.entries(schema).filter(([keyword]) => !shape.includes(keyword)))
}

function patternsOf(schema: JsonObject): JsonObject {
  const patterns = schema['patternProperties']
  return isObject(patterns) ? patterns : {}
}

function enumDeprecated(schema: JsonObject): JsonObject | undefined {
  const prose = schema['enumDeprecated']
  if (!isObject(prose)) return undefined
  const versions = 'enumVersionDeprecated' in schema ? objectAt(schema, 'enumVersionDeprecated') : {}
  return Object.fromEntries(
    Object.keys(prose).map((value) => [value, value in versions ? stringAt(versions, value) : true]),
  )
}
