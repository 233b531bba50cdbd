import type { Component } from '../bmc/bmc.ts'
import type { Message } from '../redfish/messages/message.ts'
import { endOfWhole } from '../tasks/phase.ts'
import type { Ending, WorkHandle } from '../tasks/work.ts'
import { VERIFIED } from './stages/verify-on-manager.ts'
import type { DeviceWork } from './workshop.ts'

/** One device's part of an operation, ready to be done. */
export interface Piece {
  readonly component: Pick<Component, 'id' | 'uri'>
  /** Whether somebody has to do something before it is through. */
  readonly needsUser: boolean
  readonly run: (told: Pick<DeviceWork, 'work' | 'from'>) => Promise<Ending>
}

/** Does all pieces side by side, each shown as a part of the work where there are several or it is a job. */
export async function runPieces(
  pieces: readonly Piece[],
  work: WorkHandle,
  { isJob }: { isJob: boolean },
): Promise<Ending> {
  const asParts = isJob || pieces.length > 1
  const settled = await Promise.allSettled(
    pieces.map(({ component, run }) => {
      if (!asParts) return run({ work, from: VERIFIED })
      return work.part({
        name: `Update of ${component.id}`,
        target: component.uri,
        run: (handle) => run({ work: handle, from: isJob ? 0 : VERIFIED }),
      })
    }),
  )
  // Only when all have stopped may the image go: one device's bug must not pull it from under the others.
  const bug = settled.find((one) => one.status === 'rejected')
  if (bug !== undefined) throw bug.reason
  const endings = settled.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
  const ending = endingOf(endings)
  // What had been done by then stays done, but the whole is not, unless all of it went on to its end.
  const isCut = work.signal.aborted && endings.some(({ state }) => state === 'Cancelled')
  return isCut && ending.state === 'Completed' ? { ...ending, state: 'Cancelled' } : ending
}

/** The whole is as good as its worst part; only where nothing came of it does the monitor answer an error. */
export function endingOf(endings: readonly Ending[]): Ending {
  const state = endOfWhole(endings.map((ending) => ending.state))
  const failed = endings.find((ending) => ending.state === 'Exception')
  const isPartial = endings.some((ending) => ending.state === 'Completed')
  return { state, status: failed === undefined || isPartial ? 200 : failed.status }
}

/** Whether a message of a step is told in its job, too (DSP2062 §5, the tables of messages). */
export function isForRoot({ MessageId }: Message): boolean {
  return rootMessages.has(MessageId.split('.').at(-1) ?? '')
}

const rootMessages: ReadonlySet<string> = new Set([
  'TargetDetermined',
  'AllTargetsDetermined',
  'NoTargetsDetermined',
  'VerificationFailed',
  'TransferFailed',
  'ApplyFailed',
  'ActivateFailed',
  'UpdateSuccessful',
  'UpdateSkipped',
  'UpdateSkippedSameVersion',
  'UpdateSkippedVersionTooLow',
  'UpdateNotApplicable',
  'OperationTimeout',
])
