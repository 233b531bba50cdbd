import type { Job, JobState } from '../../bmc/state.ts'
import type { LiveRollout } from '../../rollout/live.ts'
import type { Tally } from '../../rollout/tally.ts'
import { percentOf } from '../../rollout/progress.ts'
import { sizeOf } from '../../rollout/settle.ts'
import type { RolloutHead, TargetRecord, TargetState, WaveRecord } from '../../rollout/state.ts'

/** What of a job says how the work goes. */
export type Shown = Pick<Job, 'state' | 'percent' | 'startTime' | 'endTime'>

const running: Shown['state'] = 'Running'

/** A device as a step. */
export function shownTarget(target: TargetRecord, now: number): Shown {
  const { history, attempt, notBefore } = target
  const state = stepState(target)
  const isOver = isEnd(state)
  return {
    state,
    percent: state === 'Completed' ? 100 : 0,
    startTime: history[0]?.startedAt ?? attempt?.startedAt ?? notBefore,
    endTime: isOver ? (history.at(-1)?.endedAt ?? now) : undefined,
  }
}

const stepStates: Readonly<Record<Exclude<TargetState, 'RolledBack'>, JobState>> = {
  Pending: 'New',
  WaitingForWindow: 'Pending',
  WaitingForRetry: 'Pending',
  Flashing: 'Running',
  WaitingForRollBack: 'Pending',
  RollingBack: 'Running',
  Succeeded: 'Completed',
  Failed: 'Exception',
  TimedOut: 'Exception',
  Skipped: 'Completed',
  Cancelled: 'Cancelled',
  RollbackFailed: 'Exception',
}

/** One that was brought back did not fail, unless that is why. */
function stepState({ state, failure }: TargetRecord): JobState {
  if (state !== 'RolledBack') return stepStates[state]
  return failure === undefined ? 'Cancelled' : 'Exception'
}

/** A wave as a job: over when nothing more comes of its devices. */
export function shownWave(live: LiveRollout, wave: WaveRecord): Shown {
  const { index, openedAt, readyAt, endedAt } = wave
  const tally = live.tallyOf(index)
  const state = waveState(live, wave, tally)
  return {
    state,
    percent: percentOf(tally),
    startTime: openedAt ?? readyAt,
    endTime: isEnd(state) ? (endedAt ?? live.now) : undefined,
  }
}

function waveState({ head }: LiveRollout, { state }: WaveRecord, tally: Tally): JobState {
  switch (state) {
    case 'Pending':
      return 'New'
    case 'WaitingForApproval':
      return 'UserIntervention'
    case 'Delayed':
      return 'Pending'
    case 'Running':
      return head.pause === undefined ? running : 'Suspended'
    case 'Cancelled':
      return tally.open > 0 ? running : 'Cancelled'
    case 'Completed':
      if (tally.open > 0) return running
      return endOf(tally)
  }
}

/** How those ended of whom nothing more comes. */
function endOf(tally: Tally): JobState {
  const { counts, failed } = tally
  if (failed > 0 || counts.RollbackFailed > 0) return 'Exception'
  return sizeOf(tally) > 0 && counts.Succeeded === 0 ? 'Cancelled' : 'Completed'
}

/** The whole. */
export function shownRollout(live: LiveRollout): Shown {
  const { head, waves, all } = live
  const state = wholeState(head, all)
  return {
    state,
    percent: percentOf(all),
    startTime: waves[0]?.openedAt ?? waves[0]?.readyAt ?? head.beganAt,
    endTime: isEnd(state) ? head.endedAt : undefined,
  }
}

function wholeState({ state }: RolloutHead, all: Tally): JobState {
  switch (state) {
    case 'New':
      return 'New'
    case 'Scheduled':
      return 'Pending'
    case 'WaitingForApproval':
      return 'UserIntervention'
    case 'Running':
    case 'Stopping':
    case 'RollingBack':
      return running
    case 'Paused':
      return 'Suspended'
    case 'Completed':
      return 'Completed'
    case 'Failed':
      return 'Exception'
    case 'Cancelled':
      return 'Cancelled'
    case 'RolledBack':
      return endOf(all)
  }
}

function isEnd(state: JobState): boolean {
  return state === 'Completed' || state === 'Exception' || state === 'Cancelled'
}
