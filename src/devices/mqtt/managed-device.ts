import { type Result, succeed } from '../../lib/result.ts'
import { attributesOf, type Bag, covers, type DeviceInfo, type Field, infoOf } from './attributes.ts'
import { type Firmware, noFirmware, readUpdate } from './firmware.ts'
import { fieldsOf, fromDevice, rc, read } from './messages.ts'
import { type DeviceId, keyOf } from './topics.ts'

/** A device that has asked to be managed, and what it has said since. */
export interface ManagedDevice extends DeviceId {
  /** `<typeId>/<deviceId>` */
  readonly key: string
  readonly info: DeviceInfo
  readonly supports: Readonly<Record<string, boolean>>
  readonly metadata: Bag
  readonly firmware: Firmware
  /** The attributes that it was asked to tell changes of. */
  readonly observed: readonly string[]
  readonly location: Bag | undefined
  /** Those that it added last; the oldest goes first. */
  readonly errorCodes: readonly number[]
  readonly log: readonly Bag[]
  /** How long it is managed without asking again; 0 is for ever. */
  readonly lifetimeMs: number
  /** Its lifetime is over: it is not to be reached until it speaks again. */
  readonly isDormant: boolean
  /** The last process knew it, and nothing has been heard of it since. */
  readonly isMissing?: boolean
}

/** What a message of a device's comes to. */
export interface Heard {
  /** What is known of it now, where that has changed; `gone` where it is managed no more. */
  readonly device?: ManagedDevice | 'gone'
  readonly rc: number
  readonly message?: string
  /** Nobody waits for an answer where this is missing. */
  readonly reqId?: string | undefined
}

export const MAX_ERROR_CODES = 50
export const MAX_LOG_ENTRIES = 100

/** Takes a message of a device's that is no answer. */
export function hear(
  who: DeviceId,
  device: ManagedDevice | undefined,
  { path, payload }: { readonly path: string; readonly payload: Uint8Array },
): Heard {
  if (path === fromDevice.manage) return manage(who, device, payload)
  const said = read.any(payload)
  if (!said.ok) return { rc: rc.badRequest, message: said.problem }
  const { reqId, d } = said.value
  if (device === undefined) return { rc: rc.notFound, message: 'the device is not managed', reqId }
  if (path === fromDevice.notify) return { ...notified(device, payload), reqId }
  const take = takers.get(path)
  if (take === undefined) return { rc: rc.notFound, message: 'nobody listens there', reqId }
  const taken = take(device, d ?? {})
  if (taken === undefined) return { rc: rc.badRequest, message: 'the form of its data is wrong', reqId }
  return { rc: rc.ok, device: taken, reqId }
}

/** A device asks to be managed, for the first time or again. */
function manage(who: DeviceId, device: ManagedDevice | undefined, payload: Uint8Array): Heard {
  const said = read.manage(payload)
  if (!said.ok) return { rc: rc.badRequest, message: said.problem, reqId: reqIdOf(payload) }
  const { reqId, d = {} } = said.value
  const { lifetime = 0, supports, deviceInfo, metadata } = d
  return {
    rc: rc.ok,
    reqId,
    device: {
      ...(device ?? unknownDevice(who)),
      lifetimeMs: lifetime * 1_000,
      isDormant: false,
      ...(supports && { supports }),
      // What it does not say again is as it was.
      info: { ...device?.info, ...infoOf(deviceInfo) },
      ...(metadata && { metadata }),
    },
  }
}

/** A device of which nothing is known but who it is. */
export function unknownDevice(who: DeviceId): ManagedDevice {
  return {
    ...who,
    key: keyOf(who),
    info: {},
    supports: {},
    metadata: {},
    firmware: noFirmware,
    observed: [],
    location: undefined,
    errorCodes: [],
    log: [],
    lifetimeMs: 0,
    isDormant: false,
  }
}

function notified(device: ManagedDevice, payload: Uint8Array): Heard {
  const said = read.notify(payload)
  if (!said.ok) return { rc: rc.badRequest, message: said.problem }
  const fields = fieldsOf(said.value)
  const observed = fields.filter(({ field }) => device.observed.some((name) => covers(name, field)))
  if (observed.length === 0) return { rc: rc.notFound, message: 'nobody observes that' }
  const told = withTold(device, observed)
  if (!told.ok) return { rc: rc.badRequest, message: `the value of ${told.problem} is wrong` }
  return { rc: rc.ok, device: told.value }
}

/** The device with other values of its attributes. */
export function withFields(device: ManagedDevice, fields: readonly Field[]): Result<ManagedDevice, string> {
  const said = attributesOf(fields)
  if (!said.ok) return said
  const { firmware, info, ...others } = said.value
  return succeed({
    ...device,
    ...others,
    // Of one that has not told of it, nothing is known but that.
    firmware: firmware === undefined ? device.firmware : { ...device.firmware, ...firmware },
    info: { ...device.info, ...info },
  })
}

/** The device with what it has told; S4-17: what it has installed runs, whether or not it says so itself. */
export function withTold(before: ManagedDevice, fields: readonly Field[]): Result<ManagedDevice, string> {
  const told = withFields(before, fields)
  if (!told.ok) return told
  const { firmware, info } = told.value
  const wasInstalled = readUpdate(before.firmware).kind === 'working' && readUpdate(firmware).kind === 'done'
  const isSilent = firmware.version === '' || info.fwVersion !== before.info.fwVersion
  return wasInstalled && !isSilent
    ? succeed({ ...told.value, info: { ...info, fwVersion: firmware.version } })
    : told
}

type Taker = (device: ManagedDevice, d: Bag) => ManagedDevice | 'gone' | undefined

/** By the path of a message; nothing where its data is not what it should be. */
const takers: ReadonlyMap<string, Taker> = new Map<string, Taker>([
  [fromDevice.unmanage, () => 'gone'],
  [fromDevice.location, (device, location) => ({ ...device, location })],
  [
    fromDevice.addErrorCode,
    (device, { errorCode }) =>
      typeof errorCode === 'number'
        ? { ...device, errorCodes: [...device.errorCodes, errorCode].slice(-MAX_ERROR_CODES) }
        : undefined,
  ],
  [fromDevice.clearErrorCodes, (device) => ({ ...device, errorCodes: [] })],
  [
    fromDevice.addLog,
    (device, entry) =>
      typeof entry['message'] === 'string'
        ? { ...device, log: [...device.log, entry].slice(-MAX_LOG_ENTRIES) }
        : undefined,
  ],
  [fromDevice.clearLog, (device) => ({ ...device, log: [] })],
])

/** Of a message that is wrong otherwise. */
function reqIdOf(payload: Uint8Array): string | undefined {
  const said = read.any(payload)
  return said.ok ? said.value.reqId : undefined
}
