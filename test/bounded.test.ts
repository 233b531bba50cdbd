import { expect, test } from 'vitest'
import { Bounded } from '../src/lib/bounded.ts'

test('keeps the newest: the oldest goes when there is one more', () => {
  const bounded = new Bounded<string, number>(2)
  bounded.set('a', 1)
  bounded.set('b', 2)
  expect([bounded.get('a'), bounded.get('b')]).toEqual([1, 2])
  bounded.set('c', 3)
  expect([bounded.get('a'), bounded.get('b'), bounded.get('c')]).toEqual([undefined, 2, 3])
})

test('what is put in again is new again, and takes no more room', () => {
  const bounded = new Bounded<string, number>(2)
  bounded.set('a', 1)
  bounded.set('b', 2)
  bounded.set('a', 3)
  expect([bounded.get('a'), bounded.get('b')]).toEqual([3, 2])
  bounded.set('c', 4)
  expect([bounded.get('a'), bounded.get('b'), bounded.get('c')]).toEqual([3, undefined, 4])
})
