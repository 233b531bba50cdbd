import type { Task } from '../../bmc/state.ts'
import type { Message } from '../../redfish/messages/message.ts'
import type { FailureStage } from '../../rollout/plan.ts'
import { messageKey } from '../../rollout/rules.ts'
import type { Failure, Outcome } from '../../rollout/state.ts'

/** How the update of a device ended, as its task tells it. */
export function outcomeOf({ state, messages }: Pick<Task, 'state' | 'messages'>): Outcome {
  if (state === 'Cancelled') return { end: 'Cancelled' }
  const failure = failureIn(messages)
  // What is skipped because it runs already is as it should be; what was left out for another reason is not.
  if (state === 'Completed' && failure === undefined) return { end: 'Succeeded' }
  const { stage, message: why } = failure ?? { stage: 'Start', message: messages.at(-1) }
  const isLater = stage === 'Start' && why !== undefined && messageKey(why.MessageId) === RUNS_LATER
  return { end: 'Failed', failure: failure ?? { stage, message: why }, ...(isLater && { skip: why }) }
}

/** Told of an image that is older than what runs. */
const RUNS_LATER = 'Update.UpdateSkipped'

/** By the message that tells of a failure, where it happened. */
const stages: Readonly<Record<string, FailureStage>> = {
  'Update.TransferFailed': 'Transfer',
  'Update.VerificationFailed': 'Verify',
  'Update.ApplyFailed': 'Install',
  'Update.ActivateFailed': 'Activate',
  'Base.OperationTimeout': 'Timeout',
  [RUNS_LATER]: 'Start',
  'Update.UpdateSkippedVersionTooLow': 'Start',
  'Update.UpdateNotApplicable': 'Start',
  'Update.NoTargetsDetermined': 'Start',
}

function failureIn(messages: readonly Message[]): Failure | undefined {
  const told = messages.flatMap((one, index) => {
    const stage = stageIn(one)
    return stage === undefined ? [] : [{ stage, message: one, why: whyAfter(messages.slice(index + 1)) }]
  })
  // A part of an image for which a device has nothing is told, too: worse counts first.
  return told.find(({ stage }) => stage !== 'Start') ?? told.find(({ message }) => isOwn(message))
}

function stageIn({ MessageId }: Message): FailureStage | undefined {
  return stages[messageKey(MessageId)]
}

/** The reasons follow what failed at once; what goes well, or fails, next is of something else. */
function whyAfter(messages: readonly Message[]): readonly Message[] {
  const other = messages.findIndex((one) => one.MessageSeverity === 'OK' || stageIn(one) !== undefined)
  return messages.slice(0, other === -1 ? undefined : other)
}

/** Whether it is about the device, and not only about a part of the image. */
function isOwn({ MessageId, MessageSeverity }: Message): boolean {
  return messageKey(MessageId) !== 'Update.NoTargetsDetermined' || MessageSeverity === 'Critical'
}
