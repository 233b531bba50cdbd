import type { Bmc, Row } from '../../bmc/bmc.ts'
import { sourceOf } from '../../bmc/device-documents.ts'
import type { DeviceAddress } from '../../bmc/managed-device.ts'
import type { AttachProblem, Devices } from '../../console/devices.ts'
import { type Method, methodOf } from '../../console/method.ts'
import { problemMessage, problemStatus } from '../../console/problems.ts'
import { Type } from '../../lib/schema.ts'
import { bodyAs } from '../../redfish/body.ts'
import { RedfishError } from '../../redfish/errors.ts'
import { about, type Message, message } from '../../redfish/messages/message.ts'
import { collection, isObject } from '../../redfish/resource.ts'
import type { Answer, Call } from '../../redfish/resource-table.ts'
import { referencePath, uris } from '../../redfish/uris.ts'

const closed = { additionalProperties: false }
const MAX_TEXT = 1_024
const Text = Type.String({ minLength: 1, maxLength: MAX_TEXT })
const Secret = Type.Unsafe<string | null>({ type: ['string', 'null'], maxLength: MAX_TEXT })
const Reference = Type.Object({ '@odata.id': Text }, closed)

const NewSource = Type.Object(
  {
    Name: Type.Optional(Text),
    HostName: Text,
    UserName: Type.Optional(Secret),
    Password: Type.Optional(Secret),
    AggregationType: Type.Optional(Type.Unsafe<'Full'>({ enum: ['Full'] })),
    Links: Type.Object({ ConnectionMethod: Reference }, closed),
  },
  closed,
)

const SourcePatch = Type.Object(
  {
    HostName: Type.Optional(Text),
    UserName: Type.Optional(Secret),
    Password: Type.Optional(Secret),
  },
  closed,
)

interface SourceOptions {
  readonly devices: Devices
}

/** AggregationSources: each is a device that is attached, looked at before it is. */
export function sourceRows({ devices }: SourceOptions): Row[] {
  return [
    {
      path: uris.aggregationSources,
      type: 'AggregationSourceCollection',
      view: ({ state }) =>
        collection(
          'AggregationSourceCollection',
          uris.aggregationSources,
          'Aggregation sources',
          [...state.devices.keys()].map(uris.aggregationSource),
        ),
      post: (call) => attach(call, devices),
    },
    {
      path: uris.aggregationSource(':id'),
      type: 'AggregationSource',
      view: ({ state }, { id = '' }) => {
        const device = state.devices.get(id)
        return device && sourceOf(device)
      },
      patch: { schema: SourcePatch, apply: (call) => change(call, devices) },
      delete: ({ bmc, params: { id = '' } }) => {
        devices.detach(bmc, id)
        return { status: 204 }
      },
    },
  ]
}

async function attach({ bmc, body }: Call<Bmc>, devices: Devices): Promise<Answer> {
  const source = bodyAs(NewSource, body, (whole) => [
    ...hostMistakes(whole['HostName'], methodIn(devices, whole['Links'])),
    ...methodMistakes(devices, whole['Links']),
  ])
  const { Name: name, HostName, UserName, Password, Links } = source
  const method = methodAt(devices, Links.ConnectionMethod['@odata.id'])
  if (method === undefined) throw new Error('a ConnectionMethod that there is not was found right')
  const address = { hostName: HostName, userName: UserName ?? '', password: Password ?? '' }
  const attached = await devices.attach(bmc, method, { name, address })
  if (!attached.ok) throw refusal(attached.problem, HostName)
  const { id } = attached.value
  return {
    status: 201,
    headers: { Location: uris.aggregationSource(id) },
    body: sourceOf(attached.value),
  }
}

function methodAt(devices: Devices, reference: string): Method | undefined {
  const path = referencePath(reference)
  return devices.methods.find(({ id }) => path === uris.connectionMethod(id))
}

function methodIn(devices: Devices, links: unknown): Method | undefined {
  const reference = referenceIn(links)
  return typeof reference === 'string' ? methodAt(devices, reference) : undefined
}

function referenceIn(links: unknown): unknown {
  const method = isObject(links) ? links['ConnectionMethod'] : undefined
  return isObject(method) ? method['@odata.id'] : undefined
}

/** A ConnectionMethod that there is not, in links that may be anything. */
function methodMistakes(devices: Devices, links: unknown): Message[] {
  const reference = referenceIn(links)
  if (typeof reference !== 'string' || methodAt(devices, reference) !== undefined) return []
  return [about(message('Base.ResourceMissingAtURI', reference), '/Links/ConnectionMethod/@odata.id')]
}

async function change({ bmc, params: { id = '' }, body }: Call<Bmc>, devices: Devices): Promise<void> {
  const device = bmc.state.devices.get(id)
  if (device === undefined) return
  const { HostName, UserName, Password } = bodyAs(SourcePatch, body, (whole) =>
    hostMistakes(whole['HostName'], methodOf(devices.methods, device)),
  )
  const address: DeviceAddress = {
    hostName: HostName ?? device.address.hostName,
    userName: UserName === undefined ? device.address.userName : (UserName ?? ''),
    password: Password === undefined ? device.address.password : (Password ?? ''),
  }
  const changed = await devices.change(bmc, device, address)
  if (!changed.ok) throw refusal(changed.problem, address.hostName)
}

function refusal(problem: AttachProblem, hostName: string): RedfishError {
  if (problem.kind === 'taken')
    return new RedfishError(
      409,
      message('Base.ResourceAlreadyExists', 'AggregationSource', 'HostName', hostName),
    )
  if (problem.kind === 'itself') {
    const conflict = message('Base.PropertyValueResourceConflict', 'HostName', hostName, uris.root)
    return new RedfishError(409, about(conflict, '/HostName'))
  }
  const what = problemMessage(problem, hostName)
  // It says why itself.
  if (problem.kind === 'unauthorized' || problem.kind === 'refused')
    return new RedfishError(problemStatus(problem), what)
  const why = message('Redflash.DeviceFailed', hostName, problem.detail)
  return new RedfishError(problemStatus(problem), [what, why])
}

/** Everybody may see a host name: no user, and no password, is in it. And it leads to a device. */
function hostMistakes(hostName: unknown, method: Method | undefined): Message[] {
  if (typeof hostName !== 'string' || hostName === '') return []
  const hasUser = hostName.includes('@')
  const placeOf = method?.adapter.placeOf
  if (!hasUser && (placeOf === undefined || placeOf(hostName) !== undefined)) return []
  const shown = hasUser ? '******' : hostName
  return [about(message('Base.PropertyValueFormatError', shown, 'HostName'), '/HostName')]
}
