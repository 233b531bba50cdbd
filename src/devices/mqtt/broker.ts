import { Aedes, type Client } from 'aedes'
import { timingSafeEqual } from 'node:crypto'
import { Socket } from 'node:net'
import { type Duplex, duplexPair } from 'node:stream'
import { Bounded } from '../../lib/bounded.ts'
import { type BrokerTls, Doors, greeting } from './doors.ts'
import { MAX_PAYLOAD_BYTES } from './messages.ts'
import { isOf, scoped, unscoped } from './scope.ts'
import { type ClientIdentity, keyOf, parseClientId, parseTopic } from './topics.ts'

export interface MqttBrokerOptions {
  readonly host: string
  /** Where devices reach it; 0 is a port that is free. `undefined`: nobody does without TLS. */
  readonly port: number | undefined
  readonly tls?: BrokerTls | undefined
  /**
   * What clients say as their password, by `<typeId>/<deviceId>`, by `<typeId>/*` for all of a type, or by `*`.
   * Where there are none, nobody is asked.
   */
  readonly tokens?: ReadonlyMap<string, string>
  /** Whether this is the token of a device that has one of its own, whatever the others say; `undefined`: it has none. */
  readonly isOwnToken?: (key: string, token: string) => boolean | undefined
}

/** A broker of our own, which tells devices apart by their connections, as IBM's platform does. */
export interface MqttBroker {
  readonly port: number | undefined
  readonly tlsPort: number | undefined
  /** Our address that a device, or its gateway, has connected to. */
  readonly hereOf: (key: string) => string | undefined
  /** A connection of the one who manages: it hears and says everything. */
  readonly stream: () => Duplex
  readonly close: () => Promise<void>
}

/** What every client says as its name. */
export const TOKEN_USER = 'use-token-auth'
/** A CONNACK's return code. */
const NOT_AUTHORIZED = 5
/** So many devices that gateways spoke for are remembered. */
const MAX_BEHIND_GATEWAYS = 100_000

export async function createMqttBroker(options: MqttBrokerOptions): Promise<MqttBroker> {
  const scopes = new Scopes(options)
  const aedes = await createScopedBroker(scopes)
  const doors = new Doors(options.host)
  const close = async (): Promise<void> => {
    const closed = doors.shut()
    await new Promise<void>((resolve) => aedes.close(resolve))
    doors.clear()
    await closed
  }
  const { port, tls } = options
  const ports: { plain?: number; tls?: number } = {}
  try {
    if (port !== undefined) ports.plain = await doors.open(port, (socket) => aedes.handle(socket))
    if (tls)
      ports.tls = await doors.open(
        tls.port,
        greeting(tls, (secured) => aedes.handle(secured)),
      )
  } catch (error) {
    // Its timers would keep the process alive.
    await close()
    throw error
  }
  return {
    port: ports.plain,
    tlsPort: ports.tls,
    hereOf: (key) => {
      const connection = scopes.connectionOf(key)
      const address = connection instanceof Socket ? connection.localAddress : undefined
      return address?.replace(/^::ffff:/, '')
    },
    stream: () => {
      const [ours, its] = duplexPair()
      // As a socket, of which no end outlives the other.
      ours.once('close', () => its.destroy())
      its.once('close', () => ours.destroy())
      scopes.trust(its)
      aedes.handle(its)
      return ours
    },
    close,
  }
}

/** Who is connected, and which part of the topics is theirs. */
class Scopes {
  readonly #options: Pick<MqttBrokerOptions, 'tokens' | 'isOwnToken'>
  readonly #ours = new WeakSet<object>()
  readonly #identities = new WeakMap<Client, ClientIdentity>()
  /** Devices that are connected themselves, by their keys. */
  readonly #direct = new Map<string, Client>()
  readonly #clients = new Map<string, Client>()
  /** By which gateway a device spoke last, by the device's key. */
  readonly #gateways = new Bounded<string, string>(MAX_BEHIND_GATEWAYS)

  constructor(options: Pick<MqttBrokerOptions, 'tokens' | 'isOwnToken'>) {
    this.#options = options
  }

  /** What comes by this stream is the managing side. */
  trust(stream: object): void {
    this.#ours.add(stream)
  }

  admit(client: Client, clientId: string): void {
    const identity = parseClientId(clientId)
    if (identity !== undefined) this.#identities.set(client, identity)
  }

  knows(client: Client, userName: string | undefined, password: Uint8Array | undefined): boolean {
    const who = this.#identities.get(client)
    if (this.#isOurs(client)) return true
    if (who === undefined) return false
    const { tokens, isOwnToken } = this.#options
    const own = who.kind === 'application' ? undefined : isOwnToken?.(keyOf(who), String(password ?? ''))
    return own === undefined ? hasToken(tokens, who, userName, password) : own && userName === TOKEN_USER
  }

  came(client: Client): void {
    this.#clients.set(client.id, client)
    const who = this.#identities.get(client)
    if (who?.kind === 'device') this.#direct.set(keyOf(who), client)
  }

  left(client: Client): void {
    if (this.#clients.get(client.id) === client) this.#clients.delete(client.id)
    const who = this.#identities.get(client)
    if (who?.kind === 'device' && this.#direct.get(keyOf(who)) === client) this.#direct.delete(keyOf(who))
  }

  /** By which connection a device is reached: its own, or its gateway's. */
  connectionOf(key: string): Client['conn'] | undefined {
    return (this.#direct.get(key) ?? this.#clients.get(this.#gateways.get(key) ?? ''))?.conn
  }

  /** The topic on the broker of what a client says or wants to hear; nothing where it may not. */
  topic(client: Client, deed: 'publish' | 'subscribe', topic: string): string | undefined {
    if (this.#isOurs(client)) return topic
    const who = this.#identities.get(client)
    const there = who && scoped(who, deed, topic)
    if (there === undefined || deed === 'subscribe') return there
    const other = this.#behind(who, there)
    // A gateway speaks for devices that are not connected themselves.
    if (other !== undefined && this.#direct.has(other)) return undefined
    if (other !== undefined) this.#gateways.set(other, client.id)
    return there
  }

  /** A topic as this client knows it; nothing where it is none of its business. */
  heard(client: Client, topic: string): string | undefined {
    if (this.#isOurs(client)) return topic
    const who = this.#identities.get(client)
    const other = this.#behind(who, topic)
    if (who === undefined || (other !== undefined && this.#gateways.get(other) !== client.id))
      return undefined
    return unscoped(who, topic)
  }

  /** The key of the device behind a gateway that a topic is of. */
  #behind(who: ClientIdentity | undefined, topic: string): string | undefined {
    const device = parseTopic(topic)?.device
    return who?.kind === 'gateway' && device !== undefined && !isOf(who, device) ? keyOf(device) : undefined
  }

  #isOurs(client: Client): boolean {
    return this.#ours.has(client.conn)
  }
}

/** The broker, in which every client has its own part of the topics. */
async function createScopedBroker(scopes: Scopes): Promise<Aedes> {
  const aedes = await Aedes.createBroker({
    preConnect: (client, packet, done) => {
      // Devices say everything again when they come back: nothing is kept for who is away.
      packet.clean = true
      scopes.admit(client, packet.clientId)
      done(null, true)
    },
    authenticate: (client, userName, password, done) => {
      // Refused here, not before: a client that aedes does not let in there is left waiting.
      const isKnown = scopes.knows(client, userName, password)
      done(isKnown ? null : Object.assign(new Error('not known'), { returnCode: NOT_AUTHORIZED }), isKnown)
    },
    authorizePublish: (client, packet, done) => {
      const isShort = packet.payload.length <= MAX_PAYLOAD_BYTES
      const topic = client && isShort && scopes.topic(client, 'publish', packet.topic)
      if (!topic) return done(new Error('not allowed'))
      Object.assign(packet, { topic, retain: false })
      done()
    },
    authorizeSubscribe: (client, subscription, done) => {
      const topic = scopes.topic(client, 'subscribe', subscription.topic)
      done(null, topic === undefined ? null : Object.assign(subscription, { topic }))
    },
    authorizeForward: (client, packet) => {
      const topic = scopes.heard(client, packet.topic)
      return topic === undefined ? null : Object.assign(packet, { topic })
    },
  })
  aedes.on('client', (client) => scopes.came(client))
  aedes.on('clientDisconnect', (client) => scopes.left(client))
  return aedes
}

function hasToken(
  tokens: MqttBrokerOptions['tokens'],
  who: ClientIdentity,
  userName: string | undefined,
  password: Uint8Array | undefined,
): boolean {
  if (tokens === undefined) return true
  const names = who.kind === 'application' ? ['*'] : [keyOf(who), `${who.typeId}/*`, '*']
  const token = names.map((name) => tokens.get(name)).find((one) => one !== undefined)
  if (token === undefined || password === undefined || userName !== TOKEN_USER) return false
  const [wanted, given] = [Buffer.from(token), Buffer.from(password)]
  return wanted.byteLength === given.byteLength && timingSafeEqual(wanted, given)
}
