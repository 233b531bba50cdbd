import { rollOutDeviceStates } from '../redfish/oem/types.ts'
import { hasFailed, isFinal, type TargetRecord, type TargetState } from './state.ts'

/** How many devices are in which state. */
export interface Tally {
  readonly counts: Record<TargetState, number>
  total: number
  /** For the thresholds. */
  failed: number
  /** Those of whom more will be heard. */
  open: number
}

export function newTally(): Tally {
  const counts = Object.fromEntries(rollOutDeviceStates.map((state) => [state, 0])) as Record<
    TargetState,
    number
  >
  return { counts, total: 0, failed: 0, open: 0 }
}

export function count(tally: Tally, target: TargetRecord, by: 1 | -1): void {
  tally.counts[target.state] += by
  tally.total += by
  if (hasFailed(target)) tally.failed += by
  if (!isFinal(target.state)) tally.open += by
}
