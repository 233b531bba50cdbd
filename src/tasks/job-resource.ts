import type { RolloutAttempt } from '../bmc/rollout-view.ts'
import type { Job, Schedule } from '../bmc/state.ts'
import { timestamp } from '../lib/clock.ts'
import { formatDuration } from '../redfish/duration.ts'
import { OEM } from '../redfish/oem/types.ts'
import { type JsonObject, link, odataType, type Resource, resource } from '../redfish/resource.ts'
import { rolloutReportId, uris } from '../redfish/uris.ts'
import { jobKey, jobStatus, jobUri } from './job.ts'

/** Offered in every state: one that a state does not allow is refused with a reason (409), not as unknown (404). */
export const jobActions = ['Job.Cancel', 'Job.Suspend', 'Job.Resume', 'Job.ForceStart'] as const

/** Of the job of a roll-out. */
export const rolloutActions = [
  'Oem/RedflashJob.AddDevices',
  'Oem/RedflashJob.RetryFailed',
  'Oem/RedflashJob.RollBack',
] as const

/** A Job or one of its steps (Job v1_3_0); a step has no limits, no steps and no actions of its own. */
export function jobView(job: Job): Resource {
  const { parent, name, state, percent, messages, createdAt, startTime, endTime, estimatedEnd } = job
  const uri = jobUri(jobKey(job))
  return {
    ...resource('Job', uri, name),
    JobType: job.type,
    JobState: state,
    JobStatus: jobStatus(job),
    PercentComplete: percent,
    CreationTime: timestamp(createdAt),
    StartTime: startTime === undefined ? undefined : timestamp(startTime),
    EndTime: endTime === undefined ? undefined : timestamp(endTime),
    EstimatedCompletionTime: estimatedEnd === undefined ? undefined : timestamp(estimatedEnd),
    CreatedBy: job.actor?.username,
    ...(parent === undefined && rootMembers(uri, job)),
    ...rolloutPart(job),
    Messages: messages.map((message) => ({ ...message })),
    ...linksOf(job),
  }
}

function rootMembers(uri: string, { id, maxExecutionMs, schedule, rollout, ...job }: Job): JsonObject {
  return {
    // A roll-out has limits for its devices, and none for itself.
    ...(rollout === undefined && {
      MaxExecutionTime: maxExecutionMs === undefined ? null : formatDuration(maxExecutionMs),
    }),
    Steps: link(uris.steps(id)),
    ...payloadMembers(job),
    Schedule: schedule && scheduleView(schedule),
    ...requestPart(job),
    // All that can be asked of a wave is to let it begin, by its state.
    ...(job.wave === undefined && { Actions: actionsOf(uri, rollout !== undefined) }),
  }
}

/** A roll-out begins when its plan says so: nobody can force it. */
function actionsOf(uri: string, isRollout: boolean): JsonObject {
  const all = isRollout ? jobActions.filter((name) => name !== 'Job.ForceStart') : jobActions
  return {
    ...Object.fromEntries(all.map((name) => [`#${name}`, { target: uris.action(uri, name) }])),
    ...(isRollout && { Oem: rolloutTargets(uri) }),
  }
}

function rolloutPart(job: Job): JsonObject {
  const { id, parent, wave, rolloutState: State, approvedBy: ApprovedBy } = job
  if (State === undefined) return {}
  const isWhole = parent === undefined && wave === undefined
  const part = {
    State,
    ...(job.rolloutDevices && { Devices: thoseThatAre(job.rolloutDevices) }),
    ...(ApprovedBy !== undefined && { ApprovedBy }),
    ...(isWhole && { MetricReport: link(uris.metricReport(rolloutReportId(id))) }),
    ...(job.rolloutHistory && {
      History: job.rolloutHistory.map(({ at, state }) => ({ State: state, Time: timestamp(at) })),
    }),
    ...(job.rolloutAttempts && { Attempts: job.rolloutAttempts.map(attemptView) }),
  }
  return { Oem: { [OEM]: { '@odata.type': odataType('RedflashJob'), ...part } } }
}

function attemptView({ kind, startedAt, endedAt, end, failure, bytes }: RolloutAttempt): JsonObject {
  return {
    Kind: kind,
    StartTime: timestamp(startedAt),
    EndTime: timestamp(endedAt),
    Result: end,
    ...(failure && { Stage: failure.stage }),
    ...(bytes !== undefined && { Bytes: bytes }),
  }
}

function requestPart({ request, requestDevices = {} }: Partial<Job>): JsonObject {
  if (request === undefined) return {}
  const part = { Action: request.action, Devices: thoseThatAre(requestDevices) }
  return { Oem: { [OEM]: { '@odata.type': odataType('RedflashJob'), ...part } } }
}

function thoseThatAre(counts: Readonly<Record<string, number>>): JsonObject {
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0))
}

function rolloutTargets(uri: string): JsonObject {
  return Object.fromEntries(
    rolloutActions.map((name) => [`#${name.replace('Oem/', '')}`, { target: uris.action(uri, name) }]),
  )
}

/** Only of what a user specified, and that only where it is not hidden (Job v1_3_0, Payload). */
function payloadMembers({ payload, hidePayload = false }: Pick<Job, 'payload' | 'hidePayload'>): JsonObject {
  if (payload === undefined) return {}
  if (hidePayload) return { HidePayload: true }
  const { httpOperation, targetUri, httpHeaders, jsonBody } = payload
  return {
    HidePayload: false,
    Payload: {
      HttpOperation: httpOperation,
      TargetUri: targetUri,
      HttpHeaders: httpHeaders,
      JsonBody: jsonBody,
    },
  }
}

function scheduleView(schedule: Schedule): JsonObject {
  const { lifetimeMs, initialStartTime, recurrenceIntervalMs } = schedule
  return {
    Name: schedule.name,
    Lifetime: lifetimeMs === undefined ? undefined : formatDuration(lifetimeMs),
    MaxOccurrences: schedule.maxOccurrences,
    InitialStartTime: initialStartTime === undefined ? undefined : timestamp(initialStartTime),
    RecurrenceInterval: recurrenceIntervalMs === undefined ? undefined : formatDuration(recurrenceIntervalMs),
    EnabledDaysOfWeek: schedule.enabledDaysOfWeek,
    EnabledDaysOfMonth: schedule.enabledDaysOfMonth,
    EnabledMonthsOfYear: schedule.enabledMonthsOfYear,
    EnabledIntervals: schedule.enabledIntervals,
  }
}

function linksOf({ parent, rollout, wave, waveJobs = [], createdResources: created = [] }: Job): JsonObject {
  const whole = wave === undefined || parent !== undefined ? parent : rollout
  const jobs = [...waveJobs.map(({ id }) => uris.job(id)), ...created.filter(isJob)]
  if (whole === undefined && created.length === 0 && jobs.length === 0) return {}
  return {
    Links: {
      ...(whole !== undefined && { ParentJob: link(uris.job(whole)) }),
      ...(jobs.length > 0 && {
        SubsidiaryJobs: jobs.map(link),
        'SubsidiaryJobs@odata.count': jobs.length,
      }),
      ...(created.length > 0 && {
        CreatedResources: created.map(link),
        'CreatedResources@odata.count': created.length,
      }),
    },
  }
}

function isJob(uri: string): boolean {
  return uri.startsWith(`${uris.jobs}/`)
}
