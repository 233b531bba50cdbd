import type { MqttAdapter } from '../devices/mqtt/adapter.ts'
import { commit } from '../bmc/commit.ts'
import type { ManagedDevice } from '../devices/mqtt/managed-device.ts'
import type { ManagedDevices, MqttManager } from '../devices/mqtt/manager.ts'
import { urlAt } from '../lib/address-list.ts'
import type { Clock } from '../lib/clock.ts'
import type { BrokerTls } from '../devices/mqtt/doors.ts'
import { forwarding, type Method } from './method.ts'
import type { Published, Way } from './published.ts'

export interface MqttOptions {
  readonly clock: Clock
  readonly published: Published
  /** A port for a broker of our own, or the URL of another; empty where devices come by TLS only. */
  readonly mqtt: string
  /** Where our own speaks TLS, too. */
  readonly tls: BrokerTls | undefined
  /** Where our own listens. */
  readonly host: string
  /** What devices say as their password to our own, or we to another; nobody is asked, and nothing said, where it is empty. */
  readonly token: string
  /** Whether this is the token of a device that is registered with one of its own. */
  readonly isOwnToken?: (key: string, token: string) => boolean | undefined
  readonly failed: (error: unknown) => void
}

/** Devices of IBM's device management, and where they find us. */
export interface MqttDevices {
  readonly method: Method
  readonly url: string | undefined
  /** By TLS, to a broker of our own. */
  readonly tlsUrl: string | undefined
  readonly managed: ManagedDevices
}

/** The Id of its ConnectionMethod. */
export const MQTT = 'MQTT'

const CLIENT_ID = 'a:redflash:console'
const OWN = /^\d*$/

/** Has devices come by MQTT: each that manages itself is attached, and is detached when it does no longer. */
export async function makeMqtt({
  clock,
  published,
  mqtt,
  tls,
  host,
  token,
  isOwnToken = () => undefined,
  failed,
}: MqttOptions): Promise<MqttDevices> {
  const [{ createMqttManager }, { createMqttAdapter }, { createMqttBroker, TOKEN_USER }] = await Promise.all([
    import('../devices/mqtt/manager.ts'),
    import('../devices/mqtt/adapter.ts'),
    import('../devices/mqtt/broker.ts'),
  ])
  const own = OWN.test(mqtt)
    ? await createMqttBroker({
        host,
        port: mqtt === '' ? undefined : Number(mqtt),
        tls,
        isOwnToken,
        ...(token !== '' && { tokens: new Map([['*', token]]) }),
      })
    : undefined
  const credentials = token === '' ? {} : { userName: TOKEN_USER, password: token }
  const manager = createMqttManager({
    clock,
    failed,
    clientId: CLIENT_ID,
    ...(own ? { broker: own } : { broker: mqtt, ...credentials }),
  })
  // Who comes by a broker of another is reached the same way as that, as far as anybody knows.
  const wayTo = (key: string): Way => (own ? { here: own.hereOf(key) } : { peer: URL.parse(mqtt)?.hostname })
  const adapter = createMqttAdapter(manager, {
    clock,
    publish: (image, key) => published.publish(image, wayTo(key)),
  })
  return {
    managed: manager,
    url: own ? urlAt('mqtt', own.port, host) : mqtt,
    tlsUrl: urlAt('mqtts', own?.tlsPort, host),
    method: methodBy(manager, adapter, async () => own?.close()),
  }
}

/** The way to reach them; `left` ends what they come by. */
function methodBy(manager: MqttManager, adapter: MqttAdapter, left: () => Promise<void>): Method {
  return {
    id: MQTT,
    type: 'OEM',
    variant: 'IBM device management by MQTT',
    adapter: {
      ...forwarding(adapter),
      close: async () => {
        await adapter.close()
        await left()
      },
    },
    forget: (hostName) => manager.forget(hostName),
    announces: (told, bmc) => {
      // What is read here is what is written below.
      manager.restore(bmc.state.mqttDevices.values() as Iterable<ManagedDevice>)
      const tell = (device: ManagedDevice, isGone = false): void => {
        commit(bmc, { mqttDevices: [[device.key, isGone ? undefined : device]] })
        told({ kind: isGone ? 'gone' : 'here', hostName: device.key })
      }
      for (const device of manager.devices()) tell(device)
      return manager.watch(({ kind, device }) => tell(device, kind === 'unmanaged'))
    },
  }
}
