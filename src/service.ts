import type { FastifyBaseLogger, FastifyInstance } from 'fastify'
import { hostname } from 'node:os'
import type { App } from './app.ts'
import type { Bmc } from './bmc/bmc.ts'
import type { Machine } from './bmc/machine.ts'
import { type Config, isFleet, isStrict } from './config.ts'
import { type Console, consoleOf } from './console.ts'
import type { Data } from './data.ts'
import type { Flasher } from './devices/flasher.ts'
import { hasFaults } from './faults/plan.ts'
import type { Fleet } from './fleet/fleet.ts'
import { type CertificateOptions, Certificates } from './http/certificates.ts'
import { Doors } from './http/doors.ts'
import { readKeyPair } from './http/key-pair-files.ts'
import type { Metrics } from './http/metrics.ts'
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
  /** The same over TLS. */
  readonly mqttsUrl: string | undefined
  /** Whom clients can trust for all BMCs (PEM), where there is somebody. */
  readonly authority: () => Promise<string | undefined>
}

/** Makes the service of a configuration for a fleet, whose BMCs have these machines; nothing listens yet. */
export async function makeService(config: Config, about: About, given: Surroundings): Promise<Service> {
  const reach = reachOf(config, about.fleet)
  const certificates = certificatesOf(config, reach, { clock: given.clock, journal: given.data?.journal })
  const own = { ...given, certificates }
  const console = config.console ? await consoleOf(config, about.fleet, own) : undefined
  try {
    return await serviceOf(config, about, { ...own, reach, console })
  } catch (error) {
    await console?.devices.close()
    throw error
  }
}

interface Parts extends Surroundings {
  /** How clients come in, and what they are shown. */
  readonly reach: Reach
  readonly certificates: Certificates
  readonly console: Console | undefined
}

async function serviceOf(
  config: Config,
  { fleet, machines }: About,
  { clock, data, failed, console, reach, certificates, ...given }: Parts,
): Promise<Service> {
  const { createApp } = await import('./app.ts')
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
  const { begin = () => {}, mqttUrl, mqttsUrl } = console ?? {}
  const { fastify, endStreams, forget, reset, takeUp } = app
  const its = { endStreams, forget, reset, takeUp, begin, mqttUrl, mqttsUrl }
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

/** Most runs never load what counts. */
async function countersOf(fleet: Fleet): Promise<Metrics> {
  const { Metrics: Counting } = await import('./http/metrics.ts')
  const metrics = new Counting(() => [...fleet.members()].map(({ bmc }) => bmc))
  for (const { bmc } of fleet.members()) metrics.follow(bmc)
  fleet.onAdded(({ bmc }) => metrics.follow(bmc))
  return metrics
}
