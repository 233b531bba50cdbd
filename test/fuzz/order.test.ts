import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { getPointer, setPointer } from '../../src/redfish/pointer.ts'
import type { Json, JsonObject } from '../../src/redfish/resource.ts'
import { compareVersions } from '../../src/update/version.ts'
import { runs } from '../support/fuzz.ts'

const version = fc.oneof(
  fc
    .array(
      fc.constantFrom(
        '0',
        '1',
        '2',
        '9',
        '10',
        '01',
        '1.',
        '.',
        '-',
        '+',
        'a',
        'b',
        'rc',
        'v',
        'V',
        '_',
        ' ',
      ),
      {
        maxLength: 7,
      },
    )
    .map((parts) => parts.join('')),
  fc.constantFrom(
    '1.0.0',
    '1.0.0-alpha',
    '1.0.0-alpha.1',
    '1.0.0-1',
    '1.0.0+b',
    'GXA7402Q',
    '99999999999999999999',
  ),
  fc.string(),
)

describe.each([undefined, 'SemVer', 'DotIntegerNotation', 'OEM'])('versions by scheme %s', (scheme) => {
  const compare = (a: string, b: string): number => Math.sign(compareVersions(a, b, scheme))

  test('are equal to themselves', () => {
    fc.assert(
      fc.property(version, (a) => {
        expect(compare(a, a)).toBe(0)
      }),
      runs(100),
    )
  })

  test('have one order, whoever is asked first', () => {
    fc.assert(
      fc.property(version, version, (a, b) => {
        expect(compare(a, b) + compare(b, a)).toBe(0)
      }),
      runs(300),
    )
  })

  test('have an order that three of them agree on', () => {
    fc.assert(
      fc.property(version, version, version, (a, b, c) => {
        const [low = '', middle = '', high = ''] = [a, b, c].toSorted(compare)
        expect(compare(low, middle)).toBeLessThanOrEqual(0)
        expect(compare(middle, high)).toBeLessThanOrEqual(0)
        expect(compare(low, high)).toBeLessThanOrEqual(0)
        // Versions that are the same stand at the same place beside any other.
        expect(compare(low, high)).toBe(compare(low, middle) === 0 ? compare(middle, high) : -1)
      }),
      runs(500),
    )
  })

  test('grow with each of their numbers', () => {
    const numbers = fc.array(fc.nat(), { minLength: 1, maxLength: 4 })
    fc.assert(
      fc.property(numbers, fc.nat(), fc.integer({ min: 1, max: 1_000 }), (parts, at, more) => {
        const next = parts.with(at % parts.length, (parts[at % parts.length] ?? 0) + more)
        expect(compare(parts.join('.'), next.join('.'))).toBe(-1)
      }),
      runs(200),
    )
  })
})

describe('JSON pointers', () => {
  const keys = fc.oneof(
    fc.constantFrom(
      'a',
      'b',
      '0',
      '1',
      '-',
      '',
      '/',
      '~',
      '~1',
      '~0',
      'a/b',
      'constructor',
      '__proto__',
      'length',
    ),
    fc.string(),
  )
  const { document } = fc.letrec<{ value: Json; document: JsonObject }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 3 },
      fc.constantFrom<Json>(null, true, 0, 'text'),
      fc.array(tie('value'), { maxLength: 3 }),
      tie('document'),
    ),
    document: fc.dictionary(keys, tie('value'), { maxKeys: 4, noNullPrototype: true }),
  }))

  /** Every place in a document, with what is there (RFC 6901 §3 escapes). */
  function places(value: Json, pointer = ''): [pointer: string, value: Json][] {
    const members =
      typeof value === 'object' && value !== null ? Object.entries(value as Record<string, Json>) : []
    return [
      [pointer, value],
      ...members.flatMap(([key, member]) =>
        places(member, `${pointer}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`),
      ),
    ]
  }

  test('find every place of a document', () => {
    fc.assert(
      fc.property(document, (root) => {
        for (const [pointer, value] of places(root)) expect(getPointer(root, pointer)).toBe(value)
      }),
      runs(200),
    )
  })

  test('find nothing where nothing is', () => {
    fc.assert(
      fc.property(document, fc.array(keys, { minLength: 1, maxLength: 4 }), (root, path) => {
        const pointer = path.map((key) => `/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')
        const known = new Map(places(root))
        expect(getPointer(root, pointer)).toBe(known.get(pointer))
      }),
      runs(200),
    )
  })

  test('change one place of a copy, and nothing else', () => {
    fc.assert(
      fc.property(document, fc.nat(), (root, choice) => {
        const all = places(root).slice(1)
        const [pointer, old] = all[choice % Math.max(1, all.length)] ?? []
        if (pointer === undefined || old === undefined) return
        const before = structuredClone(root)
        const changed = setPointer(root, pointer, 'new')
        expect(root).toEqual(before)
        expect(getPointer(changed, pointer)).toBe('new')
        expect(setPointer(changed, pointer, old)).toEqual(root)
        const apart = all.filter(
          ([other]) => !other.startsWith(`${pointer}/`) && !`${pointer}/`.startsWith(`${other}/`),
        )
        for (const [other, value] of apart) expect(getPointer(changed, other)).toBe(value)
      }),
      runs(200),
    )
  })

  test('follow a document as if it were read anew', () => {
    expect(getPointer({ a: [{ b: 1 }] }, '/a/0/b')).toBe(1)
    expect(getPointer({ a: [{ b: 1 }] }, '/a/00/b')).toBeUndefined()
    expect(getPointer({ a: [1] }, '/a/-')).toBeUndefined()
    expect(getPointer({ a: 'text' }, '/a/length')).toBeUndefined()
    expect(getPointer({ 'a/b': { '~1': 2 } }, '/a~1b/~01')).toBe(2)
  })
})
