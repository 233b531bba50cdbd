import { expect, test } from 'vitest'
import { readRaw } from '../src/image/formats/raw.ts'
import { readWith } from '../src/image/reading.ts'
import { createDigests } from '../src/image/digests/stream-digests.ts'
import { systemClock } from '../src/lib/clock.ts'
import { withinTime } from '../src/lib/within-time.ts'

test('what ends is what it returns, and what throws throws', () => {
  expect(withinTime(() => 'found', 1_000)).toBe('found')
  expect(withinTime(() => undefined, 1_000)).toBeUndefined()
  expect(() =>
    withinTime(() => {
      throw new Error('a bug')
    }, 1_000),
  ).toThrow('a bug')
})

test('what does not end is cut short, and the next is not', () => {
  expect(withinTime(() => /(a+)+$/.exec(`${'a'.repeat(60)}b`)?.[0], 20)).toBe('too-long')
  expect(withinTime(() => /a+$/.exec('aaa')?.[0], 1_000)).toBe('aaa')
})

test('a pattern that looks back for ever finds nothing, and keeps nobody from being found', async () => {
  const rules = [
    { component: 'slow', version: /(a+)+!/gu },
    { component: 'quick', version: /version (\d+)/gu },
  ]
  const reader = readWith((image) => readRaw(image, rules), createDigests(systemClock))
  await reader.write(Buffer.from(`${'a'.repeat(1_000)} version 7 `))
  const read = await reader.end()
  expect(read).toMatchObject({ ok: true, value: { components: [{ name: 'quick', version: '7' }] } })
})
