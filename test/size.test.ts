import { expect, test } from 'vitest'
import { parseSize } from '../src/lib/size.ts'

test.each([
  ['1', 1],
  ['10B', 10],
  ['3KiB', 3_072],
  ['64MiB', 67_108_864],
  ['4GiB', 4_294_967_296],
  ['', undefined],
  ['0', undefined],
  ['-1', undefined],
  ['1.5MiB', undefined],
  ['1 MiB', undefined],
  ['1MB', undefined],
  ['1mib', undefined],
])('the size %j means %s bytes', (text, sizeBytes) => {
  expect(parseSize(text)).toBe(sizeBytes)
})
