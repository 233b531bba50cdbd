import type { Clock } from '../../../lib/clock.ts'
import { TOKEN_USER } from '../broker.ts'
import { type BrokerAddress, Connection } from '../connection.ts'
import { clientIdOf, type DeviceId, keyOf, parseTopic, topicText } from '../topics.ts'
import { Agent, type AgentLink } from './agent.ts'
import { Downloads } from './download.ts'
import type { AgentTraits } from './traits.ts'

export interface AgentsOptions {
  readonly clock: Clock
  readonly broker: BrokerAddress['broker']
  readonly org: string
  readonly token?: string | undefined
  readonly trust?: BrokerAddress['trust']
  readonly devices: readonly DeviceId[]
  readonly traits: AgentTraits
  /** The gateway that all of them are behind. */
  readonly gateway?: DeviceId | undefined
  /** For brokers that do not tell devices apart by their connections: topics hold type and id. */
  readonly scopedTopics?: boolean
  /** So many devices connect in a second. */
  readonly startsPerSecond?: number
  readonly told?: (device: DeviceId, what: string) => void
  /** Told why the broker is not there, by every connection each time that it tries. */
  readonly lost?: (why: string) => void
  readonly failed: (error: unknown) => void
}

const STARTS_PER_SECOND = 50

/** Simulated devices, each with a connection of its own or all behind a gateway. */
export class Agents {
  readonly #options: AgentsOptions
  readonly #downloads: Downloads
  readonly #connections: Connection[] = []
  readonly #agents = new Map<string, Agent>()

  constructor(options: AgentsOptions) {
    this.#options = options
    this.#downloads = new Downloads(options.clock)
  }

  agent(device: DeviceId): Agent | undefined {
    return this.#agents.get(keyOf(device))
  }

  get managed(): number {
    return [...this.#agents.values()].filter(({ isManaged }) => isManaged).length
  }

  /** Starts them one after the other; resolves when the last one connects. */
  async start(signal: AbortSignal): Promise<void> {
    const { devices, gateway, clock, startsPerSecond = STARTS_PER_SECOND } = this.#options
    if (gateway !== undefined) return this.#startBehind(gateway)
    for (const [index, device] of devices.entries()) {
      if (index > 0) await clock.sleep(1_000 / startsPerSecond, signal)
      this.#startAlone(device)
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.#agents.values()].map((agent) => agent.close()))
    await Promise.all(this.#connections.map((connection) => connection.close()))
    await this.#downloads.close()
  }

  #startAlone(device: DeviceId): void {
    const own = this.#options.scopedTopics === true ? device : undefined
    const connection = this.#connect('device', device, {
      filters: [topicText({ root: 'iotdm-1', device: own, path: '#' })],
      agents: () => [agent],
    })
    const agent = this.#add(device, {
      say: (path, message) =>
        connection.publish(topicText({ root: 'iotdevice-1', device: own, path }), message),
      leave: () => connection.close(),
      come: () => connection.open(),
    })
    connection.open()
  }

  #startBehind(gateway: DeviceId): void {
    const connection = this.#connect('gateway', gateway, {
      filters: ['iotdm-1/type/+/id/+/#'],
      agents: () => [...this.#agents.values()],
    })
    for (const device of this.#options.devices) {
      const agent: Agent = this.#add(device, {
        say: (path, message) => connection.publish(topicText({ root: 'iotdevice-1', device, path }), message),
        leave: () => Promise.resolve(),
        come: () => {
          if (connection.isUp) agent.up()
        },
      })
    }
    connection.open()
  }

  #connect(
    kind: 'device' | 'gateway',
    who: DeviceId,
    { filters, agents }: { readonly filters: readonly string[]; readonly agents: () => readonly Agent[] },
  ): Connection {
    const { clock, broker, org, token, trust, lost = () => {} } = this.#options
    const connection = new Connection({
      clock,
      broker,
      trust,
      clientId: clientIdOf(kind, org, who),
      ...(token !== undefined && { userName: TOKEN_USER, password: token }),
      filters,
      take: (topic, payload) => {
        const { root, device = who, path = '' } = parseTopic(topic) ?? {}
        if (root === 'iotdm-1') this.agent(device)?.hear(path, payload)
      },
      up: () => {
        for (const agent of agents()) agent.up()
      },
      down: (why) => {
        lost(why)
        for (const agent of agents()) agent.down()
      },
    })
    this.#connections.push(connection)
    return connection
  }

  #add(device: DeviceId, link: AgentLink): Agent {
    const { clock, traits, told = () => {}, failed } = this.#options
    const { typeId, deviceId } = device
    const agent = new Agent({
      typeId,
      deviceId,
      clock,
      traits,
      link,
      downloads: this.#downloads,
      told: (what) => told(device, what),
      failed,
    })
    this.#agents.set(keyOf(device), agent)
    return agent
  }
}
