import { type ClientIdentity, type DeviceId, parseTopic, type Root, topicText } from './topics.ts'

/** What clients may say, and what they may hear. */
const roots = {
  publish: { device: ['iotdevice-1', 'iot-2'], gateway: ['iotdevice-1', 'iot-2'], application: ['iot-2'] },
  subscribe: { device: ['iotdm-1', 'iot-2'], gateway: ['iotdm-1', 'iot-2'], application: ['iot-2'] },
} as const satisfies Readonly<Record<string, Readonly<Record<ClientIdentity['kind'], readonly Root[]>>>>

/**
 * A topic as it is on the broker: with the device that it is of, as the platform adds it to the topics of a connection.
 * The same for what has it already: brokers give subscriptions that they kept a second time. Nothing where the client may
 * not.
 */
export function scoped(
  who: ClientIdentity,
  deed: 'publish' | 'subscribe',
  topic: string,
): string | undefined {
  const parsed = parseTopic(topic)
  const allowed: readonly Root[] = roots[deed][who.kind]
  if (parsed === undefined || !allowed.includes(parsed.root)) return undefined
  if (who.kind === 'application') return topic
  const { typeId, deviceId } = who
  if (parsed.device === undefined) return topicText({ ...parsed, device: { typeId, deviceId } })
  return who.kind === 'gateway' || isOf(who, parsed.device) ? topic : undefined
}

/** A topic as a client knows it: its own without its name, where it is a device. */
export function unscoped(who: ClientIdentity, topic: string): string {
  const parsed = parseTopic(topic)
  if (who.kind !== 'device' || parsed?.device === undefined || !isOf(who, parsed.device)) return topic
  return topicText({ root: parsed.root, path: parsed.path })
}

export function isOf(one: DeviceId, other: DeviceId): boolean {
  return one.typeId === other.typeId && one.deviceId === other.deviceId
}
