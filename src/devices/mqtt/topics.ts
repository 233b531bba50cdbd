/** A device as IBM's platform names it: one of a type. */
export interface DeviceId {
  readonly typeId: string
  readonly deviceId: string
}

/** Who a client of the broker is, as its client identifier says. */
export type ClientIdentity =
  | ({ readonly kind: 'device' | 'gateway'; readonly org: string } & DeviceId)
  | { readonly kind: 'application'; readonly org: string; readonly appId: string }

/** The first level of a topic: what devices say, what they are told, and what is no device management. */
export type Root = 'iotdevice-1' | 'iotdm-1' | 'iot-2'

/** A topic, or a filter of topics, without what tells devices apart. */
export interface Topic {
  readonly root: Root
  /** Absent in the topics of a device that is known by its connection; may be `+` in filters. */
  readonly device?: DeviceId | undefined
  readonly path: string
}

/** Every message of every device, told apart. */
export const ALL_DEVICES = 'iotdevice-1/type/+/id/+/#'

const NAME = /^[\w.-]{1,36}$/
const SHAPE = /^(iotdevice-1|iotdm-1|iot-2)\/(?:type\/([^/]+)\/id\/([^/]+)\/)?(.+)$/s

/** `<typeId>/<deviceId>`: how a client names a device, and what it is kept by. */
export function keyOf({ typeId, deviceId }: DeviceId): string {
  return `${typeId}/${deviceId}`
}

export function parseKey(key: string): DeviceId | undefined {
  const [typeId = '', deviceId = '', ...more] = key.split('/')
  return more.length === 0 && NAME.test(typeId) && NAME.test(deviceId) ? { typeId, deviceId } : undefined
}

/** `d:org:type:id`, `g:org:type:id`, `a:org:app`, `A:org:app:instance`. */
export function parseClientId(clientId: string): ClientIdentity | undefined {
  const [letter = '', org = '', first = '', second, ...more] = clientId.split(':')
  if (![org, first, second ?? first].every((name) => NAME.test(name)) || more.length > 0) return undefined
  if (letter === 'a' ? second === undefined : letter === 'A' && second !== undefined)
    return { kind: 'application', org, appId: first }
  if (second === undefined || (letter !== 'd' && letter !== 'g')) return undefined
  return { kind: letter === 'd' ? 'device' : 'gateway', org, typeId: first, deviceId: second }
}

export function clientIdOf(kind: 'device' | 'gateway', org: string, { typeId, deviceId }: DeviceId): string {
  return `${kind === 'device' ? 'd' : 'g'}:${org}:${typeId}:${deviceId}`
}

export function parseTopic(topic: string): Topic | undefined {
  const [, root, typeId, deviceId, path] = SHAPE.exec(topic) ?? []
  if (root === undefined || path === undefined) return undefined
  const device = typeId !== undefined && deviceId !== undefined ? { typeId, deviceId } : undefined
  return { root: root as Root, device, path } // as the expression has it
}

export function topicText({ root, device, path }: Topic): string {
  return device === undefined
    ? `${root}/${path}`
    : `${root}/type/${device.typeId}/id/${device.deviceId}/${path}`
}
