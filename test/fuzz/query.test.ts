import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { RedfishError } from '../../src/redfish/errors.ts'
import { applyQuery } from '../../src/redfish/query/apply.ts'
import { fits, parseFilter } from '../../src/redfish/query/filter.ts'
import { parseQuery } from '../../src/redfish/query/parse.ts'
import { isCollection, isObject, type JsonObject, link, type Resource } from '../../src/redfish/resource.ts'

const runs = { numRuns: process.env['PROOF'] === undefined ? 500 : 20_000 }

const names = fc.constantFrom('A', 'B', 'Status', 'Oem', 'Links', '__proto__', 'constructor', '@odata.id')
const literals = fc.oneof(
  fc.string().map((text) => ({ text: `'${text.replaceAll("'", "''")}'`, value: text })),
  fc.integer({ min: -5, max: 5 }).map((value) => ({ text: String(value), value })),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => ({ text: String(value), value })),
  fc.constantFrom(true, false, null).map((value) => ({ text: String(value), value })),
)
const scalars = fc.oneof(fc.string(), fc.integer({ min: -5, max: 5 }), fc.boolean(), fc.constant(null))
const bodies = fc.dictionary(fc.constantFrom('A', 'B', 'C'), scalars)

/** An expression beside what it means of a body, worked out without the parser. */
interface Meant {
  readonly text: string
  readonly holds: (body: JsonObject) => boolean
}

const comparisons: fc.Arbitrary<Meant> = fc
  .tuple(fc.constantFrom('A', 'B', 'C'), fc.constantFrom('eq', 'ne', 'lt', 'ge'), literals)
  .map(([name, by, { text, value }]) => ({
    text: `${name} ${by} ${text}`,
    holds: (body) => {
      const own = Object.hasOwn(body, name) ? (body[name] ?? null) : null
      if (by === 'eq') return own === value
      if (by === 'ne') return own !== value
      const isOrdered = typeof own === typeof value && (typeof own === 'string' || typeof own === 'number')
      if (!isOrdered || own === null || value === null) return false
      return by === 'lt' ? own < value : own >= value
    },
  }))
const expressions: fc.Arbitrary<Meant> = fc.letrec<{ expression: Meant }>((tie) => ({
  expression: fc.oneof(
    { maxDepth: 6 },
    comparisons,
    tie('expression').map(({ text, holds }) => ({
      text: `not (${text})`,
      holds: (body: JsonObject) => !holds(body),
    })),
    fc.tuple(tie('expression'), fc.constantFrom('and', 'or'), tie('expression')).map(([left, by, right]) => ({
      text: `(${left.text}) ${by} (${right.text})`,
      holds: (body: JsonObject) =>
        by === 'and' ? left.holds(body) && right.holds(body) : left.holds(body) || right.holds(body),
    })),
  ),
})).expression

test('a filter means what was written', () => {
  fc.assert(
    fc.property(expressions, bodies, ({ text, holds }, body) => {
      const filter = parseFilter(text)
      expect({ text, holds: filter && fits(filter, body) }).toEqual({ text, holds: holds(body) })
    }),
    runs,
  )
})

const pieces = fc.oneof(
  names,
  literals.map(({ text }) => text),
  fc.constantFrom(
    ' ',
    '(',
    ')',
    '/',
    ',',
    "'",
    'and',
    'or',
    'not',
    'eq',
    'gt',
    '$levels=',
    '*',
    '.',
    '~',
    '-',
    '9',
  ),
  fc.string({ unit: 'binary', maxLength: 5 }),
)
const values = fc.array(pieces, { maxLength: 12 }).map((parts) => parts.join(''))
const queries = fc
  .array(
    fc.tuple(
      fc.constantFrom('$expand', '$filter', '$select', '$skip', '$top', 'excerpt', 'only', '$other', 'other'),
      fc.oneof(values, fc.constantFrom('', '.', '*($levels=3)', '1', '2', 'A', "A eq '1'")),
    ),
    { maxLength: 4 },
  )
  .map((pairs) =>
    pairs.map(([name, value]) => `${name}=${encodeURIComponent(value.toWellFormed())}`).join('&'),
  )

const chassis: readonly Resource[] = ['1', '2', '3'].map((id) => ({
  '@odata.id': `/c/${id}`,
  '@odata.type': '#Chassis.v1_28_0.Chassis',
  A: id,
  Status: { A: 1, B: [null, { A: 2 }] },
  Links: { Peers: [link('/c/1'), link('/c/2'), link('/c')] },
}))
const all: Resource = {
  '@odata.id': '/c',
  '@odata.type': '#ChassisCollection.ChassisCollection',
  Name: 'All',
  'Members@odata.count': 3,
  Members: chassis.map((one) => link(one['@odata.id'])),
}
const lookup = (uri: string): Resource | undefined =>
  [all, ...chassis].find((one) => one['@odata.id'] === uri)

test('any query is answered or refused, and an answer keeps its identity', () => {
  fc.assert(
    fc.property(queries, fc.constantFrom(all, ...chassis), fc.nat(3), (text, resource, pageSize) => {
      const before = JSON.stringify([all, chassis])
      const answer = answerOf(text, resource, pageSize) ?? resource
      expect(lookup(answer['@odata.id'])?.['@odata.type']).toBe(answer['@odata.type'])
      expect(JSON.parse(JSON.stringify(answer))).toEqual(answer)
      const members = isCollection(answer) && answer !== resource ? answer.Members : []
      expect(members.length).toBeLessThanOrEqual(pageSize === 0 ? Infinity : pageSize)
      expect(members.every((member) => isObject(member) && '@odata.id' in member)).toBe(true)
      expect(JSON.stringify([all, chassis])).toBe(before)
    }),
    runs,
  )
})

test('walking the pages shows every member once, whatever the page size', () => {
  fc.assert(
    fc.property(fc.nat(4), fc.integer({ min: 1, max: 4 }), fc.nat(4), (skip, pageSize, top) => {
      const wanted = all['Members'] as readonly JsonObject[]
      const seen: unknown[] = []
      let next: string | undefined = `$skip=${skip}&$top=${top}`
      for (let pages = 0; next !== undefined; pages += 1) {
        expect(pages).toBeLessThan(10)
        const answer: Resource | undefined = answerOf(next, all, pageSize)
        seen.push(...((answer?.['Members'] ?? []) as readonly unknown[]))
        const uri = answer?.['Members@odata.nextLink']
        next = typeof uri === 'string' ? uri.slice(uri.indexOf('?') + 1) : undefined
      }
      expect(seen).toEqual(wanted.slice(skip, skip + top))
    }),
    runs,
  )
})

/** The answer to a query, `undefined` where it is refused or gives no option. */
function answerOf(text: string, resource: Resource, pageSize: number): Resource | undefined {
  try {
    const query = parseQuery(text)
    return query && applyQuery(resource, query, { lookup, pageSize })
  } catch (error) {
    const isRefusal = error instanceof RedfishError && [400, 501].includes(error.status)
    if (!isRefusal || error.messages.length === 0) throw error
    return undefined
  }
}
