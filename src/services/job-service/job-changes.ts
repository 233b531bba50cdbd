import type { Actor } from '../../bmc/actor.ts'
import type { Bmc, BmcAction } from '../../bmc/bmc.ts'
import type { Job, JobState } from '../../bmc/state.ts'
import { fail } from '../../lib/result.ts'
import { Type } from '../../lib/schema.ts'
import { parseDuration } from '../../redfish/duration.ts'
import { RedfishError } from '../../redfish/errors.ts'
import { about, type Message, message } from '../../redfish/messages/message.ts'
import { merged } from '../../redfish/patch.ts'
import { isObject, type JsonObject } from '../../redfish/resource.ts'
import type { Call } from '../../redfish/resource-table.ts'
import { uris } from '../../redfish/uris.ts'
import { isFinalJob, jobKey } from '../../tasks/job.ts'
import type { JobEngine } from '../../tasks/job-engine.ts'
import { jobActions, jobView } from '../../tasks/job-resource.ts'
import { durationMistakes, neverRuns, readSchedule } from '../../tasks/schedule-body.ts'
import type { Rollouts } from '../../console/rollouts/rollouts.ts'
import { type RolloutMove, rolloutMove } from '../../console/rollouts/wishes.ts'
import { rolloutActionsOf } from './rollout-actions.ts'
import type { UserJobs } from './user-jobs.ts'

interface Engines {
  readonly jobs: JobEngine
  readonly userJobs: UserJobs
  readonly rollouts: Rollouts
  /** Whether there can be roll-outs. */
  readonly isConsole: boolean
}

/** Makes of a job what a client wants; false where what the job does now cannot be stopped, or goes on by a deed only. */
type Move = (engines: Engines, job: Called) => boolean | Promise<boolean>

/** A job that somebody wants something of. */
interface Called {
  readonly bmc: Bmc
  readonly key: string
  readonly actor: Actor
}

type Moves = Partial<Record<JobState, Move>>

const goOn: Move = ({ jobs }, { bmc, key }) => jobs.goOn(bmc, key)
const suspend: Move = ({ jobs }, { bmc, key }) => jobs.suspend(bmc, key)
const resume: Move = ({ jobs }, { bmc, key }) => jobs.resume(bmc, key)
/** What a job follows ends with it. */
export const stopJob: Move = ({ jobs, userJobs, rollouts }, { bmc, key, actor: by }) =>
  isOfRollOut(bmc, key)
    ? rollouts.move(bmc, key, { wanted: 'Cancelled', by })
    : userJobs.stopFollowed(bmc, key, by) && jobs.cancel(bmc, key)

/** What a client may make of JobState, and from which states. */
const statesToPatch: Readonly<Record<string, Moves>> = {
  Continue: { UserIntervention: goOn },
  Running: { Suspended: resume, Pending: goOn },
  Suspended: { Running: suspend },
  Cancelled: {
    New: stopJob,
    Running: stopJob,
    Pending: stopJob,
    Suspended: stopJob,
    UserIntervention: stopJob,
    Continue: stopJob,
  },
}

/** What each action makes of the job of a roll-out. */
const rollOutActions: Readonly<Partial<Record<(typeof jobActions)[number], RolloutMove>>> = {
  'Job.Cancel': 'Cancelled',
  'Job.Suspend': 'Suspended',
  'Job.Resume': 'Running',
}

/** From which states each action leads (Job v1_3_0). */
const actions: Readonly<Record<(typeof jobActions)[number], Moves>> = {
  'Job.Cancel': { Running: stopJob, Suspended: stopJob },
  'Job.Suspend': { Running: suspend },
  'Job.Resume': { Suspended: resume },
  'Job.ForceStart': { Pending: goOn },
}

const NoParameters = Type.Object({}, { additionalProperties: false })

export function jobActionsOf(engines: Engines): Readonly<Record<string, BmcAction>> {
  const all = jobActions.map((name): [string, BmcAction] => [
    name,
    {
      parameters: NoParameters,
      run: async ({ bmc, params: { id = '' }, actor }) => {
        const move = isOfRollOut(bmc, id)
          ? moveOfRollOut(rollOutActions[name])
          : actions[name][jobOf(bmc, id).state]
        if (move === undefined) throw new RedfishError(409, message('Base.ActionNotSupported', name))
        if (!(await move(engines, { bmc, key: id, actor })))
          throw new RedfishError(409, message('Base.ResourceInUse'))
        return { status: 204 }
      },
    },
  ])
  return { ...Object.fromEntries(all), ...(engines.isConsole && rolloutActionsOf(engines.rollouts)) }
}

function moveOfRollOut(wanted: RolloutMove | undefined): Move | undefined {
  return wanted && (({ rollouts }, { bmc, key, actor: by }) => rollouts.move(bmc, key, { wanted, by }))
}

/** Whether it shows a roll-out, or a part of one, and nothing works in it. */
function isOfRollOut({ state }: Bmc, key: string): boolean {
  return state.jobs.get(key)?.rollout !== undefined
}

/** What a PATCH may change of a job, by the published schema. */
interface JobPatch {
  readonly JobState?: string
  readonly MaxExecutionTime?: string | null
  readonly Schedule?: JsonObject
}

/** PATCH of a job: judged as a whole; then the state, which the job may refuse; then the rest. */
export async function patchJob(
  engines: Engines,
  { bmc, params: { id = '' }, body, actor }: Call<Bmc>,
): Promise<void> {
  const patch = body as JobPatch // judged by the published schema
  const job = jobOf(bmc, id)
  const { JobState: wanted, MaxExecutionTime, Schedule } = patch
  const ended = isFinalJob(job.state) ? Object.entries(patch).filter(([, value]) => value !== job.state) : []
  if (ended.length > 0)
    throw new RedfishError(
      409,
      ended.map(([name, value]) => conflict(job, name, value)),
    )
  const schedule = Schedule && scheduleAfter(engines, job, Schedule)
  const mistakes = [
    ...durationMistakes(MaxExecutionTime, '/MaxExecutionTime', 1),
    ...(schedule?.ok === false ? schedule.problem : []),
  ]
  if (mistakes.length > 0) throw new RedfishError(400, mistakes)
  if (wanted !== undefined) await moveTo(engines, { bmc, job, wanted, actor })
  if (schedule?.ok === true) engines.jobs.amend(bmc, id, { schedule: schedule.value })
  if (MaxExecutionTime === undefined) return
  engines.jobs.setMaxExecution(
    bmc,
    id,
    MaxExecutionTime === null ? undefined : parseDuration(MaxExecutionTime),
  )
}

/** PATCH of a step: it may be let go on, or ended. */
export async function patchStep(
  engines: Engines,
  { bmc, params: { job = '', id = '' }, body, actor }: Call<Bmc>,
): Promise<void> {
  const { JobState: wanted } = body as JobPatch // as above
  if (wanted !== undefined) await moveTo(engines, { bmc, job: jobOf(bmc, `${job}/${id}`), wanted, actor })
}

interface Wanted {
  readonly bmc: Bmc
  readonly job: Job
  readonly wanted: string
  readonly actor: Actor
}

async function moveTo(engines: Engines, { bmc, job, wanted, actor }: Wanted): Promise<void> {
  if (wanted === job.state) return
  const moves = Object.hasOwn(statesToPatch, wanted) ? statesToPatch[wanted] : undefined
  // Others are the service's to say.
  if (moves === undefined) {
    throw new RedfishError(
      400,
      about(message('Base.PropertyValueIncorrect', 'JobState', wanted), '/JobState'),
    )
  }
  const move = job.rollout === undefined ? moves[job.state] : moveOfRollOut(rolloutMove(wanted))
  const isDone = (await move?.(engines, { bmc, key: jobKey(job), actor })) ?? false
  if (!isDone) throw new RedfishError(409, conflict(job, 'JobState', wanted))
}

/** The schedule as it is to be, or what is wrong with it. */
function scheduleAfter({ userJobs }: Engines, job: Job, change: JsonObject): ReturnType<typeof readSchedule> {
  const { Schedule: shown } = jobView(job)
  const read = readSchedule(merged(isObject(shown) ? shown : {}, change))
  return !read.ok || userJobs.willRun({ ...job, schedule: read.value }) ? read : fail([neverRuns()])
}

/** What a job is now, or does, stands against what was wanted of it. */
export function conflict(job: Job, name: string, value: unknown): Message {
  const { parent, id } = job
  const uri = parent === undefined ? uris.job(id) : uris.step(parent, id)
  const shown = typeof value === 'string' ? value : (JSON.stringify(value) ?? '')
  return about(message('Base.PropertyValueResourceConflict', name, shown, uri), `/${name}`)
}

function jobOf(bmc: Bmc, key: string): Job {
  const job = bmc.state.jobs.get(key)
  if (job === undefined) throw new Error(`no job ${key}, though it was shown`)
  return job
}
