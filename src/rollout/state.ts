import type { Actor } from '../bmc/actor.ts'
import type { Message } from '../redfish/messages/message.ts'
import { rollOutDeviceEnds, type rollOutDeviceStates } from '../redfish/oem/types.ts'
import type { FailureStage, RolloutPlan } from './plan.ts'
import type { ChosenComponent } from './select.ts'

/** What a whole roll-out does. */
export type RolloutState =
  | 'New'
  /** Its start time has not come. */
  | 'Scheduled'
  | 'WaitingForApproval'
  | 'Running'
  | 'Paused'
  /** Nothing begins any more; what goes on comes to its end. */
  | 'Stopping'
  | 'RollingBack'
  | 'Completed'
  | 'Failed'
  | 'Cancelled'
  | 'RolledBack'

export type EndState = Extract<RolloutState, 'Completed' | 'Failed' | 'Cancelled' | 'RolledBack'>

export type WaveState =
  | 'Pending'
  | 'WaitingForApproval'
  /** It was let go, and its delay, or the start time, is not over. */
  | 'Delayed'
  | 'Running'
  | 'Completed'
  | 'Cancelled'

export type TargetState = (typeof rollOutDeviceStates)[number]

/** A whole roll-out as plain data: all that is needed to go on with it. */
export interface RolloutRecord extends RolloutBase {
  readonly head: RolloutHead
  readonly waves: readonly WaveRecord[]
  /** In the order in which they came to the roll-out. */
  readonly targets: readonly TargetRecord[]
}

/** What of a roll-out never changes. */
export interface RolloutBase {
  readonly id: string
  readonly plan: RolloutPlan
  readonly createdAt: number
  /** What messages call the image. */
  readonly image: string
}

export interface RolloutHead {
  readonly state: RolloutState
  readonly beganAt?: number | undefined
  readonly endedAt?: number | undefined
  /** What it stops as. */
  readonly endsAs?: EndState | undefined
  readonly pause?: Pause | undefined
  readonly rollBack?: RollBackScope | undefined
  /** The threshold for which nothing begins any more: of this wave, or of the whole. */
  readonly stoppedBy?: { readonly wave: number | undefined } | undefined
  /** So many of its failures were there when somebody let it go on in spite of them. */
  readonly forgiven: number
  readonly history: readonly Moment[]
}

interface Pause {
  readonly by: 'Operator' | 'FailureThreshold' | 'OverallFailureThreshold' | 'SuccessThreshold'
  /** The wave whose threshold it is. */
  readonly wave?: number
  readonly at: number
}

/** What is rolled back: the devices of a wave, all, or those that were marked when it was asked for. */
export type RollBackScope =
  | { readonly of: 'Wave'; readonly wave: number }
  | { readonly of: 'All' | 'Marked'; readonly by?: Actor | undefined }

/** When it came to a state. */
export interface Moment {
  readonly at: number
  readonly state: string
}

export interface WaveRecord {
  readonly index: number
  readonly name: string
  readonly state: WaveState
  /** When its delay is over. */
  readonly readyAt?: number | undefined
  readonly approvedAt?: number
  readonly approvedBy?: string | undefined
  readonly openedAt?: number
  readonly endedAt?: number | undefined
  /** As in the head, of this wave. */
  readonly forgiven: number
  /** Somebody let the roll-out go on although too few of it succeeded. */
  readonly isWaived?: boolean
  readonly history: readonly Moment[]
}

export interface TargetRecord {
  readonly id: string
  readonly uri: string
  readonly name: string
  readonly group?: string
  readonly source?: string
  /** Its place among all; absent of one that was skipped from the beginning. */
  readonly order?: number
  readonly wave?: number
  readonly components: readonly ChosenComponent[]
  readonly state: TargetState
  /** How often it was tried since somebody last asked for it. */
  readonly tries: number
  /** How many operations it was given: each has a number of its own. */
  readonly operations: number
  /** What goes on at it, or, after it was given up, may still go on. */
  readonly attempt?: Attempt | undefined
  /** When it is tried again. */
  readonly notBefore?: number | undefined
  /** Why its update failed; gone when one succeeds. */
  readonly failure?: Failure | undefined
  readonly rollBackFailure?: Failure | undefined
  /** Why it is skipped. */
  readonly skip?: Message
  /** Who asked for it, where that is not who asked for the roll-out. */
  readonly by?: Actor | undefined
  /** What was done at it, the newest last. */
  readonly history: readonly PastAttempt[]
}

export type FlashKind = 'Update' | 'RollBack'

export interface Attempt {
  /** Given, and kept, before anything is done by it. */
  readonly operation: string
  readonly kind: FlashKind
  readonly startedAt: number
  /** Until when its end is waited for; absent when it was given up. */
  readonly deadline?: number | undefined
  readonly isOverdue?: boolean
  /** It was asked to end before its time, and why. */
  readonly cancel?: 'Timeout' | 'Cancel'
  /** Where it can be watched. */
  readonly task?: string | undefined
}

export interface Failure {
  readonly stage: FailureStage
  readonly message?: Message | undefined
  /** What the device, or who reaches it, says of it. */
  readonly why?: readonly Message[]
}

export interface PastAttempt {
  readonly operation: string
  readonly kind: FlashKind
  readonly startedAt: number
  readonly endedAt: number
  readonly end: OutcomeEnd | 'TimedOut'
  readonly failure?: Failure | undefined
  readonly bytes?: number | undefined
}

type OutcomeEnd = 'Succeeded' | 'Failed' | 'Cancelled'

/** How an operation on a device ended. */
export interface Outcome {
  readonly end: OutcomeEnd
  readonly failure?: Failure | undefined
  /** Of one that did not begin because the device runs something later by now: it is skipped, and has not failed. */
  readonly skip?: Message | undefined
  /** So many were sent to the device. */
  readonly bytes?: number | undefined
}

const ends: ReadonlySet<TargetState> = new Set(rollOutDeviceEnds)

/** Whether nothing more comes by itself. */
export function isFinal(state: TargetState): boolean {
  return ends.has(state)
}

/** Whether devices are updated, or will be: it may wait, or be paused. */
export function isUpdating(state: RolloutState): boolean {
  return ['Scheduled', 'WaitingForApproval', 'Running', 'Paused'].includes(state)
}

const rollBackStates: ReadonlySet<TargetState> = new Set([
  'WaitingForRollBack',
  'RollingBack',
  'RolledBack',
  'RollbackFailed',
])

/** Whether it counts as a failure for the thresholds: its update failed, and it is not tried again by itself. */
export function hasFailed({ state, failure }: TargetRecord): boolean {
  if (state === 'Failed' || state === 'TimedOut') return true
  return failure !== undefined && rollBackStates.has(state)
}
