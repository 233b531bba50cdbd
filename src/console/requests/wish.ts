import type { DeviceRequest, RequestParameter } from '../../bmc/device-request.ts'
import { type Action, actions, MAX_DEVICES } from '../../devices/mqtt/actions.ts'
import { type Firmware, isWorking, noFirmware, states } from '../../devices/mqtt/firmware.ts'
import type { ManagedDevice } from '../../devices/mqtt/managed-device.ts'
import { type DeviceId, keyOf } from '../../devices/mqtt/topics.ts'
import { fail, type Result, succeed } from '../../lib/result.ts'
import { Type } from '../../lib/schema.ts'
import { about, type Message, message } from '../../redfish/messages/message.ts'
import { isObject } from '../../redfish/resource.ts'
import { withoutSecrets } from '../../redfish/secrets.ts'
import { judge, propertyMessages } from '../../redfish/validation.ts'

const closed = { additionalProperties: false }
const Text = Type.String({ minLength: 1, maxLength: 4_096 })

const Wish = Type.Object(
  {
    action: Type.Unsafe<Action>({ enum: Object.keys(actions) }),
    parameters: Type.Optional(Type.Array(Type.Object({ name: Text, value: Text }, closed))),
    devices: Type.Array(Type.Object({ typeId: Text, deviceId: Text }, closed), {
      minItems: 1,
      maxItems: MAX_DEVICES,
    }),
  },
  closed,
)
const judgeForm = judge(Wish)

/** What devices are to be asked for, and which. */
export interface RequestWish extends DeviceRequest {
  readonly action: Action
  readonly devices: readonly DeviceId[]
}

/** What stands against a wish: its own form, who it is for, what those do now, or what they can. */
export interface Refusal {
  readonly kind: 'form' | 'unknown' | 'state' | 'unsupported'
  readonly message: Message
}

/** What is known of a device that is managed. */
export interface Known extends Pick<ManagedDevice, 'supports' | 'firmware'> {
  /** Whether an update or another request has its hold on it. */
  readonly isBusy: boolean
}

/** What of a body can be read, whatever else is wrong with it. */
interface Said {
  readonly action: Action | undefined
  readonly parameters: readonly Placed<RequestParameter>[]
  readonly devices: readonly Placed<DeviceId>[]
}

type Placed<T> = T & { readonly pointer: string }

const firmwareParameters = ['uri', 'name', 'version', 'verifier']

/** The wish that a client's body says, or everything that stands against it. */
export function judgeWish(
  body: unknown,
  find: (key: string) => Known | undefined,
): Result<RequestWish, readonly Refusal[]> {
  if (!isObject(body)) return fail([ofForm(message('Base.UnrecognizedRequestBody'))])
  const form = judgeForm(body)
  const said = read(body)
  const found = said.devices.map((device) => find(keyOf(device)))
  const refusals = [
    ...(form.ok ? [] : propertyMessages(form.problem).map(ofForm)),
    ...[...parameterMistakes(said), ...missingUri(said, found), ...listMistakes(said)].map(ofForm),
    ...said.devices.flatMap((device, index) => deviceRefusals(device, said.action, found[index])),
  ]
  if (!form.ok || refusals.length > 0) return fail(refusals)
  return succeed({ parameters: [], ...form.value })
}

/** What a parameter says; nothing where it is not given. */
export function parameterOf({ parameters }: Pick<DeviceRequest, 'parameters'>, name: string) {
  return parameters.find((parameter) => parameter.name === name)?.value
}

function read({ action, parameters, devices }: Readonly<Record<string, unknown>>): Said {
  return {
    action: typeof action === 'string' && Object.hasOwn(actions, action) ? (action as Action) : undefined, // as found
    parameters: thoseWith<'name' | 'value'>(parameters, 'parameters', ['name', 'value']),
    devices: thoseWith<'typeId' | 'deviceId'>(devices, 'devices', ['typeId', 'deviceId']),
  }
}

/** The items of a list that have these members, with where they are. */
function thoseWith<K extends string>(
  list: unknown,
  name: string,
  members: readonly K[],
): Placed<Readonly<Record<K, string>>>[] {
  if (!Array.isArray(list)) return []
  return list.flatMap((item: unknown, index) => {
    const isWhole = isObject(item) && members.every((member) => typeof item[member] === 'string')
    const pointer = `/${name}/${index}`
    return isWhole ? [{ ...(item as Readonly<Record<K, string>>), pointer }] : [] // as it was looked at
  })
}

function parameterMistakes({ action, parameters }: Said): Message[] {
  if (action === undefined) return []
  const known = actions[action].needs === 'firmwareActions' ? firmwareParameters : []
  const seen = new Set<string>()
  return parameters.flatMap(({ name, value, pointer }) => {
    const isTwice = seen.has(name)
    seen.add(name)
    const said = !known.includes(name)
      ? message('Base.PropertyValueNotInList', name, `${pointer.slice(1)}/name`)
      : isTwice
        ? message('Base.PropertyValueConflict', `${pointer.slice(1)}/name`, `parameters: ${name}`)
        : name === 'uri' && value !== '' && !canBeFetched(value)
          ? message('Base.PropertyValueFormatError', shownUri(value), `${pointer.slice(1)}/value`)
          : undefined
    return said === undefined ? [] : [about(said, pointer)]
  })
}

/** Whether it names a host, and something there: what is a file, or nowhere, no device fetches from there. */
function canBeFetched(uri: string): boolean {
  const { protocol = 'file:', hostname = '' } = URL.parse(uri) ?? {}
  return protocol !== 'file:' && hostname !== ''
}

function shownUri(uri: string): string {
  return String(withoutSecrets('', uri)).slice(0, 200)
}

/** A device that was told of an image before need not be told again. */
function missingUri({ action, parameters }: Said, devices: readonly (Known | undefined)[]): Message[] {
  if (action !== 'firmware/download' || parameters.some(({ name }) => name === 'uri')) return []
  const areTold =
    devices.length > 0 && devices.every((device) => device !== undefined && device.firmware.uri !== '')
  return areTold ? [] : [about(message('Base.PropertyMissing', 'parameters: uri'), '/parameters')]
}

/** What is wrong with devices as a list. */
function listMistakes({ action, devices }: Said): Message[] {
  const types = new Set(devices.map(({ typeId }) => typeId))
  const isMixed = action !== undefined && actions[action].ofOneType === true && types.size > 1
  const mixed = isMixed ? [message('Redflash.DeviceTypesMixed', action, some([...types]))] : []
  const seen = new Map<string, string>()
  const twice = devices.flatMap((device) => {
    const key = keyOf(device)
    const first = seen.get(key)
    seen.set(key, first ?? device.pointer)
    return first === undefined
      ? []
      : [
          about(
            message('Base.PropertyValueConflict', device.pointer.slice(1), first.slice(1)),
            device.pointer,
          ),
        ]
  })
  return [...mixed.map((said) => about(said, '/devices')), ...twice]
}

function deviceRefusals(
  { typeId, deviceId, pointer }: Placed<DeviceId>,
  action: Action | undefined,
  device: Known | undefined,
): Refusal[] {
  const key = keyOf({ typeId, deviceId })
  const refuse = (kind: Refusal['kind'], said: Message): Refusal[] => [
    { kind, message: about(said, pointer) },
  ]
  if (device === undefined) return refuse('unknown', message('Base.ResourceNotFound', 'Device', key))
  if (action === undefined) return []
  if (device.supports[actions[action].needs] !== true)
    return refuse('unsupported', message('Redflash.DeviceActionUnsupported', key, action))
  if (device.isBusy) return refuse('state', message('Redflash.ComponentBusy', key))
  const { firmware } = device
  if (isReady(action, firmware)) return []
  const { state, updateStatus } = firmware
  return refuse(
    'state',
    message('Redflash.DeviceInWrongState', key, action, String(state), String(updateStatus)),
  )
}

/** Whether a device can be asked now; of one that has told nothing yet, nobody knows better than itself. */
function isReady(action: Action, firmware: Firmware): boolean {
  if (actions[action].needs !== 'firmwareActions' || firmware === noFirmware) return true
  const wanted = action === 'firmware/download' ? states.idle : states.downloaded
  return firmware.state === wanted && !isWorking(firmware)
}

function ofForm(said: Message): Refusal {
  return { kind: 'form', message: said }
}

const MAX_NAMED = 5

function some(names: readonly string[]): string {
  const named = names.slice(0, MAX_NAMED).map((name) => `'${name}'`)
  return [...named, ...(names.length > MAX_NAMED ? ['…'] : [])].join(', ')
}
