import type { ReceivedImage } from '../../image/receive.ts'
import type { Changes } from '../../rollout/live.ts'
import type { RolloutRun } from '../../rollout/run.ts'
import type { RolloutEvent } from '../../rollout/step.ts'
import type { Projected, StepPlace } from './projection.ts'

/** A roll-out that is kept, and goes on where there is anything left to do. */
export interface Carried extends Projected {
  readonly run: RolloutRun
  readonly waveIds: string[]
  readonly steps: Map<string, StepPlace>
  image: ReceivedImage | undefined
}

/** Tells it what happened; that it goes on no more is told by what ended it. */
export function hear({ run }: Carried, event: RolloutEvent): void {
  run.send(event).catch(() => {})
}

/** Where one has ended with a device, another may begin with one of its own: their limits are those of all. */
export function makeRoom(all: Iterable<Carried>, ended: Carried, { targets }: Changes): void {
  if (targets.every(({ attempt }) => attempt?.deadline !== undefined)) return
  for (const other of all)
    if (other !== ended && other.live.head.endedAt === undefined) hear(other, { kind: 'Tick' })
}
