import type { ApplyTime } from '../../../src/redfish/apply-times.ts'

/** What an update is for: a device that runs its image at once, one that a reset activates, or both. */
export type Devices = 'no reset' | 'reset' | 'both'
export type AwaitReset = 'job' | 'pending' | 'completed'
export type StartUpdate = 'own-task' | 'waiting-tasks'

/** What somebody does, or time. */
export type Act =
  | 'the update is asked for'
  | 'StartUpdate'
  | 'the reset that was named'
  | 'the window opens'
  | 'a reset in the window'

/** What each task, job and part went through: its states, each with the messages that it told in it. */
export type Seen = Readonly<Record<string, string>>

/** One way that updates take, and everything that takes it. */
export interface Flow {
  readonly applyTimes: readonly ApplyTime[]
  readonly devices: readonly Devices[]
  readonly awaitReset: readonly AwaitReset[]
  /** Either, unless given; asked only of OnStartUpdateRequest. */
  readonly startUpdate?: StartUpdate
  readonly acts: readonly (readonly [Act, Seen])[]
}
