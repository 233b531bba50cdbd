import type { Cause, Change } from '../bmc/state.ts'
import type { Message } from '../redfish/messages/message.ts'

/** Where an operation tells of its work: a task or one of its sub-tasks, a job or one of its steps. */
export interface WorkHandle {
  /** The resource that shows the work. */
  readonly uri: string
  /** For the log entries of what it does. */
  readonly cause: Cause
  /** Aborted when somebody cancels it, when its time is over, and when the service ends. */
  readonly signal: AbortSignal
  /** The same, but that nobody can cancel it. */
  readonly lasting: AbortSignal
  /** It was cancelled, and what it is at does not let itself be: it goes on, and its signal is the lasting one. */
  persist(): void
  /** Records progress, in one commit with whatever else changed by it. */
  report(progress: WorkProgress, also?: Change): void
  /** While false, a request to cancel is refused. */
  allowCancel(allowed: boolean): void
  /** Whether it is to be held at its next checkpoint. */
  readonly isSuspended: boolean
  /** Resolves at once, or, where the work is suspended, when it is resumed: called between two stages. */
  checkpoint(): Promise<void>
  /** Waits for others, until `turn` settles: shown as running, unless those are held. */
  queue<T>(turn: Promise<T>): Promise<T>
  /** Shows that the work waits until `opened` settles, and gives what that came to. */
  wait<T>(waiting: Waiting, opened: Promise<T>): Promise<T>
  /** Does a part of the work, shown as a sub-task or a step of its own, and gives how it ended. */
  part(work: PartWork): Promise<Ending>
}

/** What may be said of work while it runs. */
export interface WorkProgress {
  readonly percent?: number
  readonly messages?: readonly Message[]
  /** Resources that the work made (Links.CreatedResources). */
  readonly created?: readonly string[]
}

/** What the work waits for: somebody who does something, or a condition that comes by itself. */
export interface Waiting {
  readonly for: 'user' | 'condition'
  /** Told when the wait begins. */
  readonly messages: readonly Message[]
  readonly also?: Change
  /** Opens the way by word of the user (JobState Continue, Job.ForceStart); absent where nothing but a deed can. */
  readonly goOn?: () => void
}

export interface PartWork {
  readonly name: string
  /** The resource that the part is about. */
  readonly target: string
  readonly run: (handle: WorkHandle) => Promise<Ending>
}

/** How work ends: its state, and what the monitor of its task answers from then on. */
export interface Ending {
  readonly state: 'Completed' | 'Exception' | 'Cancelled'
  readonly status: number
}
