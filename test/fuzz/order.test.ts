import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { getPointer, setPointer } from '../../src/redfish/pointer.ts'
import type { Json, JsonObject } from '../../src/redfish/resource.ts'
import { compareVersions } from '../../src/update/version.ts'
import { cases, runs } from '../support/fuzz.ts'

/** Versions as vendors write them, and parts that make nasty ones. */
const real = [
  '1.0.0',
  '1.0.0-alpha',
  '1.0.0-alpha.1',
  '1.0.0-alpha.beta',
  '1.0.0-rc.9',
  '1.0.0-rc10',
  '1.0.0-1',
  '1.0.0-01',
  '1.0.0-',
  '1.0.0+b-1.2',
  '1.0.0-rc+b',
  'v1.0.0',
  '1.0',
  '01.0.0',
  'GXA7402Q',
  'P79 v1.45 (12/06/2017)',
  'U32_2.10',
  '99999999999999999999',
  '',
]
const parts = [
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
  'é',
  '１',
]
const version = fc.oneof(
  fc.array(fc.constantFrom(...parts), { maxLength: 7 }).map((some) => some.join('')),
  fc.constantFrom(...real),
  fc.string({ unit: 'binary' }),
)
/** Several of them, of which many are the same but for a little: what is equal by chance hardly ever comes. */
const near = fc.tuple(version, fc.constantFrom(...parts, '')).map(([one, end]) => `${one}${end}`)
const some = fc.oneof(version, near)
const often = cases(2_000)

describe.each([undefined, 'SemVer', 'DotIntegerNotation', 'OEM'])('versions by scheme %s', (scheme) => {
  const compare = (a: string, b: string): number => Math.sign(compareVersions(a, b, scheme))

  test('are equal to themselves', () => {
    fc.assert(
      fc.property(some, (a) => {
        expect(compare(a, a)).toBe(0)
      }),
      often,
    )
  })

  test('have one order, whoever is asked first', () => {
    fc.assert(
      fc.property(some, some, (a, b) => {
        expect(compare(a, b) + compare(b, a)).toBe(0)
      }),
      often,
    )
  })

  test('have an order that three of them agree on', () => {
    fc.assert(
      fc.property(some, some, some, (a, b, c) => {
        const [low = '', middle = '', high = ''] = [a, b, c].toSorted(compare)
        expect(compare(low, middle)).toBeLessThanOrEqual(0)
        expect(compare(middle, high)).toBeLessThanOrEqual(0)
        expect(compare(low, high)).toBeLessThanOrEqual(0)
        // Versions that are the same stand at the same place beside any other.
        expect(compare(low, high)).toBe(compare(low, middle) === 0 ? compare(middle, high) : -1)
      }),
      often,
    )
  })

  test('that are the same can stand for each other', () => {
    const written = fc.constantFrom<(text: string) => string>(
      (text) => ` ${text}`,
      (text) => `${text}\n`,
      (text) => text.replace(/^(?=\d)/, 'v'),
      (text) => text.replaceAll(/(?<!\d)(?=\d)/g, '00'),
      (text) => (scheme === 'SemVer' ? `${text}+build.7` : text),
    )
    fc.assert(
      fc.property(version, written, some, (a, rewrite, c) => {
        const b = rewrite(a)
        // Not all of them are: in an identifier of SemVer zeros before letters count.
        fc.pre(compare(a, b) === 0)
        expect(compare(a, c)).toBe(compare(b, c))
      }),
      often,
    )
  })

  test('grow with each of their numbers', () => {
    const numbers = fc.array(fc.nat(), { minLength: 1, maxLength: 4 })
    fc.assert(
      fc.property(numbers, fc.nat(), fc.integer({ min: 1, max: 1_000 }), (all, at, more) => {
        const next = all.with(at % all.length, (all[at % all.length] ?? 0) + more)
        expect(compare(all.join('.'), next.join('.'))).toBe(-1)
      }),
      often,
    )
  })

  test('may be of any length', () => {
    const long = '7'.repeat(5_000_000)
    expect(compare(`1.${long}8`, `1.${long}9`)).toBe(-1)
    expect(compare(`${'1.'.repeat(500_000)}2`, `${'1.'.repeat(500_000)}10`)).toBe(-1)
    expect(compare(`1.0.0-${'a.'.repeat(500_000)}b`, `1.0.0-${'a.'.repeat(500_000)}a`)).toBe(1)
  })
})

/** Each older than the next. */
const orders: readonly { readonly scheme: string; readonly versions: readonly string[] }[] = [
  // SemVer 2.0.0 §11
  {
    scheme: 'SemVer',
    versions: [
      '1.0.0-alpha',
      '1.0.0-alpha.1',
      '1.0.0-alpha.beta',
      '1.0.0-beta',
      '1.0.0-beta.2',
      '1.0.0-beta.11',
      '1.0.0-rc.1',
      '1.0.0',
      '1.0.1',
      '1.2.0',
      '1.10.0',
      '2.0.0',
    ],
  },
  {
    scheme: 'SemVer',
    versions: ['1.0.0-1', '1.0.0-2.a', '1.0.0-10', '1.0.0--', '1.0.0-9a', '1.0.0-A', '1.0.0-a', '1.0.0-a-b'],
  },
  { scheme: 'SemVer', versions: ['1.0.0-rc10', '1.0.0-rc9', '1.0.0-rc9.0', '1.0.0'] },
  { scheme: 'DotIntegerNotation', versions: ['1', '1.0', '1.0.0', '1.0.1', '1.2', '1.10', '2', '10.0'] },
  { scheme: 'OEM', versions: ['U32_2.9', 'U32_2.10', 'U32_2.10a', 'U33_1.0'] },
]

test.each(orders)('$scheme: $versions', ({ scheme, versions }) => {
  for (const [at, one] of versions.entries())
    for (const [later, other] of versions.entries())
      expect(Math.sign(compareVersions(one, other, scheme))).toBe(Math.sign(at - later))
})

test.each([
  ['SemVer', '1.0.0+1', '1.0.0+2'],
  ['SemVer', '1.0.0-rc.1+a', '1.0.0-rc.1+b-2'],
  ['DotIntegerNotation', '1.02.003', '1.2.3'],
  ['DotIntegerNotation', '0.0', '00.000'],
  ['OEM', 'v1.2', '1.2'],
])('%s: %s is %s', (scheme, one, other) => {
  expect(compareVersions(one, other, scheme)).toBe(0)
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
