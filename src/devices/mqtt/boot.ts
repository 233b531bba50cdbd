import { unlessAborted } from '../../lib/abort.ts'
import type { Clock } from '../../lib/clock.ts'
import { fail, type Result, succeed } from '../../lib/result.ts'
import type { Action } from './actions.ts'
import type { ManagedDevices } from './manager.ts'
import type { MqttProblem } from './questions.ts'

export interface Booting {
  readonly manager: ManagedDevices
  readonly clock: Clock
  readonly key: string
  readonly action: Extract<Action, `device/${string}`>
  /** How long a device may take to come back. */
  readonly patienceMs: number
}

/** Has a device boot, and waits until it asks to be managed again: that ends it, whether or not it answered before. */
export async function bootAgain(
  { manager, clock, key, action, patienceMs }: Booting,
  signal: AbortSignal,
): Promise<Result<void, MqttProblem>> {
  const { promise: isBack, resolve } = Promise.withResolvers<Result<void, MqttProblem>>()
  const lose = (detail: string): void => resolve(fail({ kind: 'unreachable', detail: `${key} ${detail}` }))
  const unwatch = manager.watch(({ kind }) => {
    if (kind === 'managed') resolve(succeed(undefined))
  }, key)
  const close = (): void => lose('is not asked any more')
  manager.closed.addEventListener('abort', close, { once: true })
  const cancelTimer = clock.schedule(patienceMs, () => lose('has not come back'))
  try {
    const [answer] = await manager.initiate(action, [key], signal)
    // One that boots at once may have no time for an answer.
    const isRefused = answer?.ok === false && answer.problem.kind !== 'unreachable'
    if (isRefused) return answer
    if (answer?.ok === false) resolve(answer)
    return await unlessAborted(isBack, signal)
  } finally {
    cancelTimer()
    unwatch()
    manager.closed.removeEventListener('abort', close)
  }
}
