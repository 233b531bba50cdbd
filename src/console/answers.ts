import type { DeviceProblem } from '../devices/device.ts'
import { unlessAborted } from '../lib/abort.ts'
import type { Clock } from '../lib/clock.ts'
import { fail, type Result } from '../lib/result.ts'

export interface Waiting {
  readonly clock: Clock
  /** For so long, in milliseconds. */
  readonly waitMs: number
  readonly signal: AbortSignal
  /** Told of bugs. */
  readonly failed: (error: unknown) => void
}

/** What a device answers; one that hangs, or whose adapter has a bug, was not reached. */
export async function answerOf<T>(
  ask: (signal: AbortSignal) => Promise<Result<T, DeviceProblem>>,
  { clock, waitMs, signal, failed }: Waiting,
): Promise<Result<T, DeviceProblem>> {
  const late = new AbortController()
  const cancel = clock.schedule(waitMs, () => late.abort(new Error('late')))
  try {
    const either = AbortSignal.any([signal, late.signal])
    return await clock.io(unlessAborted(ask(either), either))
  } catch (error) {
    signal.throwIfAborted()
    if (late.signal.aborted)
      return fail({ kind: 'unreachable', detail: `it has said nothing for ${waitMs / 1_000} seconds` })
    failed(error)
    const why = error instanceof Error ? error.message : String(error)
    return fail({ kind: 'failed', detail: `the adapter failed: ${why}` })
  } finally {
    cancel()
  }
}
