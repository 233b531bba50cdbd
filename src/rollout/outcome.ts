import type { LiveRollout } from './live.ts'
import { failFinally, succeed } from './moves.ts'
import { messageKey, retryDelay, type RetryRule } from './rules.ts'
import {
  type Attempt,
  type Failure,
  isUpdating,
  type Outcome,
  type PastAttempt,
  type TargetRecord,
} from './state.ts'

const HISTORY = 16

/** What becomes of a device when its operation has ended. */
export function endOperation(live: LiveRollout, target: TargetRecord, told: Outcome): void {
  const { attempt, state } = target
  if (attempt === undefined) return
  if (told.skip !== undefined && attempt.kind === 'Update')
    return live.putTarget({ ...target, attempt: undefined, state: 'Skipped', skip: told.skip })
  const outcome = judged(told, attempt)
  // One that was given up has its line already, and what it says is corrected.
  const past = attempt.deadline === undefined ? target.history.slice(0, -1) : target.history
  const history = pastAttempt({ ...target, history: past }, outcome, live.now)
  const ended: TargetRecord = { ...target, attempt: undefined, history }
  if (attempt.kind === 'RollBack') return endRollBack(live, ended, outcome)
  if (outcome.end === 'Succeeded') return succeed(live, ended)
  if (state !== 'Flashing') return live.putTarget(ended)
  const failure = failureOf(outcome)
  if (failure === undefined) live.putTarget({ ...ended, state: 'Cancelled' })
  else if (isRetried(live, ended, { failure, attempt })) {
    const notBefore = live.now + retryDelay(live.rules.retries, ended.tries)
    live.putTarget({ ...ended, failure, state: 'WaitingForRetry', notBefore })
  } else failFinally(live, ended, failure)
}

type Judged = Pick<PastAttempt, 'end' | 'failure' | 'bytes'>

/** What was told to end because it took too long has not ended for another reason. */
function judged(outcome: Outcome, { cancel }: Attempt): Judged {
  if (cancel !== 'Timeout' || outcome.end === 'Succeeded') return outcome
  return { ...outcome, end: 'TimedOut', failure: { ...outcome.failure, stage: 'Timeout' } }
}

/** The device's history with what was done last. */
export function pastAttempt(
  { attempt, history }: TargetRecord,
  { end, failure, bytes }: Judged,
  endedAt: number,
): readonly PastAttempt[] {
  if (attempt === undefined) return history
  const { operation, kind, startedAt } = attempt
  return [...history.slice(1 - HISTORY), { operation, kind, startedAt, endedAt, end, failure, bytes }]
}

function endRollBack(live: LiveRollout, target: TargetRecord, { end, failure }: Judged): void {
  if (end === 'Succeeded') live.putTarget({ ...target, state: 'RolledBack', rollBackFailure: undefined })
  else
    live.putTarget({ ...target, state: 'RollbackFailed', rollBackFailure: failure ?? { stage: 'Activate' } })
}

/** Why it failed; `undefined`: it did not, somebody has cancelled it. */
function failureOf({ end, failure }: Judged): Failure | undefined {
  if (end === 'Cancelled') return undefined
  return failure ?? { stage: 'Activate' }
}

function isRetried(
  live: LiveRollout,
  { tries }: TargetRecord,
  { failure, attempt }: { readonly failure: Failure; readonly attempt: Attempt },
): boolean {
  const { retries } = live.rules
  if (!isUpdating(live.head.state) || attempt.cancel === 'Cancel' || tries > retries.max) return false
  return isWorthIt(retries, failure)
}

function isWorthIt({ keys, stages }: RetryRule, { stage, message, why = [] }: Failure): boolean {
  if (keys === undefined && stages === undefined) return true
  const told = message === undefined ? why : [message, ...why]
  return told.some(({ MessageId }) => keys?.has(messageKey(MessageId))) || stages?.has(stage) === true
}
