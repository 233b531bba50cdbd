import { isDeepStrictEqual } from 'node:util'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { judgePatch, merged } from '../../src/redfish/patch.ts'
import type { Json, JsonObject, Resource } from '../../src/redfish/resource.ts'
import { ofSystem, onSystem, system } from '../support/patch.ts'

const runs = { numRuns: process.env['PROOF'] === undefined ? 500 : 20_000 }

const names = fc.constantFrom(
  'AssetTag',
  'Boot',
  'BootSourceOverrideEnabled',
  'BootSourceOverrideTarget',
  'HttpBootUri',
  'LocationIndicatorActive',
  'PowerState',
  'Id',
  'Colour',
  '@odata.id',
  '__proto__',
  'constructor',
  'a/b',
)
const { value } = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom<Json>(null, true, false, 0, -1, 1.5, '', 'Once', 'Pxe', 'Disabled', 'x'),
    fc.string(),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.array(fc.tuple(names, tie('value')), { maxLength: 4 }).map((all) => Object.fromEntries(all)),
  ),
}))
const bodies = fc.array(fc.tuple(names, value), { maxLength: 5 }).map((all): JsonObject => {
  // As a parser makes it of JSON: `__proto__` is a member like any other.
  return JSON.parse(JSON.stringify(Object.fromEntries(all))) as JsonObject
})

test('a PATCH of any body changes only what is writable, and nothing where all of it is wrong', () => {
  fc.assert(
    fc.property(bodies, (body) => {
      const outcome = onSystem(body)
      const after = merged(system, outcome.accepted)
      const changed = Object.keys(after).filter((name) => after[name] !== system[name])
      expect(changed.filter((name) => !Object.hasOwn(ofSystem, name))).toEqual([])
      expect((after['Boot'] as JsonObject)['BootOrder']).toBe((system['Boot'] as JsonObject)['BootOrder'])
      expect(Object.keys(outcome.accepted).length > 0 || isDeepStrictEqual(after, system)).toBe(true)
    }),
    runs,
  )
})

test('a PATCH of any body is judged the same twice, and changes nothing the second time', () => {
  fc.assert(
    fc.property(bodies, (body) => {
      const first = onSystem(body)
      const after = merged(system, first.accepted) as Resource
      const second = judgePatch({ current: after, body, writable: ofSystem })
      expect(second).toEqual(first)
      expect(merged(after, second.accepted)).toEqual(after)
    }),
    runs,
  )
})

test('every member of any body gets a message if it is not taken', () => {
  fc.assert(
    fc.property(bodies, (body) => {
      const { accepted, messages } = onSystem(body)
      const named = Object.keys(body).filter((name) => !name.includes('@odata.'))
      const told = new Set(
        messages.map(({ RelatedProperties = [] }) => RelatedProperties.join().split('/')[1]),
      )
      const silent = named.filter(
        (name) => !Object.hasOwn(accepted, name) && !told.has(name.replaceAll('/', '~1')),
      )
      // An object without members asks for nothing.
      expect(silent.filter((name) => name !== 'Boot')).toEqual([])
    }),
    runs,
  )
})
