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

/** What is new of the whole, beside what its waves tell: why it pauses, stops or goes back, and how it ended. */
export function newsOfHead(
  live: LiveRollout,
  was: RolloutHead | undefined,
  name: string,
): readonly Message[] {
  const isEnd = live.head.endedAt !== undefined && was?.endedAt === undefined
  return [...whyHeld(live, was, name), ...(isEnd ? endOf(live, name) : [])]
}

function whyHeld(live: LiveRollout, was: RolloutHead | undefined, name: string): readonly Message[] {
  const { pause, stoppedBy } = live.head
  const isNewPause = pause !== undefined && was?.pause === undefined && pause.by !== 'Operator'
  const threshold = isNewPause ? pause : was?.stoppedBy === undefined ? stoppedBy : undefined
  if (threshold === undefined) return []
  const key =
    isNewPause && pause.by === 'SuccessThreshold' ? 'RollOutSuccessesMissing' : 'RollOutThresholdReached'
  const wave = live.waves[threshold.wave ?? -1]
  const tally = wave === undefined ? live.all : live.tallyOf(wave.index)
  return [counted(`Redflash.${key}`, wave?.name ?? name, tally)]
}

function counted(
  key: 'Redflash.RollOutThresholdReached' | 'Redflash.RollOutSuccessesMissing',
  name: string,
  tally: Tally,
): Message {
  const count = key === 'Redflash.RollOutThresholdReached' ? tally.failed : tally.counts.Succeeded
  return message(key, name, String(sizeOf(tally)), String(count))
}

function endOf(live: LiveRollout, name: string): Message[] {
  const { head, all } = live
  const { Succeeded, RolledBack, RollbackFailed } = all.counts
  const failed = Math.max(all.failed, RollbackFailed)
  const ended = message('Redflash.RollOutEnded', name, String(sizeOf(all)), String(Succeeded), String(failed))
  const missed = [...live.targets.values()].filter(hasMissedWindows).length
  return [
    withSeverity(ended, severity(head)),
    ...(RolledBack + RollbackFailed > 0
      ? [message('Redflash.RollOutBroughtBack', name, String(RolledBack), String(RollbackFailed))]
      : []),
    ...(missed > 0 ? [message('Redflash.RollOutMissedWindows', name, String(missed))] : []),
  ]
}

/** Who runs the version already, from the beginning or by now, is skipped for that. */
function hasMissedWindows({ state, wave, operations }: TargetRecord): boolean {
  return state === 'Skipped' && wave !== undefined && operations === 0
}

function severity({ state }: RolloutHead): 'OK' | 'Warning' | 'Critical' {
  if (state === 'Completed') return 'OK'
  return state === 'Failed' ? 'Critical' : 'Warning'
}
