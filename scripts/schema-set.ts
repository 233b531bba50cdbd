import { isArray, isObject, newest, objectAt, stringAt } from './dmtf-sources.ts'
import type { JsonObject, Sources } from './dmtf-sources.ts'

const FOLDER = 'json-schema'

/** A definition as DMTF names it: the schema without its version, and the name in that schema. */
export interface DefinitionName {
  readonly type: string
  readonly name: string
}

/**
 * DMTF publishes a type as two files: the unversioned one lists the versions and holds what all share,
 * the versioned one holds the rest. This joins both under the newest version's name.
 */
export class SchemaSet {
  readonly #sources: Sources
  readonly #names: readonly string[]

  constructor(sources: Sources) {
    this.#sources = sources
    this.#names = sources.names(FOLDER)
  }

  has(type: string): boolean {
    return this.#unversioned(type) !== undefined || this.#versioned(type) !== undefined
  }

  /** The name of the file that holds a type, without `.json`. */
  fileOf(type: string): string {
    return newest(this.#names, type) ?? type
  }

  document(type: string): JsonObject {
    const document = this.#versioned(type) ?? this.#unversioned(type)
    if (!document) throw new Error(`no schema of ${type} in the sources`)
    return document
  }

  /** Where the type is a resource, the published schema lets a link stand for the resource itself. */
  isLinkable({ type, name }: DefinitionName): boolean {
    return alternatives(this.#definition(this.#unversioned(type), name)).some(isLink)
  }

  definition({ type, name }: DefinitionName): JsonObject {
    const shared = this.#definition(this.#unversioned(type), name)
    const own = this.#definition(this.#versioned(type), name)
    if (!shared || !('anyOf' in shared)) return this.#found(shared ?? own, type, name)
    const inline = alternatives(shared).find((alternative) => !('$ref' in alternative))
    const { anyOf: _versions, ...facts } = shared
    return { ...facts, ...this.#found(inline ?? own, type, name) }
  }

  #found(definition: JsonObject | undefined, type: string, name: string): JsonObject {
    if (!definition) throw new Error(`no definition of ${name} in the newest ${type}`)
    return definition
  }

  #definition(document: JsonObject | undefined, name: string): JsonObject | undefined {
    if (!document) return undefined
    const definition = objectAt(document, 'definitions')[name]
    return isObject(definition) ? definition : undefined
  }

  #unversioned(type: string): JsonObject | undefined {
    return this.#names.includes(`${type}.json`) ? this.#sources.json(`${FOLDER}/${type}.json`) : undefined
  }

  #versioned(type: string): JsonObject | undefined {
    const name = newest(this.#names, type)
    return name === undefined ? undefined : this.#sources.json(`${FOLDER}/${name}.json`)
  }
}

/** Reads `…/Task.v1_7_4.json#/definitions/TaskState` or `#/definitions/TaskState`; old versions mean the newest. */
export function parseReference(reference: string, within: string): DefinitionName {
  const match = /^(?:.*\/([^/.]+)(?:\.v\d+_\d+_\d+)?\.json)?#\/definitions\/(\w+)$/.exec(reference)
  const name = match?.[2]
  if (name === undefined) throw new Error(`unreadable reference ${reference} in ${within}`)
  return { type: match?.[1] ?? within, name }
}

function alternatives(definition: JsonObject | undefined): readonly JsonObject[] {
  const anyOf = definition?.['anyOf']
  return isArray(anyOf) ? anyOf.filter(isObject) : []
}

function isLink(alternative: JsonObject): boolean {
  return '$ref' in alternative && stringAt(alternative, '$ref').endsWith('odata-v4.json#/definitions/idRef')
}
