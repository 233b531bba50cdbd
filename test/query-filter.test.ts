import { expect, test } from 'vitest'
import { fits, parseFilter } from '../src/redfish/query/filter.ts'

const disk = {
  Id: 'Disk-1',
  CapacityBytes: 960,
  Removable: false,
  Serial: null,
  Vendor: "O'Neill",
  Status: { State: 'Enabled', Health: 'OK' },
  Purposes: ['Security', 'Operations'],
  Temperatures: [{ ReadingCelsius: 30 }, { ReadingCelsius: 55.5 }],
}

test.each([
  ["Id eq 'Disk-1'", true],
  ["Id eq 'disk-1'", false],
  ["Id ne 'Disk-2'", true],
  ["Id ne 'Disk-1'", false],
  ["Vendor eq 'O''Neill'", true],
  ['CapacityBytes eq 960', true],
  ['CapacityBytes eq 960.0', true],
  ['CapacityBytes gt 959', true],
  ['CapacityBytes gt 960', false],
  ['CapacityBytes ge 960', true],
  ['CapacityBytes ge 961', false],
  ['CapacityBytes lt 961', true],
  ['CapacityBytes lt 960', false],
  ['CapacityBytes le 960', true],
  ['CapacityBytes le 959', false],
  ['CapacityBytes gt -1e3', true],
  ['960 eq CapacityBytes', true],
  ["CapacityBytes eq '960'", false],
  ["CapacityBytes gt '1'", false],
  ['Removable eq false', true],
  ['Removable ne true', true],
  ['Serial eq null', true],
  ['Id eq null', false],
  ['Id ne null', true],
  ['NoSuchProperty eq null', true],
  ['NoSuchProperty ne 1', true],
  ['NoSuchProperty lt 1', false],
  ['constructor eq null', true],
  ["Status/Health eq 'OK'", true],
  ["Status/Health/Deeper eq 'OK'", false],
  ["Purposes eq 'Operations'", true],
  ["Purposes eq 'Diagnostic'", false],
  ["Purposes ne 'Operations'", false],
  ['Temperatures/ReadingCelsius gt 50', true],
  ['Temperatures/ReadingCelsius gt 60', false],
  // `and` binds closer than `or`; the other way round this is false
  ["Id eq 'Disk-1' or Id eq 'x' and Id eq 'y'", true],
  ["(Id eq 'Disk-1' or Id eq 'x') and Id eq 'y'", false],
  ["not (Id eq 'x')", true],
  ["not Id eq 'x'", true],
  ["not Id eq 'x' and Id eq 'y'", false],
  ["not (not (Id eq 'Disk-1'))", true],
  ["Id  eq 'Disk-1'and(Removable eq false)  ", true],
])('%s is %s of the disk', (expression, expected) => {
  const filter = parseFilter(expression)
  expect(filter && fits(filter, disk)).toBe(expected)
})

test.each([
  '',
  ' ',
  'Id',
  "Id = 'x'",
  "Id eq 'x",
  "Id eq x'",
  "Id eq 'x' and",
  "and Id eq 'x'",
  "Id eq 'x' xor Id eq 'y'",
  "(Id eq 'x'",
  "Id eq 'x')",
  '()',
  'not',
  'Id eq 1 2',
  'Id eq 1.',
  'Id eq 1a',
  'Id eq ()',
  '/Id eq 1',
  'Status//Health eq 1',
  'Id eq 1; drop',
  'A eq B eq C',
])('%j is no expression', (expression) => {
  expect(parseFilter(expression)).toBeUndefined()
})

test('parentheses go 31 deep and no deeper', () => {
  const nested = (depth: number) => `${'('.repeat(depth)}Id eq 'Disk-1'${')'.repeat(depth)}`
  const filter = parseFilter(nested(31))
  expect(filter && fits(filter, disk)).toBe(true)
  expect(parseFilter(nested(32))).toBeUndefined()
  expect(parseFilter(nested(30_000))).toBeUndefined()
  expect(parseFilter(`${'not '.repeat(15_000)}Id eq 1`)).toBeUndefined()
})
