import type { Bmc, Row } from '../../bmc/bmc.ts'
import { commit } from '../../bmc/commit.ts'
import { isThere } from '../../bmc/presence.ts'
import type { Job } from '../../bmc/state.ts'
import type { Targets } from '../../http/targets.ts'
import { type Static, Type } from '../../lib/schema.ts'
import { errorBody, RedfishError } from '../../redfish/errors.ts'
import { about, type Message, message } from '../../redfish/messages/message.ts'
import { collection, type Json, link, type Resource, resource } from '../../redfish/resource.ts'
import type { Answer, Call } from '../../redfish/resource-table.ts'
import { JOB_LOG, uris } from '../../redfish/uris.ts'
import { isFinalJob } from '../../tasks/job.ts'
import { type JobEngine, MAX_JOBS } from '../../tasks/job-engine.ts'
import { jobView } from '../../tasks/job-resource.ts'
import { jobWish } from './job-body.ts'
import { conflict, jobActionsOf, patchJob, patchStep, stopJob } from './job-changes.ts'
import type { Rollouts } from '../../console/rollouts/rollouts.ts'
import type { UserJobs } from './user-jobs.ts'

const closed = { additionalProperties: false }
const ServicePatch = Type.Object({ ServiceEnabled: Type.Optional(Type.Boolean()) }, closed)
const NoParameters = Type.Object({}, closed)
const CANCEL_ALL = 'JobService.CancelAllJobs'

/** What works behind the job service. */
interface JobServiceEngines {
  readonly jobs: JobEngine
  readonly userJobs: UserJobs
  readonly rollouts: Rollouts
  /** Whether there can be roll-outs. */
  readonly isConsole: boolean
  readonly targets: Targets
  /** How a roll-out is asked for. */
  readonly orders: {
    readonly targetUri: string
    readonly mistakes: (bmc: Bmc, order: Json, at: string) => readonly Message[]
  }
}

/** JobService, its jobs and their steps: what the service does for long, and what users want done later. */
export function jobRows(engines: JobServiceEngines): Row[] {
  return [
    {
      path: uris.jobService,
      type: 'JobService',
      view: serviceView,
      patch: {
        schema: ServicePatch,
        apply: ({ bmc, body }) => {
          const { ServiceEnabled } = body as Static<typeof ServicePatch>
          if (ServiceEnabled !== undefined) commit(bmc, { settings: { jobServiceEnabled: ServiceEnabled } })
        },
      },
      actions: { [CANCEL_ALL]: { parameters: NoParameters, run: (call) => cancelAll(engines, call) } },
    },
    {
      path: uris.jobs,
      type: 'JobCollection',
      view: ({ state }) => {
        const jobs = [...state.jobs.values()].filter(({ parent }) => parent === undefined)
        return collection(
          'JobCollection',
          uris.jobs,
          'Jobs',
          jobs.map(({ id }) => uris.job(id)),
        )
      },
      post: (call) => createJob(engines, call),
    },
    {
      path: uris.job(':id'),
      type: 'Job',
      owner: ({ state }, { id = '' }) => state.jobs.get(id)?.actor?.username,
      view: (bmc, { id = '' }) => {
        const job = bmc.state.jobs.get(id)
        return job?.parent === undefined ? job && shown(bmc, job) : undefined
      },
      patch: {
        writable: ({ JobType, ...job }) => ({
          JobState: true,
          ...('MaxExecutionTime' in job && { MaxExecutionTime: true }),
          ...(JobType === 'UserSpecified' && { Schedule: true }),
        }),
        apply: (call) => patchJob(engines, call),
      },
      delete: (call) => deleteJob(engines, call),
      actions: jobActionsOf(engines),
    },
    ...stepRows(engines),
  ]
}

function stepRows(engines: JobServiceEngines): Row[] {
  return [
    {
      path: uris.steps(':job'),
      type: 'JobCollection',
      view: ({ state }, { job: id = '' }) => {
        const job = state.jobs.get(id)
        if (job === undefined || job.parent !== undefined) return undefined
        const steps = [...state.jobs.values()].filter(({ parent }) => parent === id)
        return collection(
          'JobCollection',
          uris.steps(id),
          `Steps of ${job.name}`,
          steps.map((step) => uris.step(id, step.id)),
        )
      },
    },
    {
      path: uris.step(':job', ':id'),
      type: 'Job',
      owner: ({ state }, { job = '' }) => state.jobs.get(job)?.actor?.username,
      view: ({ state }, { job = '', id = '' }) => {
        const step = state.jobs.get(`${job}/${id}`)
        return step && jobView(step)
      },
      patch: { writable: () => ({ JobState: true }), apply: (call) => patchStep(engines, call) },
    },
  ]
}

/** What it has made may be gone by now. */
function shown(bmc: Bmc, job: Job): Resource {
  const { createdResources: created } = job
  return jobView(created ? { ...job, createdResources: created.filter((uri) => isThere(bmc, uri)) } : job)
}

function serviceView({ state: { settings }, machine }: Bmc) {
  const { jobServiceEnabled } = settings
  return {
    ...resource('JobService', uris.jobService, 'Job service'),
    ServiceEnabled: jobServiceEnabled,
    Status: { State: jobServiceEnabled ? 'Enabled' : 'Disabled', Health: 'OK' },
    ServiceCapabilities: {
      MaxJobs: MAX_JOBS,
      // One for each device.
      MaxSteps: machine.components.size,
      Scheduling: true,
      DocumentBasedJobs: false,
      UserSpecifiedJobs: true,
    },
    Jobs: link(uris.jobs),
    Log: link(uris.logService(machine.manager, JOB_LOG)),
    Actions: { [`#${CANCEL_ALL}`]: { target: uris.action(uris.jobService, CANCEL_ALL) } },
  }
}

function createJob(
  { jobs, userJobs, targets, orders, isConsole }: JobServiceEngines,
  { bmc, body, actor }: Call<Bmc>,
): Answer {
  if (!bmc.state.settings.jobServiceEnabled) {
    throw new RedfishError(503, message('Base.ServiceDisabled', uris.jobService))
  }
  const wish = jobWish(body, {
    methodsOf: (path) => targets(bmc, path),
    rollOuts: {
      targetUri: orders.targetUri,
      mistakes: (order, at) =>
        isConsole && targets(bmc, orders.targetUri).length > 0
          ? orders.mistakes(bmc, order, at)
          : [about(message('Base.PropertyUnknown', at.slice(1)), at)],
    },
    willRun: (schedule) => userJobs.willRun({ schedule }),
  })
  if (!jobs.hasRoom(bmc)) throw new RedfishError(503, message('Base.CreateLimitReachedForResource'))
  const job = userJobs.start(bmc, wish, actor)
  return { status: 201, headers: { Location: uris.job(job.id) }, body: jobView(job) }
}

/** Removes a job that has ended, cancels any other where its stage allows it. */
async function deleteJob(
  engines: JobServiceEngines,
  { bmc, params: { id = '' }, actor }: Call<Bmc>,
): Promise<Answer> {
  if (engines.jobs.remove(bmc, id)) return { status: 204 }
  if (!(await stopJob(engines, { bmc, key: id, actor })))
    throw new RedfishError(409, message('Base.ResourceInUse'))
  const job = bmc.state.jobs.get(id)
  return { status: 202, headers: { Location: uris.job(id) }, ...(job && { body: jobView(job) }) }
}

/** CancelAllJobs; those that are past stopping are told of. */
async function cancelAll(engines: JobServiceEngines, { bmc, actor }: Call<Bmc>): Promise<Answer> {
  const going = [...bmc.state.jobs.values()].filter(
    (job) => job.parent === undefined && job.wave === undefined && !isFinalJob(job.state),
  )
  const stopped = await Promise.all(going.map(async ({ id }) => stopJob(engines, { bmc, key: id, actor })))
  const left = going.filter((_, index) => stopped[index] !== true)
  if (left.length === 0) return { status: 204 }
  return { status: 200, body: errorBody(left.map((job) => conflict(job, 'JobState', 'Cancelled'))) }
}
