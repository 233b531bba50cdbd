import { expect, test } from 'vitest'
import { parseNames } from '../../src/fleet/names.ts'

test.each([
  ['bmc-{0001}', ['bmc-0001', 'bmc-0002', 'bmc-0043', 'bmc-12345']],
  [
    'bmc-{0001}.rack-{1/42}.example',
    [
      'bmc-0001.rack-1.example',
      'bmc-0002.rack-1.example',
      'bmc-0043.rack-2.example',
      'bmc-12345.rack-294.example',
    ],
  ],
  ['u{01%42}.rack-{001/42}', ['u01.rack-001', 'u02.rack-001', 'u01.rack-002', 'u39.rack-294']],
  ['{100}', ['100', '101', '142', '12444']],
  ['one', ['one', 'one', 'one', 'one']],
])('the pattern %s makes names', (pattern, expected) => {
  const names = parseNames(pattern)
  expect([1, 2, 43, 12_345].map((number) => names?.(number))).toEqual(expected)
})

test.each([
  '',
  'BMC-{01}',
  'bmc_{01}',
  'bmc-{}',
  'bmc-{1/0}',
  'bmc-{1',
  '-{1}',
  '{1}-',
  'a..{1}',
  'a/{1}',
  'a'.repeat(64),
  Array.from({ length: 130 }, () => 'a').join('.'),
  'constructor{x}',
  '10.0.0.{1}',
  'bmc-{0000000001}',
])('the pattern %s is none', (pattern) => {
  expect(parseNames(pattern)).toBeUndefined()
})

test.each([
  ['grows beyond a label', `${'a'.repeat(62)}{1}`, 9],
  ['grows beyond a label, and begins again', `${'a'.repeat(62)}{9%2}`, 1],
  ['grows beyond a name', `${'a.'.repeat(126)}{1}`, 9],
])('a pattern is none for so many that one of them %s', (_what, pattern, count) => {
  expect(parseNames(pattern, count)).toBeDefined()
  expect(parseNames(pattern, count + 1)).toBeUndefined()
  expect(parseNames(pattern, count + 2)).toBeUndefined()
})
