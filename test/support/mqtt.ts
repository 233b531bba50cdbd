import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { onTestFinished } from 'vitest'
import type { DeviceAddress, DeviceFacts } from '../../src/devices/device.ts'
import type { FirmwareImage } from '../../src/devices/flasher.ts'
import { createMqttAdapter, type PublishedImage } from '../../src/devices/mqtt/adapter.ts'
import { Agents, type AgentsOptions } from '../../src/devices/mqtt/agent/agents.ts'
import type { AgentTraits } from '../../src/devices/mqtt/agent/traits.ts'
import { createMqttBroker, type MqttBroker, type MqttBrokerOptions } from '../../src/devices/mqtt/broker.ts'
import {
  createMqttManager,
  type DeviceEvent,
  type MqttManager,
  type MqttManagerOptions,
} from '../../src/devices/mqtt/manager.ts'
import type { DeviceId } from '../../src/devices/mqtt/topics.ts'
import { type Clock, systemClock } from '../../src/lib/clock.ts'

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

export async function startBroker(options: Partial<MqttBrokerOptions> = {}): Promise<MqttBroker> {
  const broker = await createMqttBroker({ host: LOOPBACK, port: 0, ...options })
  onTestFinished(() => broker.close())
  return broker
}

export function startManager(
  broker: MqttBroker | string,
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
