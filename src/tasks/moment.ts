import type { Phase } from './phase.ts'
import type { Waiting } from './work.ts'

/** What work does at the moment, as far as it is not in its record. */
export interface Moment {
  readonly waiting: Waiting | undefined
  readonly goesOn: boolean
  readonly isHeld: boolean
  readonly isQueued: boolean
  readonly isCancelled: boolean
  /** Whether its records tell what an earlier run told, and this one has told nothing yet. */
  readonly isResumed: boolean
}

/** Work that has told nothing yet in this run. */
export function firstMoment(isResumed: boolean): Moment {
  return {
    waiting: undefined,
    goesOn: false,
    isHeld: false,
    isQueued: false,
    isCancelled: false,
    isResumed,
  }
}

/** What it comes to for whoever looks; `ofParts`: what its parts do, `told`: what its record tells, if that still counts. */
export function phaseAt(
  { waiting, goesOn, isHeld, isQueued, isCancelled }: Moment,
  ofParts: Phase | undefined,
  told: () => Phase | undefined,
): Phase {
  if (isCancelled) return 'cancelling'
  const known = ofParts ?? told()
  if (known !== undefined) return known
  if (isHeld) return 'held'
  if (isQueued) return 'queued'
  return goesOn ? 'continuing' : (waiting?.for ?? 'running')
}
