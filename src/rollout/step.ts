import type { Changes, LiveRollout } from './live.ts'
import {
  canBeRetried,
  canBeRolledBack,
  cancelOperation,
  type Effect,
  mayRetry,
  mayRollBack,
  rollBack,
  stop,
} from './moves.ts'
import { endOperation } from './outcome.ts'
import { isDue, settle, startWhoCan } from './settle.ts'
import { isUpdating, type Outcome, type TargetRecord } from './state.ts'
import { newTarget, newWave, skippedTarget } from './new-rollout.ts'
import type { Wish } from './wish.ts'

/** What happens to a roll-out. One that does not fit its state changes nothing. */
export type RolloutEvent =
  | { readonly kind: 'Begin' | 'Tick' | 'Restarted' }
  | ({ readonly kind: 'DeviceStarted'; readonly task?: string | undefined } & OfOperation)
  | ({ readonly kind: 'DeviceEnded'; readonly outcome: Outcome } & OfOperation)
  /** Before it could be, the process had ended. */
  | ({ readonly kind: 'NeverStarted' } & OfOperation)
  | Wish

export interface OfOperation {
  /** The Id of the device. */
  readonly target: string
  readonly operation: string
}

export interface Step {
  /** To be kept before any effect is let happen. */
  readonly changes: Changes
  readonly effects: readonly Effect[]
}

/**
 * What events mean for a roll-out that happened, one after the other, up to a moment. Nobody begins before all of them
 * are heard: of a threshold that is crossed by the last of them, too. It does nothing but to the record: the same record,
 * events and moment give the same changes and effects.
 */
export function step(live: LiveRollout, events: readonly RolloutEvent[], now: number): Step {
  const effects: Effect[] = []
  // A clock that is set back does not undo what has been.
  live.now = Math.max(live.now, now)
  for (const event of events) {
    const before = live.revision
    take(live, event, effects)
    if ('by' in event && live.revision !== before) live.grant(event)
    if (live.head.state !== 'New') settle(live, effects)
  }
  let seen: number
  do {
    seen = live.revision
    startWhoCan(live, effects)
    // Those for whom no window opens any more may have been the last.
    if (live.revision !== seen) settle(live, effects)
  } while (live.revision !== seen)
  const changes = live.takeChanges()
  const at = nextMoment(live)
  // A timer may be early.
  const isAsked = events.some(({ kind }) => kind === 'Tick') && at !== undefined
  if (at !== live.wakeAt || isAsked) effects.push({ kind: 'WakeAt', at })
  live.wakeAt = at
  return { changes, effects }
}

function take(live: LiveRollout, event: RolloutEvent, effects: Effect[]): void {
  switch (event.kind) {
    case 'Tick':
      return live.queue.lookAgain()
    case 'Begin':
      if (live.head.state === 'New') live.setHead({ state: 'Scheduled', beganAt: live.now })
      return
    case 'Approved':
      return approve(live, event)
    case 'DeviceStarted':
    case 'DeviceEnded':
    case 'NeverStarted':
      return hearOf(live, event)
    case 'Pause':
      if (isUpdating(live.head.state) && live.head.pause === undefined)
        live.setHead({ pause: { by: 'Operator', at: live.now } })
      return
    case 'Resume':
      return resume(live)
    case 'Cancel':
      return cancel(live, effects)
    case 'RetryFailed':
      return retryFailed(live, event)
    case 'RollBack':
      return rollBackByHand(live, event)
    case 'Add':
      return add(live, event)
    case 'Restarted':
      return askForAll(live, effects)
  }
}

function approve(live: LiveRollout, { wave: index, by }: WishOf<'Approved'>): void {
  const wave = live.waves[index]
  if (wave?.state === 'WaitingForApproval' && isUpdating(live.head.state))
    live.putWave({ ...wave, state: 'Delayed', approvedAt: live.now, approvedBy: by?.username })
}

function hearOf(
  live: LiveRollout,
  event: Extract<RolloutEvent, { readonly kind: 'DeviceStarted' | 'DeviceEnded' | 'NeverStarted' }>,
): void {
  const target = live.targets.get(event.target)
  if (target?.attempt?.operation !== event.operation) return
  if (event.kind === 'DeviceEnded') endOperation(live, target, event.outcome)
  else if (event.kind === 'NeverStarted') undoStart(live, target)
  else if (event.task !== target.attempt.task)
    live.putTarget({ ...target, attempt: { ...target.attempt, task: event.task } })
}

type WishOf<K extends Wish['kind']> = Extract<Wish, { readonly kind: K }>
type Redo = Extract<Wish, { readonly targets?: unknown }>

/** As if nobody had meant to: whether it may begin is asked again. */
function undoStart(live: LiveRollout, target: TargetRecord): void {
  const { attempt, tries } = target
  const undone: TargetRecord = { ...target, attempt: undefined }
  if (attempt?.kind === 'RollBack') live.putTarget({ ...undone, state: 'WaitingForRollBack' })
  else if (target.state !== 'Flashing') live.putTarget(undone)
  else {
    const goesOn = isUpdating(live.head.state) && attempt?.cancel !== 'Cancel'
    live.putTarget({ ...undone, tries: tries - 1, state: goesOn ? 'Pending' : 'Cancelled' })
  }
}

/** The threshold that was crossed is forgiven what was there; others are not. */
function resume(live: LiveRollout): void {
  const { pause } = live.head
  if (pause === undefined) return
  const wave = pause.wave === undefined ? undefined : live.waves[pause.wave]
  if (wave && pause.by === 'FailureThreshold')
    live.putWave({ ...wave, forgiven: live.tallyOf(wave.index).failed })
  if (wave && pause.by === 'SuccessThreshold') live.putWave({ ...wave, isWaived: true })
  const forgiven = pause.by === 'OverallFailureThreshold' ? live.all.failed : live.head.forgiven
  live.setHead({ pause: undefined, forgiven })
}

function cancel(live: LiveRollout, effects: Effect[]): void {
  const { state } = live.head
  if (state === 'RollingBack') return stopRollingBack(live)
  if (state !== 'New' && state !== 'Stopping' && !isUpdating(state)) return
  stop(live, 'Cancelled')
  for (const target of live.targets.values()) {
    const { attempt } = target
    if (attempt?.kind === 'Update' && attempt.cancel === undefined && target.state === 'Flashing')
      cancelOperation(live, target, { attempt: { ...attempt, cancel: 'Cancel' }, effects })
  }
}

/** Those whose turn has not come stay as they are. */
function stopRollingBack(live: LiveRollout): void {
  live.setHead({ state: 'Stopping', endsAs: 'Cancelled' })
  for (const target of live.targets.values()) {
    const { state, failure } = target
    if (state === 'WaitingForRollBack')
      live.putTarget({ ...target, state: failure === undefined ? 'Succeeded' : 'Failed' })
  }
}

/** What was said of its end is so no more. */
const begunAnew = { endedAt: undefined, endsAs: undefined, stoppedBy: undefined, rollBack: undefined }

function retryFailed(live: LiveRollout, { targets: ids, by }: Redo): void {
  const { head } = live
  const retried = mayRetry(head) ? those(live, ids).filter(canBeRetried) : []
  if (retried.length === 0) return
  if (head.endedAt !== undefined) live.setHead({ ...begunAnew, state: 'Running' })
  for (const target of retried) {
    const wave = live.waves[target.wave ?? -1]
    if (wave !== undefined) {
      const forgiven = Math.max(0, wave.forgiven - 1)
      live.putWave({ ...wave, forgiven, state: 'Running', endedAt: undefined })
    }
    live.putTarget({
      ...target,
      state: 'Pending',
      tries: 0,
      failure: undefined,
      rollBackFailure: undefined,
      by,
    })
  }
  live.setHead({ forgiven: Math.max(0, live.head.forgiven - retried.length) })
}

function rollBackByHand(live: LiveRollout, { targets: ids, by }: Redo): void {
  const marked = mayRollBack(live.head) ? those(live, ids).filter(canBeRolledBack) : []
  if (marked.length === 0) return
  live.setHead(begunAnew)
  const scope = ids === undefined ? ({ of: 'All', by } as const) : ({ of: 'Marked', by } as const)
  rollBack(live, scope, new Set(marked.map(({ id }) => id)))
}

function those(live: LiveRollout, ids: readonly string[] | undefined): readonly TargetRecord[] {
  return ids === undefined ? [...live.targets.values()] : ids.flatMap((id) => live.targets.get(id) ?? [])
}

/** Who comes while it goes on is of the last wave that is not cancelled; who is there already stays as it is. */
function add(live: LiveRollout, { selection: { chosen, skipped }, by }: WishOf<'Add'>): void {
  if (live.head.state !== 'New' && !isUpdating(live.head.state)) return
  const isNew = ({ device }: { readonly device: { readonly id: string } }): boolean =>
    !live.targets.has(device.id)
  const coming = chosen.filter(isNew)
  // What was cancelled stays so.
  const wave = live.waves.findLast(({ state }) => state !== 'Cancelled')?.index ?? 0
  if (coming.length > 0) {
    const last = live.waves[wave] ?? newWave(wave, live.rules.wave(wave).name)
    live.putWave(last.state === 'Completed' ? { ...last, state: 'Running', endedAt: undefined } : last)
  }
  for (const one of coming) live.putTarget({ ...newTarget(one, { order: live.places, wave }), by })
  for (const one of skipped.filter(isNew)) live.putTarget(skippedTarget(one))
}

function askForAll(live: LiveRollout, effects: Effect[]): void {
  for (const { id: target, attempt } of live.targets.values()) {
    if (attempt !== undefined) {
      const { operation, cancel: isCancelled } = attempt
      effects.push({ kind: 'Ask', target, operation })
      if (isCancelled !== undefined) effects.push({ kind: 'CancelFlash', target, operation })
    }
  }
}

/** When time alone changes something next. */
function nextMoment(live: LiveRollout): number | undefined {
  let timer = live.timers.peek()
  while (timer !== undefined && !isDue(live, timer)) {
    live.timers.pop()
    timer = live.timers.peek()
  }
  const next = live.waves[live.opened]
  const mayOpen = isUpdating(live.head.state) && live.head.pause === undefined
  const opening = mayOpen && next?.state === 'Delayed' ? next.readyAt : undefined
  return timer === undefined || (opening !== undefined && opening < timer.at) ? opening : timer.at
}
