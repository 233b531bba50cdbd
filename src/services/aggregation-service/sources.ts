import type { Bmc, Row } from '../../bmc/bmc.ts'
import { sourceOf } from '../../bmc/device-documents.ts'
import type { DeviceAddress } from '../../bmc/managed-device.ts'
import type { AttachProblem } from '../../console/attaching.ts'
import type { Devices } from '../../console/devices.ts'
import { type Method, methodOf } from '../../console/method.ts'
import { problemMessages, problemStatus } from '../../console/problems.ts'
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
  if (!attached.ok) throw refusal(attached.problem, HostName, method.variant)
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
  const method = methodOf(devices.methods, device)
  const { HostName, UserName, Password } = bodyAs(SourcePatch, body, (whole) =>
    hostMistakes(whole['HostName'], method),
  )
  const address: DeviceAddress = {
    hostName: HostName ?? device.address.hostName,
    userName: UserName === undefined ? device.address.userName : (UserName ?? ''),
    password: Password === undefined ? device.address.password : (Password ?? ''),
  }
  const changed = await devices.change(bmc, device, address)
  if (!changed.ok) throw refusal(changed.problem, address.hostName, method?.variant ?? device.method)
}

function refusal(problem: AttachProblem, hostName: string, variant: string): RedfishError {
  const conflictWith = (uri: string): Message =>
    about(message('Base.PropertyValueResourceConflict', 'HostName', hostName, uri), '/HostName')
  if (problem.kind === 'taken')
    return new RedfishError(409, [
      message('Base.ResourceAlreadyExists', 'AggregationSource', 'HostName', hostName),
      ...(problem.by ? [conflictWith(uris.aggregationSource(problem.by.id))] : []),
    ])
  if (problem.kind === 'itself') return new RedfishError(409, conflictWith(uris.root))
  if (problem.kind === 'unsupported')
    return new RedfishError(400, [
      message('Base.SourceDoesNotSupportProtocol', hostName, variant),
      message('Redflash.DeviceFailed', hostName, problem.detail),
    ])
  return new RedfishError(problemStatus(problem), problemMessages(problem, hostName))
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
