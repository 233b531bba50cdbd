import type { Message } from '../../redfish/messages/message.ts'
import { message, withSeverity } from '../../redfish/messages/message.ts'
import type { LiveRollout } from '../../rollout/live.ts'
import type { Tally } from '../../rollout/tally.ts'
import { sizeOf } from '../../rollout/settle.ts'
import type { FailureStage } from '../../rollout/plan.ts'
import type { Failure, PastAttempt, RolloutHead, TargetRecord, WaveRecord } from '../../rollout/state.ts'

/** What is new of a device. */
export function newsOfTarget(
  was: TargetRecord | undefined,
  now: TargetRecord,
  image: string,
): readonly Message[] {
  const last = newAttempt(was, now)
  return [
    ...(was?.skip === undefined && now.skip !== undefined ? [now.skip] : []),
    ...(last === undefined ? [] : ofAttempt(now, last, image)),
  ]
}

/** What has ended there since; one that was given up may end otherwise after all. */
export function newAttempt(was: TargetRecord | undefined, now: TargetRecord): PastAttempt | undefined {
  const last = now.history.at(-1)
  const before = was?.history.at(-1)
  return last?.operation !== before?.operation || last?.end !== before?.end ? last : undefined
}

function ofAttempt(
  { uri, components, failure: why }: TargetRecord,
  { kind, end, failure }: PastAttempt,
  image: string,
): readonly Message[] {
  const isLate = end === 'TimedOut' || (kind === 'Update' && why?.stage === 'Timeout')
  if (isLate && end !== 'Succeeded') return [message('Base.OperationTimeout')]
  if (end === 'Cancelled') return []
  if (end !== 'Succeeded') return [failureMessage(failure, uri, image), ...(failure?.why ?? [])]
  if (kind === 'Update') return [message('Update.UpdateSuccessful', uri, image)]
  return components.map((one) => message('Redflash.RolledBack', one.uri, one.from))
}

/** What is said of a failure of which the device said nothing more. */
function failureMessage(failure: Failure | undefined, uri: string, image: string): Message {
  return failure?.message ?? byStage[failure?.stage ?? 'Activate'](image, uri)
}

const byStage: Readonly<Record<FailureStage, (image: string, uri: string) => Message>> = {
  Start: () => message('Base.OperationFailed'),
  Transfer: (image, uri) => message('Update.TransferFailed', image, uri),
  Verify: (image, uri) => message('Update.VerificationFailed', image, uri),
  Install: (image, uri) => message('Update.ApplyFailed', image, uri),
  Activate: (image, uri) => message('Update.ActivateFailed', image, uri),
  Timeout: () => message('Base.OperationTimeout'),
}

/** What is new of a wave. */
export function newsOfWave(was: string | undefined, { state, name }: WaveRecord): readonly Message[] {
  return state === 'WaitingForApproval' && was !== 'UserIntervention'
    ? [message('Redflash.RollOutAwaitsApproval', name)]
    : []
}

/** What is new of the whole: why it pauses, stops or goes back, who has to say that it may go on, and how it ended. */
export function newsOfHead(
  live: LiveRollout,
  was: RolloutHead | undefined,
  name: string,
): readonly Message[] {
  const { head, waves, opened } = live
  const next = waves[opened]
  const approval =
    head.state === 'WaitingForApproval' && was?.state !== head.state && next !== undefined
      ? [message('Redflash.RollOutAwaitsApproval', next.name)]
      : []
  const end =
    head.endedAt !== undefined && was?.endedAt === undefined
      ? [withSeverity(endOf(live, name), severity(head))]
      : []
  return [...whyStopped(live, was, name), ...approval, ...end]
}

function whyStopped(live: LiveRollout, was: RolloutHead | undefined, name: string): readonly Message[] {
  const { head, waves } = live
  const { pause, rollBack } = head
  const isNewPause = pause !== undefined && was?.pause === undefined
  if (isNewPause && pause.by !== 'Operator') {
    const wave = waves[pause.wave ?? -1]
    const tally = wave === undefined ? live.all : live.tallyOf(wave.index)
    return [
      pause.by === 'SuccessThreshold'
        ? counted('Redflash.RollOutSuccessesMissing', wave?.name ?? name, tally)
        : counted('Redflash.RollOutThresholdReached', wave?.name ?? name, tally),
    ]
  }
  // It may be over already.
  const isStopped = head.endsAs === 'Failed' && was?.endsAs !== 'Failed'
  const isByHand = was?.pause !== undefined || was?.endedAt !== undefined
  const isBack = rollBack !== undefined && was?.rollBack === undefined && !isByHand
  if (!isStopped && !isBack) return []
  const wave = rollBack?.of === 'Wave' ? waves[rollBack.wave] : undefined
  const tally = wave === undefined ? live.all : live.tallyOf(wave.index)
  return [counted('Redflash.RollOutThresholdReached', wave?.name ?? name, tally)]
}

function counted(
  key: 'Redflash.RollOutThresholdReached' | 'Redflash.RollOutSuccessesMissing',
  name: string,
  tally: Tally,
): Message {
  const count = key === 'Redflash.RollOutThresholdReached' ? tally.failed : tally.counts.Succeeded
  return message(key, name, String(sizeOf(tally)), String(count))
}

function endOf({ all }: LiveRollout, name: string): Message {
  const { Succeeded, RollbackFailed } = all.counts
  const failed = Math.max(all.failed, RollbackFailed)
  return message('Redflash.RollOutEnded', name, String(sizeOf(all)), String(Succeeded), String(failed))
}

function severity({ state }: RolloutHead): 'OK' | 'Warning' | 'Critical' {
  if (state === 'Completed') return 'OK'
  return state === 'Failed' ? 'Critical' : 'Warning'
}
