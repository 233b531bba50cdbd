import type { Bmc } from '../bmc/bmc.ts'
import type { About } from '../bmc/log.ts'
import type { Cause, Change, Entries } from '../bmc/state.ts'
import type { Clock } from '../lib/clock.ts'
import type { Message } from '../redfish/messages/message.ts'
import type { Phase } from './phase.ts'
import type { WorkRecord } from './progress.ts'
import type { Ending, PartWork, WorkProgress } from './work.ts'

/** The records that show work: those of tasks, or those of jobs. All pure. */
export interface Kind<R extends WorkRecord> {
  readonly recordsOf: (bmc: Bmc) => ReadonlyMap<string, R>
  readonly change: (entries: Entries<R>) => Change
  readonly uri: (key: string) => string
  readonly part: (whole: R, work: PartWork, begin: PartBegin) => R
  /** What work does that has come as far as this record says. */
  readonly phaseOf: (record: R) => Phase
  readonly progressed: (record: R, phase: Phase, progress: WorkProgress) => R
  /** The whole after news of its parts; `waited` tells what those that wait for a user said of it. */
  readonly led: (whole: R, phase: Phase, news: WorkProgress, waited: () => readonly Message[]) => R
  readonly began: (record: R, now: number) => R
  readonly ended: (record: R, parts: readonly R[], ending: Ending, now: number) => R
  /** How an ended one ended. */
  readonly endingOf: (record: R) => Ending
  /** Whether it was asked to end. */
  readonly isCancelling: (record: R) => boolean
  /** Whether it begins anew when what it does now is over: a job that waits by its schedule. */
  readonly beginsAgain: (record: R, phase: Phase) => boolean
  /** Writes its start and its end into the logs that are for it. */
  readonly logged: (bmc: Bmc, now: number, about: About, messages: readonly Message[]) => Change
  readonly startMessage: (record: R) => Message
  readonly endMessage: (record: R) => Message
}

/** A part's own Id, where the whole stands when its parts begin, and the time. */
export interface PartBegin {
  readonly number: number
  readonly percent: number
  readonly now: number
}

/** What the work of one task or job and its parts share. */
export interface Setting<R extends WorkRecord> {
  readonly bmc: Bmc
  readonly clock: Clock
  readonly kind: Kind<R>
  readonly cause: Cause
  /** The resources that it works on. */
  readonly targets?: readonly string[] | undefined
  /** Whether its record ends when nothing goes on any more without somebody else, and the work goes on unseen. */
  readonly endsAtWait: boolean
  /** Aborted when the service ends. */
  readonly closing: AbortSignal
  /** Told of bugs. */
  readonly failed: (error: unknown) => void
  /** Called when the work begins, and when its record has ended. */
  readonly onBegin?: () => void
  readonly onEnd?: () => void
  /** Called when the work is over, seen or not; the end of the service is no end of the work. */
  readonly onOver?: (() => void) | undefined
}
