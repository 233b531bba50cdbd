import { describe, expect, test, vi } from 'vitest'
import { deviceClock, systemClock, timestamp, VirtualClock } from '../src/lib/clock.ts'

const START = Date.UTC(2026, 0, 1)
const DAY_MS = 86_400_000

describe('a virtual clock', () => {
  test('stands still until it is moved', async () => {
    const clock = new VirtualClock()
    expect(clock.now()).toBe(START)
    await clock.advance(0)
    expect(clock.now()).toBe(START)
    await clock.advance(1_500)
    expect(clock.now()).toBe(START + 1_500)
  })

  test('fires in the order of time, and of asking where the time is the same', async () => {
    const clock = new VirtualClock()
    const fired: string[] = []
    for (const [name, ms] of [
      ['c', 30],
      ['a', 10],
      ['d', 30],
      ['b', 20],
    ] as const)
      clock.schedule(ms, () => fired.push(`${name} at ${clock.now() - START}`))
    await clock.advance(100)
    expect(fired).toEqual(['a at 10', 'b at 20', 'c at 30', 'd at 30'])
  })

  test('fires what is due, and not a millisecond earlier', async () => {
    const clock = new VirtualClock()
    const fired: number[] = []
    clock.schedule(10, () => fired.push(10))
    clock.schedule(-5, () => fired.push(0))
    await clock.advance(9)
    expect(fired).toEqual([0])
    await clock.advance(1)
    expect(fired).toEqual([0, 10])
  })

  test('lets what a timer sets in motion set timers of its own, at their time', async () => {
    const clock = new VirtualClock()
    const seen: number[] = []
    const work = (async () => {
      for (const ms of [10, 20, 30]) {
        await clock.sleep(ms)
        seen.push(clock.now() - START)
      }
    })()
    clock.schedule(25, () => seen.push(-25))
    await clock.advance(60)
    await work
    expect(seen).toEqual([10, -25, 30, 60])
  })

  test('does not fire what was cancelled', async () => {
    const clock = new VirtualClock()
    const fired: string[] = []
    const cancel = clock.schedule(10, () => fired.push('cancelled'))
    clock.schedule(10, () => fired.push('kept'))
    cancel()
    cancel()
    await clock.advance(20)
    expect(fired).toEqual(['kept'])
  })

  test('does not overtake work that is marked as real', async () => {
    const clock = new VirtualClock()
    const seen: string[] = []
    const work = (async () => {
      // A hundred turns of the event loop: far more than an unmarked promise would be waited for.
      await clock.io(turns(100))
      await clock.sleep(10)
      seen.push(`slept until ${clock.now() - START}`)
    })()
    clock.schedule(1_000, () => seen.push('late'))
    await clock.advance(1_000)
    await work
    expect(seen).toEqual(['slept until 10', 'late'])
  })

  test('hands on what marked work gives, and how it fails', async () => {
    const clock = new VirtualClock()
    expect(await clock.io(Promise.resolve(7))).toBe(7)
    await expect(clock.io(Promise.reject(new Error('disk')))).rejects.toThrow('disk')
    await clock.advance(1) // would hang if the failed work still counted
    expect(clock.now()).toBe(START + 1)
  })
})

describe.each([
  ['a virtual clock', () => new VirtualClock()],
  ['the system’s clock', () => systemClock],
])('sleep of %s', (_name, make) => {
  test('rejects with the reason when it is aborted, and before', async () => {
    const clock = make()
    const abort = new AbortController()
    const asleep = clock.sleep(DAY_MS, abort.signal).catch((error: unknown) => error)
    const reason = new Error('cancelled')
    abort.abort(reason)
    expect(await asleep).toBe(reason)
    await expect(clock.sleep(0, abort.signal)).rejects.toBe(reason)
  })

  test('makes an error of a reason that is none', async () => {
    await expect(make().sleep(DAY_MS, AbortSignal.abort('enough'))).rejects.toMatchObject({ cause: 'enough' })
  })
})

describe('a clock for devices', () => {
  test.each([
    [1, 1_000],
    [4, 250],
    [0.5, 2_000],
  ])('at speed %d sleeps a second in %d ms', async (speed, ms) => {
    const clock = new VirtualClock()
    let awake = false
    const asleep = deviceClock(clock, speed)
      .sleep(1_000)
      .then(() => (awake = true))
    await clock.advance(ms - 1)
    expect(awake).toBe(false)
    await clock.advance(1)
    expect(await asleep).toBe(true)
  })

  test('at speed max waits a turn of the event loop, and no time', async () => {
    const clock = new VirtualClock()
    const seen: string[] = []
    const asleep = deviceClock(clock, 'max')
      .sleep(DAY_MS)
      .then(() => seen.push('awake'))
    await Promise.resolve()
    expect(seen).toEqual([])
    await asleep
    expect(seen).toEqual(['awake'])
    expect(clock.now()).toBe(START)
  })

  test('can be aborted at any speed', async () => {
    for (const speed of [10, 'max'] as const) {
      const abort = new AbortController()
      const asleep = deviceClock(new VirtualClock(), speed).sleep(DAY_MS, abort.signal)
      const told = asleep.catch((error: unknown) => error)
      abort.abort(new Error('reset'))
      expect(await told).toMatchObject({ message: 'reset' })
      await expect(deviceClock(new VirtualClock(), speed).sleep(0, abort.signal)).rejects.toThrow('reset')
    }
  })
})

describe('the system’s clock', () => {
  // Node's own timers, moved by hand: nothing here waits.
  const withFakeTimers = async (run: () => Promise<void>): Promise<void> => {
    vi.useFakeTimers({ now: START, toFake: ['Date', 'setTimeout', 'clearTimeout'] })
    try {
      await run()
    } finally {
      vi.useRealTimers()
    }
  }

  test.each([
    ['longest that a timer can', 0x7fff_ffff],
    ['more than a timer can', 0x8000_0000],
    ['days', 60 * DAY_MS],
  ])('sleeps the %s, and no longer', async (_what, ms) => {
    await withFakeTimers(async () => {
      let awake = false
      const asleep = systemClock.sleep(ms).then(() => (awake = true))
      await vi.advanceTimersByTimeAsync(ms - 1)
      expect(awake).toBe(false)
      await vi.advanceTimersByTimeAsync(1)
      expect(await asleep).toBe(true)
      expect(systemClock.now()).toBe(START + ms)
    })
  })

  test('cancels a long delay in any of its steps', async () => {
    await withFakeTimers(async () => {
      const fired: string[] = []
      const [early, late] = ['early', 'late'].map((name) =>
        systemClock.schedule(60 * DAY_MS, () => fired.push(name)),
      )
      early?.()
      await vi.advanceTimersByTimeAsync(30 * DAY_MS)
      late?.()
      await vi.advanceTimersByTimeAsync(60 * DAY_MS)
      expect(fired).toEqual([])
      expect(vi.getTimerCount()).toBe(0)
    })
  })

  test('passes marked work through', async () => {
    const work = Promise.resolve(1)
    expect(systemClock.io(work)).toBe(work)
    expect(await work).toBe(1)
  })
})

test.each([
  [0, '1970-01-01T00:00:00Z'],
  [START + 999, '2026-01-01T00:00:00Z'],
  [START + 1_000, '2026-01-01T00:00:01Z'],
])('the timestamp of %d is %s', (ms, text) => {
  expect(timestamp(ms)).toBe(text)
})

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve))
}
