import type { LiveRollout, Timer } from './live.ts'
import type { Tally } from './tally.ts'
import { cancelOperation, type Effect, GRACE_MS, rollBack, skip, startOperation, stop } from './moves.ts'
import { type FailureRule, numberOf } from './rules.ts'
import { pastAttempt } from './outcome.ts'
import { isUpdating, type RolloutState, type TargetRecord } from './state.ts'

/** What follows of the record and the time, but for those who could begin: until nothing more follows. */
export function settle(live: LiveRollout, effects: Effect[]): void {
  for (let timer = live.timers.peek(); timer && timer.at <= live.now; timer = live.timers.peek()) {
    live.timers.pop()
    fire(live, timer, effects)
  }
  let seen: number
  do {
    seen = live.revision
    judgeFailures(live)
    completeWaves(live)
    openWaves(live)
    endIfOver(live)
  } while (live.revision !== seen)
  const state = shownState(live)
  if (state !== live.head.state) live.setHead({ state })
}

/** Whether something is still due then. */
export function isDue({ targets }: LiveRollout, { at, of, id }: Timer): boolean {
  const target = targets.get(id)
  switch (of) {
    case 'attempt':
      return target?.attempt?.deadline === at
    case 'retry':
      return target?.state === 'WaitingForRetry' && target.notBefore === at
    case 'window':
      return true
  }
}

function fire(live: LiveRollout, timer: Timer, effects: Effect[]): void {
  if (!isDue(live, timer)) return
  if (timer.of === 'window') return live.queue.open(timer.id)
  const target = live.targets.get(timer.id)
  if (target === undefined) return
  if (timer.of === 'retry') live.putTarget({ ...target, state: 'Pending', notBefore: undefined })
  else if (target.attempt?.isOverdue === true) giveUp(live, target)
  else if (target.attempt !== undefined) {
    const { cancel = 'Timeout' } = target.attempt
    const attempt = { ...target.attempt, cancel, isOverdue: true, deadline: timer.at + GRACE_MS }
    cancelOperation(live, target, { attempt, effects })
  }
}

/** It does not even end when it is told to. What goes on there is remembered: until it has ended nothing else is begun. */
function giveUp(live: LiveRollout, target: TargetRecord): void {
  const { attempt } = target
  if (attempt === undefined) return
  const failure = { stage: 'Timeout' } as const
  const history = pastAttempt(target, { end: 'TimedOut', failure }, live.now)
  const given = { ...target, attempt: { ...attempt, deadline: undefined }, history }
  // Not failFinally: a device that may still be written is not rolled back.
  if (attempt.kind === 'Update') live.putTarget({ ...given, state: 'TimedOut', failure })
  else live.putTarget({ ...given, state: 'RollbackFailed', rollBackFailure: failure })
}

/** Those that a percentage is of. */
export function sizeOf({ total, counts }: Tally): number {
  return total - counts.Skipped
}

function judgeFailures(live: LiveRollout): void {
  const { overallFailure: overall } = live.rules
  for (const index of live.running) {
    const { failure } = live.rules.wave(index)
    const forgiven = live.waves[index]?.forgiven ?? 0
    if (isCrossed(failure, live.tallyOf(index), forgiven)) act(live, failure.action, index)
  }
  if (overall && isCrossed(overall, live.all, live.head.forgiven)) act(live, overall.action)
}

/** One failure at least: a percentage of nothing is none. */
function isCrossed({ amount }: Pick<FailureRule, 'amount'>, tally: Tally, forgiven: number): boolean {
  return tally.failed - forgiven >= Math.max(1, numberOf(amount, sizeOf(tally)))
}

function act(live: LiveRollout, action: FailureRule['action'], wave?: number): void {
  const { state, pause } = live.head
  if (!isUpdating(state)) return
  if (action !== 'Pause') live.setHead({ stoppedBy: { wave } })
  switch (action) {
    case 'Pause':
      // Where nothing is left, there is nothing to go on with.
      if (pause !== undefined || live.all.open === 0) return
      if (wave === undefined) live.setHead({ pause: { by: 'OverallFailureThreshold', at: live.now } })
      else live.setHead({ pause: { by: 'FailureThreshold', wave, at: live.now } })
      return
    case 'Stop':
      return stop(live, 'Failed')
    case 'RollBackWave':
      return rollBack(live, wave === undefined ? { of: 'All' } : { of: 'Wave', wave })
    case 'RollBackAll':
      return rollBack(live, { of: 'All' })
  }
}

function completeWaves(live: LiveRollout): void {
  for (const index of live.running) {
    const wave = live.waves[index]
    if (wave && live.tallyOf(index).open === 0)
      live.putWave({ ...wave, state: 'Completed', endedAt: live.now })
  }
}

/** Lets the next wave go when the last one that was opened lets it, and opens it when its time has come. */
function openWaves(live: LiveRollout): void {
  const { head, opened, waves, rules, now } = live
  const next = waves[opened]
  if (next === undefined || !isUpdating(head.state) || head.pause !== undefined) return
  if (next.state === 'Delayed' && (next.readyAt ?? now) <= now)
    live.putWave({ ...next, state: 'Running', openedAt: now })
  if (next.state !== 'Pending' || !letsGo(live, opened - 1)) return
  const { needsApproval, delayMs } = rules.wave(opened)
  const from = opened === 0 ? Math.max(now, rules.startAt ?? now) : now
  live.putWave({
    ...next,
    state: needsApproval ? 'WaitingForApproval' : 'Delayed',
    readyAt: from + delayMs,
  })
}

/** Whether enough of a wave succeeded. Too few of one that is over is a pause. */
function letsGo(live: LiveRollout, index: number): boolean {
  const wave = live.waves[index]
  if (wave === undefined) return true
  const { success } = live.rules.wave(index)
  const isOver = wave.state === 'Completed'
  if (success === undefined || wave.isWaived === true) return isOver
  const tally = live.tallyOf(index)
  if (tally.counts.Succeeded >= numberOf(success, sizeOf(tally))) return true
  if (isOver) live.setHead({ pause: { by: 'SuccessThreshold', wave: index, at: live.now } })
  return false
}

function endIfOver(live: LiveRollout): void {
  const { head, all, rules } = live
  if (all.open > 0) return
  if (isUpdating(head.state))
    end(live, all.counts.Succeeded >= numberOf(rules.overallSuccess, sizeOf(all)) ? 'Completed' : 'Failed')
  else if (head.state === 'Stopping') end(live, head.endsAs ?? 'Failed')
  else if (head.state === 'RollingBack') end(live, isAllBack(live) ? 'RolledBack' : 'Failed')
}

/** Whether a roll-back has left nothing that was updated, or may have been, of what it covered. */
function isAllBack(live: LiveRollout): boolean {
  const { rollBack: scope } = live.head
  const { counts } = scope?.of === 'Wave' ? live.tallyOf(scope.wave) : live.all
  return counts.RollbackFailed === 0 && (scope?.of === 'Marked' || counts.TimedOut === 0)
}

function end(live: LiveRollout, state: RolloutState): void {
  for (const wave of live.waves) {
    const isOver = wave.state === 'Completed' || wave.state === 'Cancelled'
    if (!isOver)
      live.putWave({
        ...wave,
        state: wave.state === 'Running' ? 'Completed' : 'Cancelled',
        endedAt: live.now,
      })
  }
  live.setHead({ state, pause: undefined, endedAt: live.now })
}

/** Lets those begin for whom there is room. */
export function startWhoCan(live: LiveRollout, effects: Effect[]): void {
  const { queue } = live
  for (let entry = queue.peek(); entry && queue.hasRoom; entry = queue.peek()) {
    const target = live.targets.get(entry.id)
    // It may have been cancelled, or begun, since it was put there.
    if (target === undefined || live.rankOf(target) !== entry.rank) queue.drop()
    else {
      const isUpdate = target.state !== 'WaitingForRollBack'
      if (isUpdate && !mayUpdate(live)) return
      const full = queue.fullLane
      if (full !== undefined) queue.keep(full)
      else if (!isUpdate || isInWindow(live, target)) {
        startOperation(live, target, effects)
        queue.drop()
      }
    }
  }
}

function mayUpdate({ head }: LiveRollout): boolean {
  return isUpdating(head.state) && head.pause === undefined
}

/** Whether its window is open; if not, it is put aside until then. */
function isInWindow(live: LiveRollout, target: TargetRecord): boolean {
  const { group = '' } = target
  const window = live.windowOf(group)
  if (window.isOpen) return true
  if (window.until === undefined) {
    live.queue.drop()
    skip(live, target)
    return false
  }
  if (live.queue.close(group)) live.timers.push({ at: window.until, of: 'window', id: group })
  if (target.state !== 'WaitingForWindow') live.putTarget({ ...target, state: 'WaitingForWindow' })
  return false
}

/** What a roll-out that updates shows of it. */
function shownState(live: LiveRollout): RolloutState {
  const { head, waves, opened, now } = live
  if (!isUpdating(head.state)) return head.state
  if (head.pause !== undefined) return 'Paused'
  const next = waves[opened]
  if (next?.state === 'WaitingForApproval') return 'WaitingForApproval'
  return opened === 0 && (next?.readyAt ?? now) > now ? 'Scheduled' : 'Running'
}
