import { describe, expect, test } from 'vitest'
import { rangeOf } from '../src/http/range.ts'

const image = { sizeBytes: 100, etag: '"abc"' }

describe('a Range header', () => {
  test.each([
    ['bytes=0-0', 0, 1],
    ['bytes=0-99', 0, 100],
    ['bytes=99-99', 99, 100],
    ['bytes=10-19', 10, 20],
    ['bytes=10-', 10, 100],
    ['bytes=10-1000', 10, 100],
    ['bytes=10-99999999999999999999999', 10, 100],
    ['bytes=-1', 99, 100],
    ['bytes=-100', 0, 100],
    ['bytes=-101', 0, 100],
    ['Bytes=10-19', 10, 20],
    ['bytes= 10-19 ', 10, 20],
  ])('%s asks for the bytes from %i to before %i', (range, start, end) => {
    expect(rangeOf({ range }, image)).toEqual({ start, end })
  })

  test.each(['bytes=100-', 'bytes=100-200', 'bytes=99999999999999999999999-', 'bytes=-0'])(
    '%s asks for what is not there',
    (range) => {
      expect(rangeOf({ range }, image)).toBe('unsatisfiable')
    },
  )

  test.each([
    undefined,
    '',
    'bytes',
    'bytes=',
    'bytes=-',
    'bytes=a-b',
    'bytes=1.5-2',
    'bytes=20-10',
    'bytes=+1-2',
    'bytes=0-1,5-6',
    'pages=1-2',
    '0-1',
    'bytes=0-1; x',
  ])('%s asks for the whole', (range) => {
    expect(rangeOf({ range }, image)).toBeUndefined()
  })

  test('of an empty representation can ask for nothing', () => {
    const empty = { ...image, sizeBytes: 0 }
    expect(rangeOf({ range: 'bytes=0-' }, empty)).toBe('unsatisfiable')
    expect(rangeOf({ range: 'bytes=-1' }, empty)).toBe('unsatisfiable')
  })

  test.each([
    ['"abc"', { start: 1, end: 3 }],
    ['"abd"', undefined],
    ['W/"abc"', undefined],
    ['abc', undefined],
    ['"abd", "abc"', undefined],
    ['Thu, 01 Jan 2026 00:00:00 GMT', undefined],
    [['"abc"'], undefined],
  ])('counts only where If-Range %j is the state that there is', (condition, part) => {
    expect(rangeOf({ range: 'bytes=1-2', 'if-range': condition }, image)).toEqual(part)
  })
})
