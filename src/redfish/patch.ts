import type { TSchema } from '../lib/schema.ts'
import { about, type Message, message } from './messages/message.ts'
import { type Json, type JsonObject, isObject, type Resource } from './resource.ts'
import {
  type Facts,
  factsOfType,
  isOwn,
  itemFacts,
  type MemberFacts,
  memberFacts,
  ownFacts,
} from './schema-facts.ts'
import { judgeScalar, type ValueFacts, type Verdict, wrong } from './patch-value.ts'
import { memberPointer } from './pointer.ts'

/** The members that a service lets clients write: all of a member (what its schema does not keep), or some below it. */
export interface Writable {
  readonly [member: string]: true | Writable
}

/** A body that is to change a resource, and what it is judged by. */
export interface PatchRequest {
  /** The resource as it is; its `@odata.type` names the schema. */
  readonly current: Resource
  readonly body: JsonObject
  /** A schema of our own that says all that clients may write. */
  readonly schema?: TSchema
  /** Else what they may write of the published one. */
  readonly writable?: Writable
}

/** What a body changes, and what is wrong with the rest of it. Neither: it held nothing but annotations. */
export interface PatchOutcome {
  /** The part that is right, without annotations; arrays as they are to be, objects with what they say only. */
  readonly accepted: JsonObject
  /** One for each mistake, with the member in RelatedProperties. */
  readonly messages: readonly Message[]
}

/** Judges the body of a PATCH (DSP0266, PATCH and PATCH on array properties); pure, nothing is changed by it. */
export function judgePatch({ current, body, schema, writable = {} }: PatchRequest): PatchOutcome {
  const published = factsOfType(current['@odata.type'])
  const place = {
    current,
    pointer: '',
    isKnown: (name: string) => published !== undefined && memberFacts(published, name) !== undefined,
  }
  return schema === undefined
    ? judgeObject({ ...place, facts: published, writable }, body)
    : judgeObject({ ...place, facts: ownFacts(schema), writable: true }, body)
}

/** An object after a change that was judged right: nested objects merge, counts beside arrays follow. */
export function merged(current: JsonObject, accepted: JsonObject): JsonObject {
  const changes = Object.entries(accepted).flatMap(([name, value]) => {
    const before = current[name]
    const isNested = isObject(before) && isObject(value) && !Object.hasOwn(value, '@odata.id')
    const after = isNested ? merged(before, value) : value
    const count = `${name}@odata.count`
    const counted = Array.isArray(after) && Object.hasOwn(current, count)
    return [[name, after], ...(counted ? [[count, after.length]] : [])]
  })
  return { ...current, ...(Object.fromEntries(changes) as JsonObject) }
}

/** The writable members that a resource has: one of an older schema version, or with less, offers less. */
export function present(writable: Writable, current: JsonObject): Writable {
  const found = Object.entries(writable).flatMap(([name, below]): [string, Writable[string]][] => {
    if (!Object.hasOwn(current, name)) return []
    const value = current[name]
    if (below === true || !isObject(value)) return [[name, below]]
    const inner = present(below, value)
    return Object.keys(inner).length === 0 ? [] : [[name, inner]]
  })
  return Object.fromEntries(found)
}

/** An object of the body, and what it is judged by. */
interface Place {
  readonly facts: Facts | undefined
  readonly writable: Writable | true
  readonly current: Json | undefined
  readonly pointer: string
  readonly isKnown: (name: string) => boolean
}

/** A value of the body, and what it is judged by. */
interface Slot extends ValueFacts {
  readonly writable: Writable | true
}

function judgeObject(place: Place, body: JsonObject): PatchOutcome {
  const verdicts = Object.entries(body)
    .filter(([name]) => !isODataAnnotation(name))
    .map(([name, value]) => [name, judgeMember(place, name, value ?? null)] as const)
  const right = verdicts.flatMap(([name, { accepted }]) =>
    accepted === undefined ? [] : [[name, accepted] as const],
  )
  return {
    accepted: Object.fromEntries(right),
    messages: verdicts.flatMap(([, { messages }]) => messages),
  }
}

function judgeMember(place: Place, name: string, value: Json): Verdict {
  const pointer = memberPointer(place.pointer, name)
  const facts = place.facts && memberFacts(place.facts, name)
  const { writable, current } = place
  const shown = isObject(current) && Object.hasOwn(current, name)
  const below = writable === true ? true : Object.hasOwn(writable, name) ? writable[name] : undefined
  // Where names are left to us, there is what we show.
  const exists = facts !== undefined && (shown || !facts.isOpen)
  if (!exists || facts.isReadOnly || below === undefined) {
    const isKnown = exists || shown || place.isKnown(name)
    const text = pointer.slice(1).replaceAll('~1', '/').replaceAll('~0', '~')
    const refusal = isKnown
      ? message('Base.PropertyNotWritable', text)
      : message('Base.PropertyUnknown', text)
    return { accepted: undefined, messages: [about(refusal, pointer)] }
  }
  const before = isObject(current) && shown ? current[name] : undefined
  const allowable = isObject(current) ? current[`${name}@Redfish.AllowableValues`] : undefined
  return judgeValue({ facts, writable: below, current: before, pointer, allowable }, value)
}

function judgeValue(slot: Slot, value: Json): Verdict {
  const { facts, pointer, current, writable } = slot
  if (facts.isLink || facts.isOpen) return judgeScalar(slot, value)
  switch (shapeOf(facts)) {
    case 'array':
      return Array.isArray(value) ? judgeArray(slot, value) : wrong('type', pointer, value)
    case 'object': {
      if (!isObject(value)) return wrong('type', pointer, value)
      const { accepted, messages } = judgeObject(
        { facts, writable, current, pointer, isKnown: () => false },
        value,
      )
      return { accepted: Object.keys(accepted).length === 0 ? undefined : accepted, messages }
    }
    case 'value':
      return judgeScalar(slot, value)
  }
}

/** DSP0266: in an array `null` removes, `{}` keeps, and what a shorter one leaves out goes. It is right as a whole. */
function judgeArray(slot: Slot, items: readonly Json[]): Verdict {
  const { facts, pointer, current } = slot
  const ofItems = itemFacts(facts)
  const before: readonly Json[] = Array.isArray(current) ? current : []
  const verdicts = items.map((item, index): Verdict & { readonly isRemoved?: true } => {
    if (item === null) return { accepted: undefined, messages: [], isRemoved: true }
    const at = memberPointer(pointer, String(index))
    const now = before[index]
    const isKept = isObject(item) && Object.keys(item).length === 0
    if (ofItems === undefined || (isKept && now === undefined)) return wrong('type', at, item)
    if (isKept) return { accepted: now, messages: [] }
    const verdict = judgeValue({ ...slot, facts: ofItems, current: now, pointer: at }, item)
    if (!isObject(verdict.accepted) || ofItems.isLink) return verdict
    const element = isObject(now) ? merged(now, verdict.accepted) : verdict.accepted
    const missing = requiredOf(ofItems).filter((name) => !Object.hasOwn(element, name))
    const lacks = missing.flatMap((name) => wrong('missing', memberPointer(at, name), null).messages)
    return { accepted: element, messages: [...verdict.messages, ...lacks] }
  })
  const messages = verdicts.flatMap((verdict) => verdict.messages)
  const accepted = verdicts.flatMap((verdict) => (verdict.accepted === undefined ? [] : [verdict.accepted]))
  const { maxItems } = facts.schema
  if (typeof maxItems === 'number' && accepted.length > maxItems)
    return wrong('too-long', pointer, accepted, maxItems)
  // An element of annotations alone is no element.
  const isWhole = verdicts.every((verdict) => verdict.isRemoved === true || verdict.accepted !== undefined)
  if (messages.length === 0 && !isWhole) return wrong('format', pointer, items)
  return { accepted: messages.length === 0 ? accepted : undefined, messages }
}

/** The members that an element of an array must have. */
function requiredOf({ schema: { required } }: MemberFacts): string[] {
  return Array.isArray(required) ? required.map(String) : []
}

function shapeOf(facts: MemberFacts): 'array' | 'object' | 'value' {
  const { type, properties, patternProperties } = facts.schema
  if (type === 'array') return 'array'
  const hasMembers = properties !== undefined || (patternProperties !== undefined && !isOwn(facts))
  return type === 'object' && hasMembers ? 'object' : 'value'
}

/** `@odata.id`, `Members@odata.count`: clients send back what they have read (DSP0266: ignored). */
function isODataAnnotation(name: string): boolean {
  return /^[^@]*@odata\./.test(name)
}
