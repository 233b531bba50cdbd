import { unlessAborted } from '../../lib/abort.ts'
import { fail, type Result } from '../../lib/result.ts'
import { type Following, OBSERVED, PATIENCE_MS } from './follow.ts'
import type { MqttProblem } from './questions.ts'

type Reach = Pick<Following, 'clock' | 'manager'>

/** One that is there and does not answer may be about to boot: it is asked again this much later. */
const AGAIN_MS = 5_000

/** Has a device tell what it does, as soon as it is there again: with a problem where that takes too long. */
export async function observeWhenHere(
  reach: Reach,
  key: string,
  signal: AbortSignal,
): Promise<Result<void, MqttProblem>> {
  const { clock, manager } = reach
  for (const since = clock.now(); ;) {
    const here = await untilHere(reach, key, signal)
    if (!here.ok) return here
    const observed = await manager.observe(key, OBSERVED, signal)
    const isAway = !observed.ok && observed.problem.kind === 'unreachable'
    if (!isAway || clock.now() - since >= PATIENCE_MS) return observed
    await clock.sleep(AGAIN_MS, signal)
  }
}

/**
 * Resolves when a device is managed and awake; with a problem where it is not managed, or not heard of again after a
 * restart, for too long. One that is dormant is waited for as long as it takes.
 */
export async function untilHere(
  { clock, manager }: Reach,
  key: string,
  signal: AbortSignal,
): Promise<Result<void, MqttProblem>> {
  if (manager.device(key)?.isDormant === false) return { ok: true, value: undefined }
  const { promise, resolve } = Promise.withResolvers<Result<void, MqttProblem>>()
  const look = (): void => {
    if (manager.device(key)?.isDormant === false) resolve({ ok: true, value: undefined })
  }
  const cancelTimer = clock.schedule(PATIENCE_MS, () => {
    const device = manager.device(key)
    if (device === undefined) resolve(fail({ kind: 'unreachable', detail: `${key} is not managed` }))
    if (device?.isMissing === true)
      resolve(fail({ kind: 'unreachable', detail: `${key} has not been heard of again` }))
  })
  const unwatch = manager.watch(({ kind }) => {
    if (kind === 'unmanaged') resolve(fail({ kind: 'unreachable', detail: `${key} is managed no more` }))
    else look()
  }, key)
  try {
    return await unlessAborted(promise, signal)
  } finally {
    cancelTimer()
    unwatch()
  }
}
