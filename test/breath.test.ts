import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { breathe } from '../src/lib/breath.ts'

const MANY = 60

/** What keeps the event loop from everything else for a while. */
function work(): void {
  for (const until = performance.now() + 1; performance.now() < until;);
}

/** Does so many portions one after another, many times at once; resolves to how many were done in each turn. */
async function portionsPerTurn(between: () => Promise<void> | undefined): Promise<number[]> {
  const turns = [0]
  const over = new AbortController()
  const count = async (): Promise<void> => {
    while (!over.signal.aborted) {
      await nextTurn()
      turns.push(0)
    }
  }
  const one = async (): Promise<void> => {
    for (let portion = 0; portion < 3; portion++) {
      const wait = between()
      if (wait !== undefined) await wait
      work()
      turns.push((turns.pop() ?? 0) + 1)
    }
  }
  const counted = count()
  await Promise.all(Array.from({ length: MANY }, one))
  over.abort()
  await counted
  return turns.filter((portions) => portions > 0)
}

test('many that breathe between their portions leave the event loop to others after a few', async () => {
  expect(Math.max(...(await portionsPerTurn(breathe)))).toBeLessThan(MANY / 2)
  expect(await portionsPerTurn(() => undefined)).toEqual([3 * MANY])
})

test('who waits is let on in order, each once', async () => {
  work()
  const order: number[] = []
  const one = async (n: number): Promise<void> => {
    await breathe()
    order.push(n)
  }
  const all = Array.from({ length: MANY }, (_, n) => n)
  await Promise.all(all.map(one))
  expect(order).toEqual(all)
})

test('who is alone need not wait in a turn that has only begun', async () => {
  await nextTurn()
  await nextTurn()
  expect(breathe()).toBeUndefined()
})
