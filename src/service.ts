import type { FastifyBaseLogger, FastifyInstance } from 'fastify'
import { hostname } from 'node:os'
import type { App } from './app.ts'
import type { Bmc } from './bmc/bmc.ts'
import type { Machine } from './bmc/machine.ts'
import { type Config, isFleet, isStrict } from './config.ts'
import type { Devices } from './console/devices.ts'
import type { Published, Way } from './console/published.ts'
import type { Data } from './data.ts'
import type { Flasher } from './devices/flasher.ts'
import type { ManagedDevices } from './devices/mqtt/manager.ts'
import { hasFaults } from './faults/plan.ts'
import type { Fleet } from './fleet/fleet.ts'
import { urlAt } from './fleet/urls.ts'
import { type CertificateOptions, Certificates } from './http/certificates.ts'
import { Doors } from './http/doors.ts'
import { readKeyPair } from './http/key-pair-files.ts'
import type { Metrics } from './http/metrics.ts'
import { addressFor } from './http/own-address.ts'
import { type Reach, reachOfFleet, reachOfOne } from './http/reach.ts'
import { createFileSpool } from './image/spool/file-spool.ts'
import type { Spool } from './image/spool/spool.ts'
import type { Clock } from './lib/clock.ts'
import { parseImageFolders } from './transfer/image-folders.ts'

/** Most connections to each port, where nobody says otherwise. */
const MAX_CONNECTIONS = 4_096

export interface Surroundings {
  readonly clock: Clock
  readonly logger?: FastifyBaseLogger
  readonly flasher?: Flasher
  /** What outlives the process. */
  readonly data: Data | undefined
  /** Told when the network fails. */
  readonly failed: (error: unknown) => void
}

/** Who is to be served, and what they are. */
interface About {
  readonly fleet: Fleet
  readonly machines: readonly Machine[]
}

/** The app, and the sockets that it will be reached by. */
export interface Service extends Pick<App, 'endStreams' | 'forget' | 'reset' | 'takeUp'> {
  readonly spool: Spool
  readonly app: FastifyInstance
  readonly doors: Doors
  /** Of a console: lets devices come by themselves. */
  readonly begin: () => void
  /** Of a console: where devices come by MQTT, if they do. */
  readonly mqttUrl: string | undefined
  /** Whom clients can trust for all BMCs (PEM), where there is somebody. */
  readonly authority: () => Promise<string | undefined>
}

/** Makes the service of a configuration for a fleet, whose BMCs have these machines; nothing listens yet. */
export async function makeService(config: Config, about: About, given: Surroundings): Promise<Service> {
  const console = config.console ? await consoleOf(config, about.fleet, given) : undefined
  try {
    return await serviceOf(config, about, { ...given, console })
  } catch (error) {
    await console?.devices.close()
    throw error
  }
}

async function serviceOf(
  config: Config,
  { fleet, machines }: About,
  { clock, data, failed, console, ...given }: Surroundings & { readonly console: Console | undefined },
): Promise<Service> {
  const { createApp } = await import('./app.ts')
  const reach = reachOf(config, fleet)
  const certificates = certificatesOf(config, reach, { clock, journal: data?.journal })
  const counters = config.metrics ? await countersOf(fleet) : undefined
  const spool = createFileSpool(clock, {
    ...(config.spool !== '' && { parent: config.spool }),
    ...(data && { keeping: data }),
    capacityBytes: config.spoolBytes,
    failed: (err) => given.logger?.error({ err }, 'the spool failed'),
  })
  let doors: Doors | undefined
  const app = createApp({
    ...config,
    clock,
    spool,
    devices: console?.devices,
    published: console?.published,
    mqttDevices: console?.mqttDevices,
    journal: data?.journal,
    stallMs: config.uploadStallMs,
    monitorEnding: config.taskMonitor,
    imageFolders: parseImageFolders(config.imageFolders) ?? new Map<string, string>(),
    resolveBmc: ({ raw, originalUrl }) => made(doors).bmcOf(raw, originalUrl),
    rewritePath: reach.rewrite,
    certificates,
    hasFaults: machines.some(hasFaults),
    updateRules: [...new Set(machines.map(({ updateRules }) => updateRules))],
    ...(counters && { counters }),
    ...given,
    serverFactory: (handler) => {
      doors = new Doors(
        {
          ...config,
          port: config.http ? config.port : undefined,
          httpsPort: config.https ? config.httpsPort : undefined,
          // Clients of a fleet have a connection to each of its BMCs.
          maxConnections: config.maxConnections ?? Math.max(MAX_CONNECTIONS, 2 * fleet.size),
          reach,
          keyPair: (asked) => certificates.keyPair(asked),
          isStrict: isStrict(config),
          failed,
        },
        handler,
      )
      return doors.http
    },
  })
  const authority = async () => (config.https ? certificates.authority() : undefined)
  const { begin = () => {}, mqttUrl } = console ?? {}
  const { fastify, endStreams, forget, reset, takeUp } = app
  const its = { endStreams, forget, reset, takeUp, begin, mqttUrl }
  return { app: fastify, doors: made(doors), spool, authority, ...its }
}

function made(doors: Doors | undefined): Doors {
  if (doors === undefined) throw new Error('Fastify did not ask for its server')
  return doors
}

function reachOf(config: Config, fleet: Fleet): Reach {
  const { reach: kinds, firstAddress } = config
  if (isFleet(config)) return reachOfFleet({ kinds, firstAddress }, fleet)
  const [only] = fleet.members()
  if (only === undefined) throw new Error('there is no BMC')
  return reachOfOne(only.bmc)
}

function certificatesOf(
  config: Config,
  reach: Reach,
  given: Pick<CertificateOptions, 'clock' | 'journal'>,
): Certificates {
  const ofService = ['localhost', '127.0.0.1', hostname(), config.host]
  const ofBmc = (bmc: Bmc): string[] =>
    reach.isOfOne ? [] : [bmc.id, reach.addressOf(bmc)].filter((one) => one !== undefined)
  const certificates = new Certificates({
    ...given,
    names: (bmc) => [...new Set([...(bmc ? ofBmc(bmc) : []), ...ofService])],
    given: config.tlsCert === '' ? undefined : readKeyPair(config.tlsCert, config.tlsKey),
    isFleet: isFleet(config),
  })
  if (isFleet(config) && config.tlsCert === '') certificates.takeUpOwn(given.journal?.read() ?? [])
  return certificates
}

/** Where devices fetch images: unencrypted where that is served, for most trust no certificate that we made. */
async function imagesUrl({ consoleUrl, host }: Config, fleet: Fleet, way: Way): Promise<string> {
  if (consoleUrl !== '') return consoleUrl
  const [only] = fleet.members()
  const { httpPort, httpsPort } = only?.bmc.state.network ?? {}
  const address = await addressFor(host, way)
  return urlAt('http', httpPort, address) ?? urlAt('https', httpsPort, address) ?? ''
}

/** What a console has beside what every service has. */
interface Console {
  readonly devices: Devices
  readonly published: Published
  readonly mqttUrl: string | undefined
  readonly mqttDevices: ManagedDevices | undefined
  readonly begin: () => void
}

/** Nothing but a console loads what speaks to devices. */
async function consoleOf(
  config: Config,
  fleet: Fleet,
  { clock, failed, logger }: Pick<Surroundings, 'clock' | 'failed' | 'logger'>,
): Promise<Console> {
  const { consoleRefresh, mqtt, mqttToken: token, host, deviceCommand, deviceModule, spool } = config
  const [{ Devices: Managed }, { makeMethods }, { Published: Publishing }, { isToken }] = await Promise.all([
    import('./console/devices.ts'),
    import('./console/methods.ts'),
    import('./console/published.ts'),
    import('./console/registry.ts'),
  ])
  const [only] = fleet.members()
  const published = new Publishing((way) => imagesUrl(config, fleet, way))
  const own = { deviceCommand, deviceModule, ...(spool !== '' && { spool }), ...(logger && { log: logger }) }
  const { methods, mqttUrl, mqttDevices } = await makeMethods({
    clock,
    published,
    failed,
    mqtt,
    token,
    host,
    isOwnToken: (key, given) => only && isToken(only.bmc, key, given),
    ...own,
  })
  const devices = new Managed({ clock, methods, refreshMs: consoleRefresh * 1_000, failed })
  // Devices may come as soon as what was kept of them is there.
  const begin = (): void => only && devices.begin(only.bmc)
  return { devices, published, mqttUrl, mqttDevices, begin }
}

/** Most runs never load what counts. */
async function countersOf(fleet: Fleet): Promise<Metrics> {
  const { Metrics: Counting } = await import('./http/metrics.ts')
  const metrics = new Counting(() => [...fleet.members()].map(({ bmc }) => bmc))
  for (const { bmc } of fleet.members()) metrics.follow(bmc)
  fleet.onAdded(({ bmc }) => metrics.follow(bmc))
  return metrics
}
