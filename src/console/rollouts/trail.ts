import type { Actor } from '../../bmc/actor.ts'
import { entered, type Line } from '../../bmc/log.ts'
import type { Change, Entries, Job } from '../../bmc/state.ts'
import { type Message, message, withSeverity } from '../../redfish/messages/message.ts'
import { uris } from '../../redfish/uris.ts'
import type { Changes } from '../../rollout/live.ts'
import { messageKey } from '../../rollout/rules.ts'
import type { PastAttempt, TargetRecord } from '../../rollout/state.ts'
import type { Wish } from '../../rollout/wish.ts'
import { isFinalJob, jobEndMessage, jobStartMessage, jobUri } from '../../tasks/job.ts'
import { newsIn, type Projected } from './projection.ts'
import { headPart, targetPart } from './record.ts'
import { newAttempt } from './told.ts'

/**
 * What the logs tell of these changes and of the jobs that show them. The audit log answers who updated what, when, from
 * which image, with whose approval, and with what result.
 */
export function loggedOf(rollout: Projected, changes: Changes, jobs: Entries<Job>): Change {
  const { bmc, live } = rollout
  const ofJobs = jobs.flatMap(([key, job]) => (job === undefined ? [] : endsOfJob(rollout, key, job)))
  const audit = [
    ...(changes.granted ?? []).map((wish) => ofWish(rollout, wish)),
    ...beginning(rollout, changes),
    ...changes.targets.flatMap((target) => ofTarget(rollout, target)),
    ...reasons(rollout, jobs),
    ...ofJobs,
  ]
  return {
    auditLog: entered(bmc, 'auditLog', live.now, audit),
    jobLog: entered(bmc, 'jobLog', live.now, ofJobs),
  }
}

/** That a job begins, and that it ends. */
function endsOfJob(rollout: Projected, key: string, job: Job): Line[] {
  if (job.parent !== undefined) return []
  const was = rollout.bmc.state.jobs.get(key)?.state
  const begins = job.state === 'Running' && (was === undefined || was === 'New' || was === 'Pending')
  const ends = isFinalJob(job.state) && was !== job.state
  const line = (one: Message): Line => lineOf(rollout, one, { of: key })
  return [...(begins ? [line(jobStartMessage(job))] : []), ...(ends ? [line(jobEndMessage(job))] : [])]
}

function beginning(rollout: Projected, { head }: Changes): Line[] {
  const { bmc, asked, live } = rollout
  const { id, image } = asked.base
  if (head?.beganAt === undefined || headPart(bmc, id)?.head.beganAt !== undefined) return []
  const devices = String(live.all.total - live.all.counts.Skipped)
  return [lineOf(rollout, message('Redflash.RollOutBegan', nameOf(rollout), image, asked.sha256, devices))]
}

/** Why it stops, what it waits for, and its end: what its job tells. */
function reasons(rollout: Projected, jobs: Entries<Job>): Line[] {
  const { id } = rollout.asked.base
  const job = jobs.find(([key]) => key === id)?.[1]
  const news = job === undefined ? [] : newsIn(rollout.bmc, [id, job])
  return news.map((one) => {
    const isEnd = ofEnd.has(messageKey(one.MessageId))
    // Nobody asks for a threshold to be reached.
    return lineOf(rollout, one, isEnd ? {} : { by: undefined })
  })
}

/** What is told when it has ended. */
const ofEnd: ReadonlySet<string> = new Set([
  'Redflash.RollOutEnded',
  'Redflash.RollOutBroughtBack',
  'Redflash.RollOutMissedWindows',
])

function ofWish(rollout: Projected, wish: Wish): Line {
  return lineOf(rollout, wordsOf(rollout, wish), { by: wish.by, related: namedIn(rollout, wish) })
}

/** The devices that somebody meant; of all of them, none is named. */
function namedIn({ live }: Projected, wish: Wish): readonly string[] {
  if (wish.kind === 'Add') return wish.selection.chosen.map(({ device }) => device.uri)
  const ids = 'targets' in wish ? (wish.targets ?? []) : []
  return ids.flatMap((id) => live.targets.get(id)?.uri ?? [])
}

function wordsOf(rollout: Projected, wish: Wish): Message {
  const name = nameOf(rollout)
  switch (wish.kind) {
    case 'Approved':
      return message('Redflash.RollOutApproved', rollout.live.waves[wish.wave]?.name ?? '', name)
    case 'Pause':
      return message('Redflash.RollOutPaused', name)
    case 'Resume':
      return message('Redflash.RollOutResumed', name)
    case 'Cancel':
      return message('Redflash.RollOutCancelled', name)
    case 'RetryFailed':
      return message('Redflash.RollOutRetried', name)
    case 'RollBack':
      return message('Redflash.RollOutRolledBack', name)
    case 'Add':
      return message('Redflash.RollOutDevicesAdded', name, String(wish.selection.chosen.length))
  }
}

/** What was done at a device, when it has ended. */
function ofTarget(rollout: Projected, target: TargetRecord): Line[] {
  const { bmc, asked, live, steps } = rollout
  const last = newAttempt(targetPart(bmc, asked.base.id, target.id), target)
  if (last === undefined) return []
  const { approvedBy } = live.waves[target.wave ?? -1] ?? {}
  const { rollBack } = live.head
  const asker =
    last.kind === 'RollBack' && rollBack !== undefined && 'by' in rollBack ? rollBack.by : target.by
  const place = steps.get(target.id)
  const line = lineOf(rollout, endOf(rollout, target, last), {
    by: asker ?? asked.actor,
    related: place === undefined ? [] : [jobUri(`${place.job}/${place.number}`)],
    description: approvedBy === undefined ? undefined : `Approved by ${approvedBy}`,
  })
  return [{ ...line, about: { ...line.about, origin: target.uri } }]
}

function endOf({ asked }: Projected, { uri }: TargetRecord, last: PastAttempt): Message {
  const { kind, end, failure } = last
  const key = kind === 'Update' ? 'Redflash.DeviceUpdateEnded' : 'Redflash.DeviceRollBackEnded'
  const result = failure === undefined ? end : `${end} (${failure.stage})`
  const said = message(key, uri, asked.base.image, asked.sha256, result)
  return withSeverity(said, end === 'Succeeded' ? 'OK' : end === 'Cancelled' ? 'Warning' : 'Critical')
}

/** What people call it. */
export function nameOf({ bmc, asked }: Projected): string {
  return bmc.state.jobs.get(asked.base.id)?.name ?? asked.base.image
}

interface Told {
  /** The job that it is about; that of the whole unless given. */
  readonly of?: string
  /** Who asked for it; who asked for the roll-out, where that is not here. */
  readonly by?: Actor | undefined
  readonly related?: readonly string[] | undefined
  readonly description?: string | undefined
}

function lineOf({ asked }: Projected, said: Message, told: Told = {}): Line {
  const { of = asked.base.id, related = [], description } = told
  const actor = 'by' in told ? told.by : asked.actor
  const uri = uris.job(of)
  const about = { actor, group: asked.group, origin: uri, related: [uri, ...related], description }
  return { about, message: said }
}
