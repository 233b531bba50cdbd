import type { Job } from '../../bmc/state.ts'
import type { LiveRollout } from '../../rollout/live.ts'
import { isUpdating } from '../../rollout/state.ts'
import type { Wish } from '../../rollout/wish.ts'

/** What a client may make of the job of a roll-out. */
const moves = ['Continue', 'Running', 'Suspended', 'Cancelled'] as const
export type RolloutMove = (typeof moves)[number]

/** The JobState as such a move; `undefined`: it is none. */
export function rolloutMove(wanted: string): RolloutMove | undefined {
  return moves.find((one) => one === wanted)
}

/** What a client's word means; `undefined`: nothing, as things are. */
export function wishOf(live: LiveRollout, job: Job, wanted: RolloutMove): Wish | undefined {
  if (job.parent !== undefined) return undefined
  const isWaiting = job.state === 'UserIntervention'
  if (job.wave !== undefined)
    return isWaiting && wanted === 'Continue' ? { kind: 'Approved', wave: job.wave } : undefined
  const { head, opened } = live
  switch (wanted) {
    case 'Continue':
    case 'Running':
      if (isWaiting && wanted === 'Continue') return { kind: 'Approved', wave: opened }
      return head.pause === undefined ? undefined : { kind: 'Resume' }
    case 'Suspended':
      return isUpdating(head.state) && head.pause === undefined ? { kind: 'Pause' } : undefined
    case 'Cancelled':
      return head.endedAt === undefined && head.endsAs === undefined ? { kind: 'Cancel' } : undefined
  }
}
