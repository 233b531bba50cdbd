import { describe, expect, onTestFinished, test } from 'vitest'
import type { DeliveryRetryPolicy } from '../../src/bmc/subscription.ts'
import { type KeptOutbox, LOST, type Waiting } from '../../src/events/kept.ts'
import { Outbox } from '../../src/events/outbox.ts'
import { Background } from '../../src/lib/background.ts'
import { VirtualClock } from '../../src/lib/clock.ts'

const INTERVAL_MS = 1_000
const LONG_MS = 10 * INTERVAL_MS

/** An outbox to a receiver that answers as `takes` says, two attempts after the first. */
function startOutbox(
  takes: (body: string) => boolean | Promise<boolean>,
  policy: DeliveryRetryPolicy = 'SuspendRetries',
  left?: KeptOutbox,
) {
  const kept = new Map<string, unknown>(left?.waiting)
  const clock = new VirtualClock()
  const background = new Background((error) => {
    throw error
  })
  onTestFinished(() => background.close())
  const sent: string[] = []
  const times: number[] = []
  const start = clock.now()
  let exhausted = 0
  let dropped = 0
  const outbox = new Outbox({
    clock,
    background,
    send: async (body, signal) => {
      sent.push(body)
      times.push(clock.now() - start)
      const isTaken = await takes(body)
      signal.throwIfAborted()
      return isTaken
    },
    rules: () => ({ attempts: 2, intervalMs: INTERVAL_MS, policy }),
    exhausted: () => {
      exhausted += 1
    },
    dropped: () => {
      dropped += 1
    },
    lossNotice: () => 'lost',
    keep: (number, value) => void (value === undefined ? kept.delete(number) : kept.set(number, value)),
    kept: left,
  })
  return { outbox, clock, sent, times, kept, exhausted: () => exhausted, dropped: () => dropped }
}

test('an outbox sends in order, the next only when the one before has been taken', async () => {
  let isDown = true
  const { outbox, clock, sent } = startOutbox((body) => body !== 'b' || !isDown)
  for (const body of ['a', 'b', 'c']) outbox.push(body)
  await clock.advance(1)
  expect(sent).toEqual(['a', 'b'])
  isDown = false
  await clock.advance(INTERVAL_MS)
  expect(sent).toEqual(['a', 'b', 'b', 'c'])
})

test('attempts that are used up end the sending, and what was not taken waits', async () => {
  let isDown = true
  const { outbox, clock, sent, times, exhausted } = startOutbox(() => !isDown)
  outbox.push('a')
  outbox.push('b')
  await clock.advance(LONG_MS)
  expect(sent).toEqual(['a', 'a', 'a'])
  expect(times).toEqual([0, INTERVAL_MS, 2 * INTERVAL_MS])
  expect(exhausted()).toBe(1)
  outbox.suspend()
  isDown = false
  outbox.resume()
  await clock.advance(1)
  expect(sent.slice(3)).toEqual(['a', 'b'])
})

test('who retries for ever does so at the same pace, or at half the pace each time', async () => {
  const forever = startOutbox(() => false, 'RetryForever')
  forever.outbox.push('a')
  await forever.clock.advance(5 * INTERVAL_MS)
  expect(forever.times).toEqual([0, 1, 2, 3, 4, 5].map((n) => n * INTERVAL_MS))
  const backing = startOutbox(() => false, 'RetryForeverWithBackoff')
  backing.outbox.push('a')
  await backing.clock.advance(200 * INTERVAL_MS)
  expect(backing.times).toEqual([0, 1, 3, 7, 15, 31, 63, 127, 191].map((n) => n * INTERVAL_MS))
  expect([forever.exhausted(), backing.exhausted()]).toEqual([0, 0])
})

test('what waits is bounded: the oldest is lost, and that is told first', async () => {
  let isDown = true
  const { outbox, clock, sent, dropped } = startOutbox(() => !isDown)
  outbox.suspend()
  for (let n = 1; n <= 501; n++) outbox.push(String(n))
  isDown = false
  outbox.resume()
  await clock.advance(1)
  expect(sent.slice(0, 3)).toEqual(['lost', '2', '3'])
  expect(dropped()).toBe(1)
  expect(sent).toHaveLength(501)
})

test('nothing is said to be lost at the bound itself', async () => {
  const { outbox, clock, sent } = startOutbox(() => true)
  outbox.suspend()
  for (let n = 1; n <= 500; n++) outbox.push(String(n))
  outbox.resume()
  await clock.advance(1)
  expect(sent).toEqual(Array.from({ length: 500 }, (_, index) => String(index + 1)))
})

test('large events count by their bytes', async () => {
  const { outbox, clock, sent } = startOutbox(() => true)
  outbox.suspend()
  for (const letter of ['a', 'b', 'c', 'd', 'e']) outbox.push(letter.repeat(2 ** 18))
  outbox.resume()
  await clock.advance(1)
  expect(sent.map((body) => body.slice(0, 4))).toEqual(['lost', 'bbbb', 'cccc', 'dddd', 'eeee'])
})

test('who resumes may leave behind what is older than it says', async () => {
  const { outbox, clock, sent } = startOutbox(() => true)
  outbox.suspend()
  outbox.push('old')
  await clock.advance(5_000)
  outbox.push('new')
  outbox.resume(4_999)
  await clock.advance(1)
  expect(sent).toEqual(['new'])
  outbox.suspend()
  outbox.push('never')
  outbox.resume(0)
  await clock.advance(1)
  expect(sent).toEqual(['new'])
})

test('what is suspended on its way is sent again, before what came after it', async () => {
  const answers: ((isTaken: boolean) => void)[] = []
  const { outbox, clock, sent } = startOutbox(() => new Promise((resolve) => answers.push(resolve)))
  outbox.push('a')
  outbox.push('b')
  await clock.advance(1)
  outbox.suspend()
  outbox.resume()
  await clock.advance(1)
  expect(sent).toEqual(['a', 'a'])
  for (const answer of answers.splice(0)) answer(true)
  await clock.advance(1)
  expect(sent).toEqual(['a', 'a', 'b'])
  for (const answer of answers) answer(true)
})

test('a closed outbox sends nothing more', async () => {
  const { outbox, clock, sent } = startOutbox(() => false)
  outbox.push('a')
  outbox.push('b')
  await clock.advance(1)
  outbox.close()
  await clock.advance(LONG_MS)
  expect(sent).toEqual(['a'])
})

describe('an outbox keeps', () => {
  const bodies = (kept: ReadonlyMap<string, unknown>) =>
    [...kept].map(([number, value]) => (value === true ? number : (value as Waiting).body))

  test('what waits and what is on its way, until it was taken', async () => {
    const answers: ((isTaken: boolean) => void)[] = []
    const { outbox, clock, kept } = startOutbox(() => new Promise((resolve) => answers.push(resolve)))
    for (const body of ['a', 'b', 'c']) outbox.push(body)
    await clock.advance(1)
    expect(bodies(kept)).toEqual(['a', 'b', 'c'])
    answers.shift()?.(true)
    await clock.advance(1)
    expect(bodies(kept)).toEqual(['b', 'c'])
    answers.shift()?.(false)
    await clock.advance(1)
    expect(bodies(kept)).toEqual(['b', 'c'])
    outbox.close()
    expect(bodies(kept)).toEqual(['b', 'c'])
    for (const answer of answers) answer(true)
  })

  test('nothing that is given up: too old, or its subscriber is gone', async () => {
    const { outbox, clock, kept } = startOutbox(() => false, 'RetryForever')
    outbox.push('old')
    outbox.suspend()
    await clock.advance(5_000)
    outbox.push('new')
    outbox.resume(4_999)
    await clock.advance(1)
    expect(bodies(kept)).toEqual(['new'])
    outbox.discard()
    expect(bodies(kept)).toEqual([])
  })

  test('that something was lost, until that was taken, and what gave way no longer', async () => {
    const answers: ((isTaken: boolean) => void)[] = []
    const { outbox, clock, sent, kept } = startOutbox(() => new Promise((resolve) => answers.push(resolve)))
    outbox.suspend()
    for (let n = 1; n <= 501; n++) outbox.push(String(n))
    expect(kept.has('1')).toBe(false)
    expect(kept.get(LOST)).toBe(true)
    outbox.resume()
    await clock.advance(1)
    expect(sent).toEqual(['lost'])
    expect(kept.has(LOST)).toBe(true)
    // Meanwhile another one gives way.
    outbox.push('502')
    answers.shift()?.(true)
    await clock.advance(1)
    expect(sent).toEqual(['lost', 'lost'])
    expect(kept.has(LOST)).toBe(true)
    answers.shift()?.(true)
    await clock.advance(1)
    expect(sent.at(-1)).toBe('3')
    expect(kept.has(LOST)).toBe(false)
    outbox.discard()
    expect(kept.size).toBe(0)
    for (const answer of answers) answer(true)
  })

  test('nothing of a loss when all that came after it was given up, too', async () => {
    const { outbox, clock, sent, kept } = startOutbox(() => true)
    outbox.suspend()
    for (let n = 1; n <= 501; n++) outbox.push(String(n))
    outbox.resume(0)
    await clock.advance(1)
    expect([sent, kept.size]).toEqual([[], 0])
  })
})

describe('what an outbox kept', () => {
  const waiting = (...bodies: string[]): KeptOutbox['waiting'] =>
    bodies.map((body, index) => [String(index + 7), { body, at: 0 }])

  test('is sent in order when it is resumed, before what is new', async () => {
    const { outbox, clock, sent, kept } = startOutbox(() => true, 'SuspendRetries', {
      waiting: waiting('a', 'b'),
      hasLost: false,
    })
    await clock.advance(1)
    expect(sent).toEqual([])
    outbox.suspend()
    outbox.push('c')
    expect([...kept.keys()]).toEqual(['7', '8', '9'])
    outbox.resume()
    await clock.advance(1)
    expect(sent).toEqual(['a', 'b', 'c'])
    expect(kept.size).toBe(0)
  })

  test('begins with what was lost', async () => {
    const { outbox, clock, sent } = startOutbox(() => true, 'SuspendRetries', {
      waiting: waiting('a'),
      hasLost: true,
    })
    outbox.resume()
    await clock.advance(1)
    expect(sent).toEqual(['lost', 'a'])
  })

  test('counts for the bound: the one on its way beside it', async () => {
    const all = Array.from({ length: 501 }, (_, index) => String(index + 1))
    const { outbox, clock, sent, dropped } = startOutbox(() => false, 'RetryForever', {
      waiting: waiting(...all),
      hasLost: false,
    })
    outbox.resume()
    expect(dropped()).toBe(0)
    outbox.push('new')
    expect(dropped()).toBe(1)
    await clock.advance(1)
    expect(sent).toEqual(['1'])
  })
})
