import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Bmc } from '../../bmc/bmc.ts'
import type { KnownDevice, KnownType, NewDevice, Registry } from '../../console/registry.ts'
import { type EndpointHandler, paramsOf, pathOf } from '../../http/context.ts'
import { notFound } from '../../http/errors.ts'
import type { Endpoint } from '../../http/mount.ts'
import { RedfishError } from '../../redfish/errors.ts'
import { message } from '../../redfish/messages/message.ts'
import { standardRequirement } from '../../redfish/privileges.ts'
import type { Privileges } from '../../redfish/resource-table.ts'
import { uris } from '../../redfish/uris.ts'
import { answer, sendPage } from './answers.ts'
import {
  changesOf,
  type DeviceChanges,
  newDevice,
  newDevices,
  newType,
  someDevices,
  type TypeChanges,
} from './bodies.ts'
import { deviceView, managementView, typeView } from './views.ts'

/** As for the sources of an aggregation. */
const change = standardRequirement('AggregationSource', uris.aggregationSource(':id'), 'DELETE')
const privileges: Privileges = { GET: [['Login']], POST: change, PUT: change, DELETE: change }

/** The types and devices of IBM's device management, as far as its requests need them. */
export function registryEndpoints(registry: Registry): Endpoint[] {
  return [...typeEndpoints(registry), ...deviceEndpoints(registry), ...bulkEndpoints(registry)]
}

function typeEndpoints(registry: Registry): Endpoint[] {
  return [
    {
      path: uris.deviceTypes,
      privileges,
      methods: {
        GET: (request, reply, { bmc }) =>
          sendPage(request, reply, {
            keys: 'type',
            all: registry.types(bmc).map((type) => ({ key: type.typeId, view: () => typeView(type) })),
          }),
        POST: (request, reply, { bmc, principal }) => {
          const wanted = newType(request.body, principal?.username)
          const added = registry.addType(bmc, wanted)
          if (!added.ok) throw refusal(added.problem, wanted)
          return answer(reply, 201, typeView(added.value))
        },
      },
    },
    {
      path: uris.deviceType(':type'),
      privileges,
      methods: {
        GET: (request, reply, { bmc }) => answer(reply, 200, typeView(typeAt(registry, bmc, request))),
        PUT: (request, reply, { bmc }) => {
          const { registered, typeId } = typeAt(registry, bmc, request)
          if (registered === undefined) throw notFound(pathOf(request))
          const changes: TypeChanges = changesOf(request.body, 'type')
          return answer(
            reply,
            200,
            typeView({ typeId, registered: registry.change(bmc, registered, changes) }),
          )
        },
        DELETE: (request, reply, { bmc }) => {
          const { typeId } = typeAt(registry, bmc, request)
          if (!registry.removeType(bmc, typeId)) throw new RedfishError(409, message('Base.ResourceInUse'))
          return reply.code(204).send()
        },
      },
    },
  ]
}

function deviceEndpoints(registry: Registry): Endpoint[] {
  const found = (bmc: Bmc, request: FastifyRequest): KnownDevice => deviceAt(registry, bmc, request)
  const management: EndpointHandler = (request, reply, { bmc }) => {
    const { managed } = found(bmc, request)
    if (managed === undefined) throw notFound(pathOf(request))
    return answer(reply, 200, managementView(managed))
  }
  return [
    {
      path: uris.devicesOfType(':type'),
      privileges,
      methods: {
        GET: (request, reply, { bmc }) => {
          const { typeId } = typeAt(registry, bmc, request)
          const all = registry.devices(bmc, typeId)
          return sendDevices(request, reply, all)
        },
        POST: (request, reply, { bmc, principal }) => {
          const { typeId } = typeAt(registry, bmc, request)
          const wanted = newDevice(request.body, { typeId, by: principal?.username })
          const [added] = registry.addDevices(bmc, [wanted])
          if (added?.ok !== true) throw refusal(added?.problem ?? 'no-type', wanted)
          const known = registry.device(bmc, `${typeId}/${wanted.deviceId}`)
          return answer(reply, 201, { ...(known && deviceView(known)), authToken: added.value })
        },
      },
    },
    {
      path: uris.device(':type', ':device'),
      privileges,
      methods: {
        GET: (request, reply, { bmc }) => answer(reply, 200, deviceView(found(bmc, request))),
        PUT: (request, reply, { bmc }) => {
          const known = found(bmc, request)
          if (known.registered === undefined) throw notFound(pathOf(request))
          const changes: DeviceChanges = changesOf(request.body, 'device')
          return answer(
            reply,
            200,
            deviceView({ ...known, registered: registry.change(bmc, known.registered, changes) }),
          )
        },
        DELETE: (request, reply, { bmc }) => {
          const { typeId, deviceId } = found(bmc, request)
          registry.removeDevices(bmc, [`${typeId}/${deviceId}`])
          return reply.code(204).send()
        },
      },
    },
    {
      path: uris.deviceManagement(':type', ':device'),
      privileges: { GET: [['Login']] },
      methods: { GET: management },
    },
  ]
}

/** Many at once: 201 or 200 where all of it was done, 202 where some was, with what became of each. */
function bulkEndpoints(registry: Registry): Endpoint[] {
  const add: EndpointHandler = (request, reply, { bmc, principal }) => {
    const wanted = newDevices(request.body, principal?.username)
    const results = registry.addDevices(bmc, wanted)
    const told = wanted.map((one, index) => {
      const { typeId, deviceId } = one
      const added = results[index]
      const outcome = added?.ok === true ? { success: true, authToken: added.value } : { success: false }
      return { typeId, deviceId, ...outcome }
    })
    return answer(reply, results.every(({ ok }) => ok) ? 201 : 202, told)
  }
  const remove: EndpointHandler = (request, reply, { bmc }) => {
    const named = someDevices(request.body)
    const done = registry.removeDevices(
      bmc,
      named.map(({ typeId, deviceId }) => `${typeId}/${deviceId}`),
    )
    const told = named.map((one, index) => ({ ...one, success: done[index] === true }))
    return answer(reply, done.every((isDone) => isDone) ? 200 : 202, told)
  }
  return [
    {
      path: uris.allDevices,
      privileges,
      methods: { GET: (request, reply, { bmc }) => sendDevices(request, reply, registry.devices(bmc)) },
    },
    { path: uris.addDevices, privileges, methods: { POST: add } },
    { path: uris.removeDevices, privileges, methods: { POST: remove } },
  ]
}

function sendDevices(
  request: FastifyRequest,
  reply: FastifyReply,
  all: readonly KnownDevice[],
): FastifyReply {
  const listed = all.map((device) => ({
    key: `${device.typeId}/${device.deviceId}`,
    view: () => deviceView(device),
  }))
  return sendPage(request, reply, { keys: 'device', all: listed })
}

function typeAt(registry: Registry, bmc: Bmc, request: FastifyRequest): KnownType {
  const known = registry.type(bmc, paramsOf(request)['type'] ?? '')
  if (known === undefined) throw notFound(pathOf(request))
  return known
}

function deviceAt(registry: Registry, bmc: Bmc, request: FastifyRequest): KnownDevice {
  const { type = '', device = '' } = paramsOf(request)
  const known = registry.device(bmc, `${type}/${device}`)
  if (known === undefined) throw notFound(pathOf(request))
  return known
}

function refusal(
  problem: 'taken' | 'no-type' | 'no-room',
  { typeId, deviceId }: Pick<NewDevice, 'typeId'> & { readonly deviceId?: string },
): RedfishError {
  switch (problem) {
    case 'taken':
      return new RedfishError(
        409,
        deviceId === undefined
          ? message('Base.ResourceAlreadyExists', 'DeviceType', 'id', typeId)
          : message('Base.ResourceAlreadyExists', 'Device', 'deviceId', deviceId),
      )
    case 'no-type':
      return new RedfishError(404, message('Base.ResourceNotFound', 'DeviceType', typeId))
    case 'no-room':
      return new RedfishError(503, message('Base.CreateLimitReachedForResource'))
  }
}
