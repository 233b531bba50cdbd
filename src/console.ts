import type { Config } from './config.ts'
import type { Devices } from './console/devices.ts'
import type { OwnOptions } from './console/own-methods.ts'
import type { Published, Way } from './console/published.ts'
import type { BrokerTls } from './devices/mqtt/doors.ts'
import type { ManagedDevices } from './devices/mqtt/manager.ts'
import type { Fleet } from './fleet/fleet.ts'
import { urlAt } from './lib/address-list.ts'
import type { KeyPair } from './http/certificate.ts'
import type { Certificates } from './http/certificates.ts'
import { addressFor } from './http/own-address.ts'
import type { Clock } from './lib/clock.ts'

/** What a console has beside what every service has. */
export interface Console {
  readonly devices: Devices
  readonly published: Published
  readonly mqttUrl: string | undefined
  readonly mqttsUrl: string | undefined
  readonly mqttDevices: ManagedDevices | undefined
  readonly begin: () => void
}

interface Surroundings {
  readonly clock: Clock
  readonly logger?: NonNullable<OwnOptions['log']>
  readonly certificates: Certificates
  /** Told when the network fails. */
  readonly failed: (error: unknown) => void
}

/** Nothing but a console loads what speaks to devices. */
export async function consoleOf(
  config: Config,
  fleet: Fleet,
  { clock, failed, logger, certificates }: Surroundings,
): Promise<Console> {
  const { consoleRefresh, mqtt, mqtts, mqttToken: token, host, deviceCommand, deviceModule, spool } = config
  const [{ Devices: Managed }, { makeMethods }, { Published: Publishing }, { isToken }] = await Promise.all([
    import('./console/devices.ts'),
    import('./console/methods.ts'),
    import('./console/published.ts'),
    import('./console/registry.ts'),
  ])
  const [only] = fleet.members()
  const published = new Publishing((way) => imagesUrl(config, fleet, way))
  const own = { deviceCommand, deviceModule, ...(spool !== '' && { spool }), ...(logger && { log: logger }) }
  const { promise: begun, resolve: beginNow } = Promise.withResolvers<void>()
  const { methods, mqttUrl, mqttsUrl, mqttDevices } = await makeMethods({
    clock,
    published,
    failed,
    mqtt,
    // Before it has begun, the certificate may be another than that which was kept.
    tls: await tlsOf(mqtts, () => begun.then(() => certificates.keyPair(only?.bmc))),
    token,
    host,
    isOwnToken: (key, given) => only && isToken(only.bmc, key, given),
    ...own,
  })
  const devices = new Managed({ clock, methods, refreshMs: consoleRefresh * 1_000, failed })
  // Devices may come as soon as what was kept of them is there.
  const begin = (): void => {
    beginNow()
    if (only) devices.begin(only.bmc)
  }
  return { devices, published, mqttUrl, mqttsUrl, mqttDevices, begin }
}

/** TLS for devices that come by MQTT, with this certificate; most consoles do without. */
async function tlsOf(port: string, keyPair: () => Promise<KeyPair>): Promise<BrokerTls | undefined> {
  if (port === '') return undefined
  const { Handshakes } = await import('./http/handshakes.ts')
  return {
    port: Number(port),
    secure: (done) => {
      const handshakes = new Handshakes({ keyPair, named: () => undefined, protocols: ['mqtt'], done })
      return (carrier) => handshakes.begin(carrier, undefined)
    },
  }
}

/** Where devices fetch images: unencrypted where that is served, for most trust no certificate that we made. */
async function imagesUrl({ consoleUrl, host }: Config, fleet: Fleet, way: Way): Promise<string> {
  if (consoleUrl !== '') return consoleUrl
  const [only] = fleet.members()
  const { httpPort, httpsPort } = only?.bmc.state.network ?? {}
  const address = await addressFor(host, way)
  return urlAt('http', httpPort, address) ?? urlAt('https', httpsPort, address) ?? ''
}
