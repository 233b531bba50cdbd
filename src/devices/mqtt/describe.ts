import type { Clock } from '../../lib/clock.ts'
import type { Result } from '../../lib/result.ts'
import type { Field } from './attributes.ts'
import type { ManagedDevices } from './manager.ts'
import type { MqttProblem } from './questions.ts'

export interface Describing {
  readonly manager: ManagedDevices
  readonly clock: Clock
  readonly key: string
  readonly field: Field
}

/** How long after one another a busy device is asked. */
const BUSY_MS = { first: 100, longest: 30_000 }

/** Tells a device of an image. One that is busy with what nobody wants any more is asked again. */
export async function describe(
  { manager, clock, key, field }: Describing,
  signal: AbortSignal,
): Promise<Result<void, MqttProblem>> {
  for (let waitMs = BUSY_MS.first; ; waitMs *= 2) {
    const written = await manager.write(key, [field], signal)
    if (written.ok || written.problem.kind !== 'busy' || waitMs > BUSY_MS.longest) return written
    await clock.sleep(waitMs, signal)
  }
}
