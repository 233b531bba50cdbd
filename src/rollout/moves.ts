import { message } from '../redfish/messages/message.ts'
import type { LiveRollout } from './live.ts'
import {
  type Attempt,
  type EndState,
  type Failure,
  hasFailed,
  isUpdating,
  type RollBackScope,
  type RolloutHead,
  type TargetRecord,
} from './state.ts'

/** How long a device has to end when it was told to, before it is given up. */
export const GRACE_MS = 60_000

/** What is to be done when a step's changes are kept. */
export type Effect =
  | { readonly kind: 'StartFlash' | 'StartRollBack'; readonly target: string; readonly operation: string }
  | { readonly kind: 'CancelFlash'; readonly target: string; readonly operation: string }
  /** How did it end, if it was started at all? */
  | { readonly kind: 'Ask'; readonly target: string; readonly operation: string }
  /** Nothing comes of time alone before; `undefined`: nothing at all. */
  | { readonly kind: 'WakeAt'; readonly at: number | undefined }

/** Gives a device its next operation; what it is kept under is known before anything is done. */
export function startOperation(live: LiveRollout, target: TargetRecord, effects: Effect[]): void {
  const kind = target.state === 'WaitingForRollBack' ? 'RollBack' : 'Update'
  const operations = target.operations + 1
  const operation = `${live.base.id}-${target.id}-${operations}`
  const deadline = live.now + live.rules.timeoutMs
  live.putTarget({
    ...target,
    state: kind === 'Update' ? 'Flashing' : 'RollingBack',
    tries: target.tries + (kind === 'Update' ? 1 : 0),
    operations,
    attempt: { operation, kind, startedAt: live.now, deadline },
  })
  effects.push({ kind: kind === 'Update' ? 'StartFlash' : 'StartRollBack', target: target.id, operation })
}

/** Asks what goes on at a device to end before its time. */
export function cancelOperation(
  live: LiveRollout,
  target: TargetRecord,
  { attempt, effects }: { readonly attempt: Attempt; readonly effects: Effect[] },
): void {
  live.putTarget({ ...target, attempt })
  effects.push({ kind: 'CancelFlash', target: target.id, operation: attempt.operation })
}

/** Its update failed for good, unless somebody asks for another. */
export function failFinally(live: LiveRollout, target: TargetRecord, failure: Failure): void {
  const state = failure.stage === 'Timeout' ? 'TimedOut' : 'Failed'
  const failed: TargetRecord = { ...target, state, failure, notBefore: undefined }
  const isToBeRolledBack = (live.rules.rollsBackFailed || isInScope(live, target)) && wasTouched(failed)
  live.putTarget(isToBeRolledBack ? { ...failed, state: 'WaitingForRollBack' } : failed)
}

/** Its update is well, and stays unless it is among what is rolled back. */
export function succeed(live: LiveRollout, target: TargetRecord): void {
  const state = isInScope(live, target) ? 'WaitingForRollBack' : 'Succeeded'
  live.putTarget({ ...target, state, failure: undefined })
}

/** Whether the roll-back that goes on covers a device whose update ends only now. */
function isInScope({ head }: LiveRollout, { wave }: TargetRecord): boolean {
  if (head.state !== 'RollingBack' || head.rollBack === undefined) return false
  return head.rollBack.of === 'All' || (head.rollBack.of === 'Wave' && head.rollBack.wave === wave)
}

/** Whether there may be something to roll back: of what failed before it began there is nothing. */
function wasTouched({ operations, failure }: TargetRecord): boolean {
  return operations > 0 && failure?.stage !== 'Start'
}

/** Nothing begins any more. */
export function stop(live: LiveRollout, endsAs: EndState): void {
  live.setHead({ state: 'Stopping', endsAs, pause: undefined })
  cancelWaiting(live)
}

function cancelWaiting(live: LiveRollout): void {
  for (const target of live.targets.values()) {
    const waits = ['Pending', 'WaitingForWindow', 'WaitingForRetry'].includes(target.state)
    if (waits && target.failure !== undefined) failFinally(live, target, target.failure)
    else if (waits) live.putTarget({ ...target, state: 'Cancelled' })
  }
}

/** Rolls back what was updated, or was to be; of what goes on, the end is waited for. */
export function rollBack(live: LiveRollout, scope: RollBackScope, marked?: ReadonlySet<string>): void {
  live.setHead({ state: 'RollingBack', rollBack: scope, pause: undefined })
  cancelWaiting(live)
  for (const target of live.targets.values()) {
    const isMeant = scope.of === 'Marked' ? marked?.has(target.id) === true : isInScope(live, target)
    if (isMeant && canBeRolledBack(target)) live.putTarget({ ...target, state: 'WaitingForRollBack' })
  }
}

/** Whether devices may be updated once more: it was not taken back, and nothing of it stops. */
export function mayRetry({ state }: RolloutHead): boolean {
  return state === 'Completed' || state === 'Failed' || isUpdating(state)
}

/** Whether somebody may have devices brought back: nothing begins meanwhile. */
export function mayRollBack({ endedAt, pause }: RolloutHead): boolean {
  return endedAt !== undefined || pause !== undefined
}

export function canBeRolledBack(target: TargetRecord): boolean {
  const hasEnded = ['Succeeded', 'Failed', 'TimedOut', 'RollbackFailed'].includes(target.state)
  return hasEnded && target.attempt === undefined && wasTouched(target)
}

/** Whether it can be updated once more: it failed, and nothing of that goes on. */
export function canBeRetried(target: TargetRecord): boolean {
  const hasEnded = ['Failed', 'TimedOut', 'RolledBack', 'RollbackFailed'].includes(target.state)
  return hasEnded && hasFailed(target) && target.attempt === undefined
}

/** No window will ever open for it. */
export function skip(live: LiveRollout, target: TargetRecord): void {
  const why = message('Update.UpdateSkipped', target.uri, live.base.image)
  live.putTarget({ ...target, state: 'Skipped', skip: why })
}
