import type { TSchema } from '../lib/schema.ts'
import type { Message } from './messages/message.ts'
import type { Json, JsonObject } from './resource.ts'
import { type Facts, isOwn, type MemberFacts } from './schema-facts.ts'
import { judge, type Mistake, propertyMessages } from './validation.ts'

/** Where a value of a body is to go, and what it is judged by. */
export interface ValueFacts {
  readonly facts: MemberFacts
  readonly current: Json | undefined
  /** RFC 6901 pointer to it. */
  readonly pointer: string
  /** The `@Redfish.AllowableValues` beside it. */
  readonly allowable: Json | undefined
}

export interface Verdict {
  /** `undefined`: nothing of it is right. */
  readonly accepted: Json | undefined
  readonly messages: readonly Message[]
}

/** Judges a value that has no members of its own: by type, choice, format, pattern and range. */
export function judgeScalar(slot: ValueFacts, value: Json): Verdict {
  const { pointer, allowable, facts } = slot
  // Null says that a text is no longer set; of a switch or a choice it would say nothing that a service can do.
  if (value === null && facts.isNullable && !facts.isOpen && isClearable(facts))
    return { accepted: null, messages: [] }
  const judged = leafJudge(slot)(value)
  if (!judged.ok) {
    const mistake = judged.problem.find(({ kind }) => kind === 'type') ?? judged.problem[0]
    if (mistake === undefined) return wrong('format', pointer, value)
    return {
      accepted: undefined,
      messages: propertyMessages([{ ...mistake, pointer: `${pointer}${mistake.pointer}` }]),
    }
  }
  if (Array.isArray(allowable) && !allowable.includes(value)) return wrong('choice', pointer, value)
  return { accepted: value, messages: [] }
}

/** A refusal of a value. */
export function wrong(kind: Mistake['kind'], pointer: string, value: Json, limit?: number): Verdict {
  return {
    accepted: undefined,
    messages: propertyMessages([{ kind, pointer, value, expected: '', limit }]),
  }
}

type Judge = ReturnType<typeof judge>
const judges = new WeakMap<JsonObject, Judge>()
const judgesOfTypes = new Map<string, Judge>()
const linkJudge = judge(
  asSchema({
    type: 'object',
    required: ['@odata.id'],
    properties: { '@odata.id': { type: 'string', format: 'uri-reference' } },
    additionalProperties: false,
  }),
)

function leafJudge({ facts, current }: ValueFacts): Judge {
  if (facts.isLink) return linkJudge
  if (facts.isOpen) {
    const type = typeNow(current)
    const known = judgesOfTypes.get(type) ?? judge(asSchema({ type }))
    judgesOfTypes.set(type, known)
    return known
  }
  const known =
    judges.get(facts.schema) ?? judge(asSchema(isOwn(facts) ? facts.schema : published(facts.schema)))
  judges.set(facts.schema, known)
  return known
}

/** An attribute that nothing describes keeps its type. */
function typeNow(current: Json | undefined): string {
  if (Number.isInteger(current)) return 'integer'
  return current === null || current === undefined ? 'string' : typeof current
}

const validityKeywords: ReadonlySet<string> = new Set([
  'type',
  'enum',
  'format',
  'pattern',
  'minimum',
  'maximum',
])

/** What of a published schema judges a value; the rest of its facts are unknown to a validator. */
function published(schema: JsonObject): JsonObject {
  const { type } = schema
  const facts = Object.entries(schema).filter(([keyword]) => validityKeywords.has(keyword))
  const types = Array.isArray(type) ? type.filter((one) => one !== 'null') : type
  return { ...Object.fromEntries(facts), ...(types !== undefined && { type: types }) }
}

function asSchema(schema: JsonObject): TSchema {
  return schema // TypeBox's schemas are JSON Schemas
}

function isClearable({ schema }: Facts): boolean {
  const { type } = schema
  return !('enum' in schema) && (type === 'string' || (Array.isArray(type) && type.includes('string')))
}
