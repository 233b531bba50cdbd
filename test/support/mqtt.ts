import { connectAsync, type IClientOptions, MqttClient } from 'mqtt'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, Socket } from 'node:net'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { onTestFinished } from 'vitest'
import type { DeviceAddress, DeviceFacts } from '../../src/devices/device.ts'
import type { FirmwareImage } from '../../src/devices/flasher.ts'
import { createMqttAdapter, type PublishedImage } from '../../src/devices/mqtt/adapter.ts'
import { Agents, type AgentsOptions } from '../../src/devices/mqtt/agent/agents.ts'
import type { AgentTraits } from '../../src/devices/mqtt/agent/traits.ts'
import { createMqttBroker, type MqttBroker, type MqttBrokerOptions } from '../../src/devices/mqtt/broker.ts'
import type { BrokerAddress } from '../../src/devices/mqtt/connection.ts'
import type { DeviceEvent } from '../../src/devices/mqtt/known-devices.ts'
import {
  createMqttManager,
  type MqttManager,
  type MqttManagerOptions,
} from '../../src/devices/mqtt/manager.ts'
import type { DeviceId } from '../../src/devices/mqtt/topics.ts'
import { type Clock, systemClock } from '../../src/lib/clock.ts'
import { type DeviceJob, deviceJob } from '../contracts/device-adapter.ts'

const LOOPBACK = '127.0.0.1'
export const pump: DeviceId = { typeId: 'pump', deviceId: 'p-1' }
export const never = (): AbortSignal => new AbortController().signal

/** A device in no hurry to lose time. */
export const quick: AgentTraits = {
  firmwareVersion: '1.0.0',
  lifetimeSeconds: 0,
  bytesPerSecond: Infinity,
  capacityBytes: Infinity,
  verifyMs: 0,
  installMs: 0,
  bootMs: 0,
  quirks: new Set(),
}

/** What is a bug, whoever it is told. */
export const failed = (error: unknown): void => {
  throw error
}

export async function startBroker(
  options: Partial<MqttBrokerOptions> = {},
): Promise<MqttBroker & { readonly port: number }> {
  const broker = await createMqttBroker({ host: LOOPBACK, port: 0, ...options })
  onTestFinished(() => broker.close())
  return { ...broker, port: broker.port ?? 0 }
}

export function startManager(
  broker: BrokerAddress['broker'],
  options: Partial<MqttManagerOptions> = {},
): MqttManager {
  const manager = createMqttManager({ clock: systemClock, broker, clientId: 'redflash', failed, ...options })
  onTestFinished(() => manager.close())
  return manager
}

/** Simulated devices; they have begun to connect. */
export async function startAgents(options: Partial<AgentsOptions>): Promise<Agents> {
  const agents = new Agents({
    clock: systemClock,
    broker: '',
    org: 'org',
    devices: [pump],
    traits: quick,
    startsPerSecond: Infinity,
    failed,
    ...options,
  })
  onTestFinished(() => agents.close())
  await agents.start(never())
  return agents
}

/** Waits for something that happens to a device, or has happened. */
export async function until(
  manager: MqttManager,
  holds: (manager: MqttManager, event?: DeviceEvent) => boolean,
): Promise<void> {
  if (holds(manager)) return
  const { promise, resolve } = Promise.withResolvers<void>()
  const unwatch = manager.watch((event) => {
    if (holds(manager, event)) resolve()
  })
  await promise
  unwatch()
}

export const address = (hostName: string): DeviceAddress => ({ hostName, userName: '', password: '' })

/** Where devices fetch images from, for as long as they are published. */
export async function startImages() {
  const published = new Map<string, FirmwareImage>()
  const server = createServer((request, response) => {
    const image = published.get(request.url ?? '')
    if (image === undefined) return void response.writeHead(404).end()
    response.writeHead(200, { 'Content-Length': image.sizeBytes })
    pipeline(Readable.from(image.read()), response).catch(() => {}) // devices leave when they like
  })
  let connections = 0
  server.on('connection', (socket) => {
    connections++
    socket.once('close', () => connections--)
  })
  server.listen(0, LOOPBACK)
  await once(server, 'listening')
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })
  const { port } = server.address() as AddressInfo // of a TCP server
  let count = 0
  const publish = (image: FirmwareImage): PublishedImage => {
    const path = `/images/${++count}`
    published.set(path, image)
    return {
      uri: `http://${LOOPBACK}:${port}${path}`,
      done: () => {
        published.delete(path)
        if (published.size === 0) server.closeAllConnections()
      },
    }
  }
  return { publish, published, connections: () => connections }
}

interface Setting {
  readonly clock?: Clock
  readonly traits?: Partial<AgentTraits>
  readonly agents?: Partial<AgentsOptions>
  readonly broker?: Partial<MqttBrokerOptions>
  readonly manager?: Partial<MqttManagerOptions>
  readonly patienceMs?: number
}

/** A broker, who manages, the adapter and a device that is managed. */
export async function startManaged(setting: Setting = {}) {
  const { clock = systemClock, patienceMs } = setting
  const images = await startImages()
  const broker = await startBroker(setting.broker)
  const manager = startManager(broker, { clock, ...setting.manager })
  const agents = await startAgents({
    clock,
    broker: `mqtt://${LOOPBACK}:${broker.port}`,
    traits: { ...quick, ...setting.traits },
    ...setting.agents,
  })
  const wanted = setting.agents?.devices?.length ?? 1
  await until(manager, () => manager.devices().length === wanted)
  const adapter = createMqttAdapter(manager, {
    publish: images.publish,
    clock,
    ...(patienceMs !== undefined && { patienceMs }),
  })
  const look = async (hostName = 'pump/p-1'): Promise<DeviceFacts> => {
    const seen = await adapter.look(address(hostName), never())
    if (!seen.ok) throw new Error(seen.problem.detail)
    return seen.value
  }
  return { images, broker, manager, agents, adapter, look, url: `mqtt://${LOOPBACK}:${broker.port}` }
}

export interface Said {
  readonly topic: string
  readonly message: Readonly<Record<string, unknown>>
}

/** A client that does what a test says, with all that it has heard. */
export async function startClient(
  url: string,
  clientId: string,
  { filters = ['iotdm-1/#'], ...options }: IClientOptions & { readonly filters?: readonly string[] } = {},
) {
  const client = await connectAsync(url, { clientId, reconnectPeriod: 0, ...options }, false)
  client.on('error', () => {}) // that it was sent away is what is tested
  const heard: Said[] = []
  const waiting = new Set<() => void>()
  let left = false
  const { promise: gone, resolve: leave } = Promise.withResolvers<void>()
  client.once('close', () => {
    left = true
    leave()
  })
  client.on('message', (topic, payload) => {
    heard.push({ topic, message: JSON.parse(payload.toString()) as Said['message'] }) // of our own making
    for (const look of waiting) look()
  })
  onTestFinished(async () => {
    if (!left) await client.endAsync(true)
  })
  const granted = await client.subscribeAsync([...filters], { qos: 1 }).then(
    (grants): readonly unknown[] => grants.map(({ qos }) => qos),
    (error: { readonly packet?: { readonly granted: readonly unknown[] } }) => error.packet?.granted ?? [],
  )
  if (client.stream instanceof Socket) client.stream.setNoDelay(true)
  return {
    heard,
    gone,
    granted,
    say: (topic: string, message: object) => client.publish(topic, JSON.stringify(message), { qos: 1 }),
    sayBytes: (topic: string, bytes: Buffer, retain = false) =>
      client.publish(topic, bytes, { qos: 1, retain }),
    /** The first that it hears, or has heard, of these. */
    hears: (holds: (said: Said) => boolean): Promise<Said> =>
      new Promise((resolve) => {
        const look = (): void => {
          const found = heard.find(holds)
          if (found === undefined) return
          waiting.delete(look)
          resolve(found)
        }
        waiting.add(look)
        look()
      }),
  }
}

/** A device that answers as it is told to, by how the path ends (the longest goes first); it becomes managed at once. */
export async function startScripted(
  url: string,
  rcs: Readonly<Record<string, number>> = {},
  supports: Readonly<Record<string, boolean>> = { firmwareActions: true, deviceActions: true },
) {
  const client = await startClient(url, 'd:org:pump:p-1')
  const answered = new Set<Said>()
  const endings = Object.entries(rcs).toSorted(([one], [other]) => other.length - one.length)
  void client.hears(() => {
    for (const said of client.heard.filter((one) => !answered.has(one))) {
      answered.add(said)
      const [, code] = endings.find(([ending]) => said.topic.endsWith(`/${ending}`)) ?? []
      if (code !== undefined) client.say('iotdevice-1/response', { rc: code, reqId: said.message['reqId'] })
    }
    return false
  })
  client.say('iotdevice-1/mgmt/manage', { reqId: 'm', d: { supports, deviceInfo: { fwVersion: '1.0.0' } } })
  await client.hears(({ message }) => message['reqId'] === 'm')
  return client
}

/** All that is said on a broker, in its order. */
export async function listen(broker: MqttBroker) {
  const said: Said[] = []
  const client = new MqttClient(() => broker.stream(), { clientId: 'listener', reconnectPeriod: 0 })
  client.on('message', (topic, payload) =>
    said.push({ topic, message: JSON.parse(payload.toString()) as Said['message'] }),
  )
  await client.subscribeAsync('#', { qos: 1 })
  onTestFinished(() => client.endAsync(true))
  return said
}

/** A job with an image for a device. */
export function pumpJob(options: Parameters<typeof deviceJob>[2], hostName = 'pump/p-1'): DeviceJob {
  const firmware = { id: 'firmware', name: 'f', version: '', updateable: true, of: 'system' } as const
  return deviceJob(address(hostName), firmware, options)
}
