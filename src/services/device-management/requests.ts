import type { Bmc } from '../../bmc/bmc.ts'
import type { AskedDevice, DeviceRequest } from '../../bmc/device-request.ts'
import type { Job } from '../../bmc/state.ts'
import { askedState, type AskedState, stepKeys } from '../../console/requests/counts.ts'
import type { Requests } from '../../console/requests/requests.ts'
import type { Refusal } from '../../console/requests/wish.ts'
import { actorOf, paramsOf, pathOf } from '../../http/context.ts'
import { notFound } from '../../http/errors.ts'
import type { Endpoint } from '../../http/mount.ts'
import { timestamp } from '../../lib/clock.ts'
import { ofEach } from '../../lib/of-each.ts'
import { RedfishError } from '../../redfish/errors.ts'
import { message } from '../../redfish/messages/message.ts'
import { standardRequirement } from '../../redfish/privileges.ts'
import type { JsonObject } from '../../redfish/resource.ts'
import { withoutSecrets } from '../../redfish/secrets.ts'
import { uris } from '../../redfish/uris.ts'
import { isFinalJob } from '../../tasks/job.ts'
import { answer, sendPage } from './answers.ts'

/** The requests of IBM's device management: each is a job, seen from another side. */
export function requestEndpoints(requests: Requests): Endpoint[] {
  return [allRequests(requests), oneRequest(requests), ...deviceStatuses]
}

function allRequests(requests: Requests): Endpoint {
  return {
    path: uris.deviceRequests,
    privileges: { GET: [['Login']], POST: [['ConfigureComponents']] },
    methods: {
      GET: (request, reply, { bmc }) => {
        const all = [...bmc.state.jobs.values()].filter((job) => job.request !== undefined)
        const listed = all.map((job) => ({ key: Number(job.id), view: () => requestView(job) }))
        return sendPage(request, reply, { keys: 'number', all: listed })
      },
      POST: async (request, reply, { bmc }) => {
        const begun = await requests.begin(bmc, request.body, actorOf(request))
        if (begun === 'no-room') throw new RedfishError(503, message('Base.CreateLimitReachedForResource'))
        if (!begun.ok) throw refused(begun.problem)
        return answer(reply, 202, { reqId: begun.value.id })
      },
    },
  }
}

function oneRequest(requests: Requests): Endpoint {
  return {
    path: uris.deviceRequest(':id'),
    privileges: { GET: [['Login']], DELETE: standardRequirement('Job', uris.job(':id'), 'DELETE') },
    owner: ({ state }, { id = '' }) => state.jobs.get(id)?.actor?.username,
    methods: {
      GET: (request, reply, { bmc }) => answer(reply, 200, requestView(requestOf(bmc, request))),
      DELETE: async (request, reply, { bmc }) => {
        await requests.remove(bmc, requestOf(bmc, request).id)
        return reply.code(204).send()
      },
    },
  }
}

const deviceStatuses: readonly Endpoint[] = [
  {
    path: uris.deviceStatuses(':id'),
    privileges: { GET: [['Login']] },
    methods: {
      GET: (request, reply, { bmc }) => {
        const steps = stepKeys(requestOf(bmc, request)).map((key, index) => ({
          key: index + 1,
          view: () => statusView(bmc.state.jobs.get(key)),
        }))
        return sendPage(request, reply, { keys: 'number', all: steps })
      },
    },
  },
  {
    path: uris.deviceStatus(':id', ':type', ':device'),
    privileges: { GET: [['Login']] },
    methods: {
      GET: (request, reply, { bmc }) => {
        const job = requestOf(bmc, request)
        const { type = '', device = '' } = paramsOf(request)
        const key = job.request && stepsByDevice(job.request)(bmc, job).get(`${type}/${device}`)
        if (key === undefined) throw notFound(pathOf(request))
        return answer(reply, 200, statusView(bmc.state.jobs.get(key)))
      },
    },
  },
]

const statusOf: Readonly<Record<Refusal['kind'], number>> = {
  form: 400,
  unknown: 404,
  state: 409,
  unsupported: 501,
}

/** All mistakes in one answer; what is wrong with the request itself comes first. */
function refused(refusals: readonly Refusal[]): RedfishError {
  const status = Math.min(...refusals.map(({ kind }) => statusOf[kind]))
  return new RedfishError(
    status,
    refusals.map((refusal) => refusal.message),
  )
}

function requestOf({ state }: Bmc, request: Parameters<typeof paramsOf>[0]): Job {
  const job = state.jobs.get(paramsOf(request)['id'] ?? '')
  if (job?.request === undefined) throw notFound(pathOf(request))
  return job
}

function requestView(job: Job): JsonObject {
  const { id, request, parts = 0, createdAt, endTime, actor, percent } = job
  return {
    id,
    action: request?.action,
    parameters: request?.parameters.map(({ name, value }) => ({
      name,
      value: String(withoutSecrets('', value)),
    })),
    deviceCount: parts,
    percentComplete: percent,
    complete: isFinalJob(job.state),
    created: timestamp(createdAt),
    ...(endTime !== undefined && { ended: timestamp(endTime) }),
    createdBy: actor?.username,
    refs: { deviceStatus: uris.deviceStatuses(id), job: uris.job(id) },
  }
}

/** 0 and 1 are IBM's; of the others its documents tell that there are such, and not which numbers they have. */
const statuses: Readonly<Record<AskedState, number>> = {
  Succeeded: 0,
  Pending: 1,
  Running: 1,
  Failed: 2,
  Cancelled: 2,
  TimedOut: 3,
}

function statusView(step: Job | undefined): JsonObject {
  if (step === undefined) return {}
  const { typeId, deviceId }: AskedDevice = step.asked ?? { typeId: '', deviceId: '' }
  const told = step.messages.map(({ Message: text }) => text).join(' ')
  return {
    typeId,
    deviceId,
    status: statuses[askedState(step)],
    complete: isFinalJob(step.state),
    ...(told !== '' && { message: told }),
  }
}

/** The steps of a request by their devices, found when somebody first asks for one. */
const stepsByDevice = ofEach((_request: DeviceRequest) => {
  let known: ReadonlyMap<string, string> | undefined
  return ({ state }: Bmc, job: Job): ReadonlyMap<string, string> => {
    known ??= new Map(
      stepKeys(job).map((key) => {
        const { typeId = '', deviceId = '' } = state.jobs.get(key)?.asked ?? {}
        return [`${typeId}/${deviceId}`, key] as const
      }),
    )
    return known
  }
})
