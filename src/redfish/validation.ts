import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv'
import formats from 'ajv-formats'
import type { Static, TSchema } from 'typebox'
import { fail, type Result, succeed } from '../lib/result.ts'
import { about, type Message, message } from './messages/message.ts'
import { getPointer, memberPointer } from './pointer.ts'
import { isObject, type Json } from './resource.ts'
import { withoutSecrets } from './secrets.ts'

/** One thing that is wrong with data from outside. */
export interface Mistake {
  readonly kind: 'unknown' | 'missing' | 'type' | 'choice' | 'range' | 'too-long' | 'too-short' | 'format'
  /** RFC 6901 pointer to the member. */
  readonly pointer: string
  readonly value: unknown
  /** What would be right, in words. */
  readonly expected: string
  readonly limit: number | undefined
}

// Defaults of Ajv repair what a client got wrong; we must see it instead (and all of it).
const ajv = new Ajv({
  allErrors: true,
  coerceTypes: false,
  removeAdditional: false,
  useDefaults: false,
  allowUnionTypes: true,
  verbose: true,
  // The schemas are ours, checked by their types: compiling the schema of schemas would slow every start.
  meta: false,
  validateSchema: false,
})
formats.default(ajv, ['date-time', 'uri', 'uri-reference', 'uuid', 'regex'])

/** Makes of a schema a judge of unknown data that reports every mistake. */
export function judge<S extends TSchema>(
  schema: S,
): (data: unknown) => Result<Static<S>, readonly Mistake[]> {
  // Compiled when first used: a start does not wait for schemas that nobody has sent anything for.
  let validate: ValidateFunction<Static<S>> | undefined
  return (data) => {
    validate ??= ajv.compile<Static<S>>(schema)
    return validate(data) ? succeed(data) : fail((validate.errors ?? []).flatMap(toMistake))
  }
}

/** Data from outside, as far as it can be read: null stands for what is wrong. */
export type Readable<T> = T extends readonly (infer E)[]
  ? readonly (Readable<E> | null)[]
  : T extends object
    ? { readonly [K in keyof T]?: Readable<T[K]> | null | undefined }
    : T

/** What a judge found nothing wrong with: its other mistakes belong in the same answer. */
export function readable<T extends object>(value: unknown, problem: readonly Mistake[]): Readable<T> {
  const kinds = new Map(problem.map(({ pointer, kind }) => [pointer, kind]))
  const read = (one: unknown, at: string): unknown => {
    if (kinds.has(at)) return null
    if (Array.isArray(one)) return one.map((item: unknown, index) => read(item, `${at}/${index}`))
    if (!isObject(one)) return one
    const members = Object.entries(one).flatMap(([name, member]) => {
      const pointer = memberPointer(at, name)
      return kinds.get(pointer) === 'unknown' ? [] : [[name, read(member, pointer)] as const]
    })
    return Object.fromEntries(members)
  }
  return (isObject(value) ? (read(value, '') ?? {}) : {}) as Readable<T> // all else the judge found right
}

/** A client's mistakes in a resource's properties, as messages of the Base registry. */
export function propertyMessages(mistakes: readonly Mistake[]): Message[] {
  return mistakes.map((mistake) => {
    const name = memberName(mistake.pointer)
    return about(propertyMessage(mistake, name, shown(mistake)), mistake.pointer)
  })
}

/** A client's mistakes in an action's parameters, as messages of the Base registry. */
export function parameterMessages(mistakes: readonly Mistake[], action: string): Message[] {
  return mistakes.map((mistake) => {
    const name = memberName(mistake.pointer)
    return about(parameterMessage(mistake, name, shown(mistake), action), mistake.pointer)
  })
}

function propertyMessage(mistake: Mistake, name: string, value: string): Message {
  switch (mistake.kind) {
    case 'unknown':
      return message('Base.PropertyUnknown', name)
    case 'missing':
      return message('Base.PropertyMissing', name)
    case 'type':
      return message('Base.PropertyValueTypeError', value, name)
    case 'choice':
      return message('Base.PropertyValueNotInList', value, name)
    case 'range':
      return message('Base.PropertyValueOutOfRange', value, name)
    case 'too-long':
      return message('Base.ArraySizeTooLong', name, mistake.limit ?? 0)
    case 'too-short':
      return message('Base.ArraySizeTooShort', name, mistake.limit ?? 0)
    case 'format':
      return message('Base.PropertyValueFormatError', value, name)
  }
}

function parameterMessage(mistake: Mistake, name: string, value: string, action: string): Message {
  switch (mistake.kind) {
    case 'unknown':
      return message('Base.ActionParameterUnknown', action, name)
    case 'missing':
      return message('Base.ActionParameterMissing', action, name)
    case 'type':
      return message('Base.ActionParameterValueTypeError', value, name, action)
    case 'choice':
      return message('Base.ActionParameterValueNotInList', value, name, action)
    case 'range':
      return message('Base.ActionParameterValueOutOfRange', value, name, action)
    case 'too-long':
      return message('Base.ArraySizeTooLong', name, mistake.limit ?? 0)
    case 'too-short':
      return message('Base.ArraySizeTooShort', name, mistake.limit ?? 0)
    case 'format':
      return message('Base.ActionParameterValueFormatError', value, name, action)
  }
}

function toMistake(error: ErrorObject): Mistake[] {
  const at = error.instancePath
  const params: Readonly<Record<string, unknown>> = error.params
  const mistake = (kind: Mistake['kind'], expected: string, pointer = at): Mistake[] => {
    const value = getPointer(error.data as Json, pointer.slice(at.length))
    const limit = typeof params['limit'] === 'number' ? params['limit'] : undefined
    return [{ kind, pointer, value, expected, limit }]
  }
  switch (error.keyword) {
    case 'additionalProperties':
      return mistake(
        'unknown',
        'nothing of that name',
        memberPointer(at, String(params['additionalProperty'])),
      )
    case 'required':
      return mistake('missing', 'a value', `${at}/${String(params['missingProperty'])}`)
    case 'enum':
      return mistake('choice', `one of ${(params['allowedValues'] as readonly unknown[]).join(', ')}`)
    case 'const':
      return mistake('choice', String(params['allowedValue']))
    case 'type':
      return mistake('type', String(params['type']))
    case 'minimum':
    case 'maximum':
    case 'exclusiveMinimum':
      return mistake('range', `${String(params['comparison'])} ${String(params['limit'])}`)
    case 'maxItems':
      return mistake('too-long', `at most ${String(params['limit'])} items`)
    case 'minItems':
      return mistake('too-short', `at least ${String(params['limit'])} items`)
    // A union's members were each reported already, and so was what follows of a condition.
    case 'anyOf':
    case 'if':
      return []
    case 'false schema':
      return mistake('unknown', 'nothing of that name here')
    default:
      return mistake('format', error.message ?? error.keyword)
  }
}

/** The value as it may stand in a message: short, and never a secret. */
function shown({ pointer, value }: Mistake): string {
  if (/password|token|secret|(certificate|key)string/i.test(pointer)) return '******'
  const text =
    typeof value === 'string'
      ? String(withoutSecrets('', value))
      : (JSON.stringify(value, withoutSecrets) ?? '')
  return text.length > 200 ? `${text.slice(0, 200)}…` : text
}

function memberName(pointer: string): string {
  const name = pointer.slice(1)
  return name.replaceAll('~1', '/').replaceAll('~0', '~')
}
