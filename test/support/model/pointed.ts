import { imagesOf } from '../../../src/bmc/banks.ts'
import { type Bmc, listComponents } from '../../../src/bmc/bmc.ts'
import type { Machine } from '../../../src/bmc/machine.ts'
import type { JobState, Task } from '../../../src/bmc/state.ts'
import type { JsonObject } from '../../../src/redfish/resource.ts'
import { uris } from '../../../src/redfish/uris.ts'
import { jobKey, jobUri } from '../../../src/tasks/job.ts'
import { taskKey, taskUri } from '../../../src/tasks/task.ts'
import { listStandby } from '../../../src/update/standby.ts'

/** A request without credentials. */
export interface Request {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  readonly url: string
  readonly body?: JsonObject | Buffer
  readonly headers?: Readonly<Record<string, string>>
}

/** What has not ended. */
const going: readonly JobState[] = ['New', 'Running', 'Pending', 'Suspended', 'UserIntervention', 'Continue']

/** What there is of a kind, the newest last. */
const lists = {
  task: ({ state }: Bmc) => [...state.tasks.values()].filter(({ parent }) => parent === undefined),
  part: ({ state }: Bmc) => [...state.tasks.values()].filter(({ parent }) => parent !== undefined),
  job: ({ state }: Bmc) => [...state.jobs.values()].filter(({ parent }) => parent === undefined),
  step: ({ state }: Bmc) => [...state.jobs.values()].filter(({ parent }) => parent !== undefined),
} as const

type Make = (bmc: Bmc, at: number) => Request | undefined

/** What clients may ask about something that is there; nothing, where there is no such thing. */
const requests = {
  'delete a task': onTask('DELETE', uris.task),
  'delete a running task': (bmc, at) => {
    const task = pick(lists.task(bmc).filter(isGoing), at)
    return task && { method: 'DELETE', url: uris.task(task.id) }
  },
  'delete a sub-task': (bmc, at) => {
    const part = pick(lists.part(bmc).filter(isGoing), at)
    return part && { method: 'DELETE', url: taskUri(taskKey(part)) }
  },
  'delete a monitor': onTask('DELETE', uris.taskMonitor),
  'read a monitor': onTask('GET', uris.taskMonitor),
  'delete finished tasks': () => action(uris.taskService, 'TaskService.DeleteAllCompletedTasks'),
  'cancel a job': jobAction('Job.Cancel', ['Running', 'Suspended']),
  'suspend a job': jobAction('Job.Suspend', ['Running']),
  'resume a job': jobAction('Job.Resume', ['Suspended']),
  'force a job': jobAction('Job.ForceStart', ['Pending']),
  'delete a job': (bmc, at) => {
    const job = pick(lists.job(bmc), at)
    return job && { method: 'DELETE', url: uris.job(job.id) }
  },
  'continue a job': patchJob('job', { JobState: 'Continue' }, ['UserIntervention']),
  'let a job run': patchJob('job', { JobState: 'Running' }, ['Suspended', 'Pending']),
  'hold a job': patchJob('job', { JobState: 'Suspended' }, ['Running']),
  'end a job': patchJob('job', { JobState: 'Cancelled' }),
  'limit a job': patchJob('job', { MaxExecutionTime: 'PT20S' }),
  'continue a step': patchJob('step', { JobState: 'Continue' }, ['UserIntervention']),
  'end a step': patchJob('step', { JobState: 'Cancelled' }),
  'cancel all jobs': ({ state }) =>
    state.jobs.size === 0 ? undefined : action(uris.jobService, 'JobService.CancelAllJobs'),
  'start what waits': () => action(uris.updateService, 'UpdateService.StartUpdate'),
  'activate an image': (bmc, at) => {
    const standby = pick(listStandby(bmc), at)
    return standby && action(uris.firmware(standby.image.id), 'SoftwareInventory.Activate')
  },
  'activate all images': (bmc) => {
    const Targets = listStandby(bmc).map(({ image }) => ({ '@odata.id': uris.firmware(image.id) }))
    return Targets.length === 0
      ? undefined
      : action(uris.updateService, 'UpdateService.Activate', { Targets })
  },
  'delete an image': (bmc, at) => {
    const standby = pick(listStandby(bmc), at)
    return standby && { method: 'DELETE', url: uris.firmware(standby.image.id) }
  },
  'delete a kept image': (bmc, at) => {
    const kept = pick([...bmc.state.localImages.keys()], at)
    return kept === undefined ? undefined : { method: 'DELETE', url: uris.localImage(kept) }
  },
  'choose what boots': (bmc, at) => {
    const manager = pick(managersWithChoice(bmc), at)
    const image = pick(imagesOf(bmc, manager ?? ''), at)
    const Links = { ActiveSoftwareImage: { '@odata.id': image?.uri ?? '' } }
    return manager === undefined ? undefined : { method: 'PATCH', url: manager, body: { Links } }
  },
  'fail over': (bmc, at) => {
    const manager = pick(managersWithChoice(bmc), at)
    if (manager === undefined) return undefined
    return action(manager, 'Manager.ForceFailover', { NewManager: { '@odata.id': manager } })
  },
  'protect a component': protect(true),
  'free a component': protect(false),
} as const satisfies Readonly<Record<string, Make>>

/** The requests that there is something for. */
export function requestsTo(bmc: Bmc, at: number): readonly Request[] {
  return Object.values<Make>(requests).flatMap((make) => make(bmc, at) ?? [])
}

export function action(resource: string, name: string, body: JsonObject = {}): Request {
  return { method: 'POST', url: uris.action(resource, name), body }
}

/** `at` counts from the newest, and round again. */
export function pick<T>(list: readonly T[], at: number): T | undefined {
  return list.length === 0 ? undefined : list.at(-1 - (at % list.length))
}

function onTask(method: Request['method'], uri: (id: string) => string): Make {
  return (bmc, at) => {
    const task = pick(lists.task(bmc), at)
    return task && { method, url: uri(task.id) }
  }
}

function jobAction(name: string, states: readonly JobState[]): Make {
  return (bmc, at) => {
    const job = pick(
      lists.job(bmc).filter(({ state }) => states.includes(state)),
      at,
    )
    return job && action(uris.job(job.id), name)
  }
}

function patchJob(kind: 'job' | 'step', body: JsonObject, states = going): Make {
  return (bmc, at) => {
    const job = pick(
      lists[kind](bmc).filter(({ state }) => states.includes(state)),
      at,
    )
    return job && { method: 'PATCH', url: jobUri(jobKey(job)), body }
  }
}

function managersWithChoice(bmc: Bmc): string[] {
  return managersOf(bmc.machine).filter((uri) => imagesOf(bmc, uri).length > 1)
}

export function managersOf({ resources }: Machine): string[] {
  return [...resources.keys()].filter((uri) => /^\/redfish\/v1\/Managers\/[^/]+$/.test(uri))
}

function isGoing({ endTime }: Task): boolean {
  return endTime === undefined
}

function protect(WriteProtected: boolean): Make {
  return (bmc, at) => {
    const component = pick(listComponents(bmc), at)
    return component && { method: 'PATCH', url: component.uri, body: { WriteProtected } }
  }
}
