import {
  fastify,
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyRequest,
  type FastifyServerFactory,
  LogController,
} from 'fastify'
import { PasswordChecker } from './bmc/accounts.ts'
import { Logins } from './bmc/logins.ts'
import type { Bmc, Row } from './bmc/bmc.ts'
import { Resets } from './bmc/reset.ts'
import { Sessions } from './bmc/sessions.ts'
import { ordinaryRules, type UpdateRules } from './bmc/update-rules.ts'
import { LOOPBACK, requireDestinations } from './events/destinations.ts'
import type { EventSink } from './events/event-sink.ts'
import { Events } from './events/events.ts'
import { createHttpSink } from './events/http-sink.ts'
import type { Flasher } from './devices/flasher.ts'
import { createSimulatedFlasher } from './devices/simulated/simulated-flasher.ts'
import { withFaults } from './faults/faulty-flasher.ts'
import { installAudit } from './http/audit.ts'
import { Authenticator } from './http/auth.ts'
import { insideSender } from './http/inside.ts'
import { Passes } from './http/passes.ts'
import { createTargets } from './http/targets.ts'
import { Certificates } from './http/certificates.ts'
import type { Directory } from './events/directory.ts'
import { createDirectory } from './http/directory.ts'
import type { Metrics } from './http/metrics.ts'
import { type Endpoint, mountEndpoints, mountRows } from './http/mount.ts'
import { keptFirst } from './http/kept.ts'
import { installProtocol, refuseBadPath } from './http/protocol.ts'
import { Reading } from './http/reading.ts'
import { refuseUnreadable } from './http/server.ts'
import type { Spool } from './image/spool/spool.ts'
import { ImageStore } from './image/store.ts'
import type { Journal, JournalRecord } from './journal/journal.ts'
import type { Clock } from './lib/clock.ts'
import type { ResourceTypeName } from './redfish/types.gen.ts'
import { certificateRows } from './services/certificate-service/index.ts'
import { accountServiceRows } from './services/account-service/index.ts'
import { machineRows } from './services/chassis-systems-managers/index.ts'
import { jobRows } from './services/job-service/index.ts'
import { UserJobs } from './services/job-service/user-jobs.ts'
import { jsonSchemaRows } from './services/json-schemas/index.ts'
import { eventRows } from './services/event-service/index.ts'
import { eventStream } from './services/event-service/stream.ts'
import { logRows } from './services/log-service/index.ts'
import { rawLogs } from './services/log-service/raw-log.ts'
import { registryRows } from './services/registries/index.ts'
import { documentEndpoints } from './services/service-root/documents.ts'
import { serviceRootRows } from './services/service-root/index.ts'
import { sessionRows } from './services/session-service/index.ts'
import { taskRows } from './services/task-service/index.ts'
import { type MonitorEnding, taskMonitor } from './services/task-service/monitor.ts'
import { updateRows } from './services/update-service/index.ts'
import { imageData } from './services/update-service/image-data.ts'
import { allUpdateMethods, type UpdateMethod } from './services/update-service/methods.ts'
import { pushEndpoints } from './services/update-service/push-endpoints.ts'
import { Uploads } from './services/update-service/uploads.ts'
import { type OverWritePolicy, TaskEngine } from './tasks/engine.ts'
import { JobEngine } from './tasks/job-engine.ts'
import { ANYWHERE, parseImageSources } from './transfer/addresses.ts'
import { createFetcher, transferProtocols } from './transfer/fetch.ts'
import type { Fetcher } from './transfer/fetcher.ts'
import type { ImageFolders } from './transfer/image-folders.ts'
import { Gates } from './update/apply-time.ts'
import { resetsOfEach } from './update/resets-at-once.ts'
import { turnsOfEach } from './update/turns.ts'
import { Updates } from './update/updates.ts'

/** As long as a request line may be: Node ends earlier, with all headers together. */
const MAX_URL_BYTES = 65_536

/** What the app is made of; everything that touches the outside comes in here. */
export interface AppOptions {
  readonly clock: Clock
  readonly spool: Spool
  /** Where what is committed outlives the process; it is closed with the app. Nowhere unless given. */
  readonly journal?: Journal | undefined
  readonly maxImageBytes: number
  /** How much each BMC can keep in its image store; 8 GiB unless given. */
  readonly imageStoreBytes?: number
  /** Where images may be fetched from (see `transfer/addresses.ts`); anywhere but from places of secrets unless given. */
  readonly imageSources?: string
  /** Folders that stand for file servers' shares. */
  readonly imageFolders?: ImageFolders
  /** How images are fetched, where it is not from the network. */
  readonly fetcher?: Fetcher
  /** The ways to give the service an image that are there; all unless given. */
  readonly updateMethods?: ReadonlySet<UpdateMethod>
  /** The rules of update services that its BMCs can have; those of the standard unless given. */
  readonly updateRules?: readonly UpdateRules[]
  readonly stallMs: number
  /** How long a body may take that is no image; a minute unless given. */
  readonly requestTimeoutMs?: number
  readonly monitorEnding: MonitorEnding
  /** How many tasks are kept, and what becomes of them then: `tasks/engine.ts` says what unless given. */
  readonly maxTasks?: number
  readonly taskOverWritePolicy?: OverWritePolicy
  /** The most members of a collection in one answer; 0 is no limit. */
  readonly pageSize: number
  readonly resolveBmc: (request: FastifyRequest) => Bmc
  /** The path of a request as its BMC is to see it; as it came unless given. */
  readonly rewritePath?: (path: string) => string
  readonly logger?: FastifyBaseLogger
  /** Those that the server shows; without a server nobody sees the ones that are made. */
  readonly certificates?: Certificates
  /** Where events may be sent (see `events/destinations.ts`); nowhere but here unless given. */
  readonly eventDestinations?: string
  /** How events leave, where it is not by HTTP. */
  readonly eventSink?: EventSink
  /** Counts what happens, where somebody wants to know. */
  readonly counters?: Metrics
  /** Devices other than the simulated ones. */
  readonly flasher?: Flasher
  /** Whether devices fail as the machine's data says. */
  readonly hasFaults?: boolean
  /** How connections are made: see `http/server.ts`. */
  readonly serverFactory?: FastifyServerFactory
}

export interface App {
  readonly fastify: FastifyInstance
  /** The resource table and the paths beside it, as mounted. */
  readonly rows: readonly Row[]
  readonly endpoints: readonly Endpoint[]
  /** The images that BMCs keep. */
  readonly images: ImageStore
  /** Ends what stays open until somebody ends it: event streams. */
  readonly endStreams: () => void
  /** Ends all that is done for a BMC that is gone, and resolves when nothing knows of it any more. */
  readonly forget: (bmc: Bmc) => Promise<void>
  /** Goes on with what an earlier run of the service left under way on a BMC, which was restored from its journal. */
  readonly takeUp: (bmc: Bmc, records: readonly JournalRecord[]) => Promise<void>
  /** Begins the reset of a system or a manager, by nobody's request. */
  readonly reset: (bmc: Bmc, resource: string, type: string) => void
}

/** The composition root: makes the engines, hands them to the services, and mounts what those serve. */
export function createApp(options: AppOptions): App {
  const { clock, certificates = new Certificates({ clock, names: () => ['localhost'] }) } = options
  const spool = options.counters?.countSpool(options.spool) ?? options.spool
  const methods = options.updateMethods ?? allUpdateMethods
  const app = createFastify(options)
  const directory = createDirectory(() => rows)
  const engines = createEngines(options, directory, (err) => app.log.error({ err }, 'background work failed'))
  const { tasks, jobs, updates, resets, sessions, logins, events, images } = engines
  const passes = new Passes()
  const userJobs = new UserJobs({ clock, logins, jobs, tasks, send: insideSender(app, passes, clock) })
  const folders = options.imageFolders ?? new Map<string, string>()

  const rows: readonly Row[] = [
    ...serviceRootRows,
    ...sessionRows(sessions, logins),
    ...accountServiceRows(clock, logins),
    ...updateRows({
      ...options,
      certificates,
      methods,
      images,
      updates,
      protocols: transferProtocols(folders),
    }),
    ...taskRows(tasks),
    ...jobRows({ jobs, userJobs, targets: createTargets(() => rows) }),
    ...eventRows(events, directory),
    ...registryRows,
    ...jsonSchemaRows(() => types),
    ...logRows(options.pageSize),
    ...certificateRows(certificates),
    ...machineRows({ clock, resets, updates }),
  ]
  const types: ReadonlySet<ResourceTypeName> = new Set(
    rows.flatMap(({ type }) => (type === 'mockup' ? [] : [type])),
  )
  const endpoints: readonly Endpoint[] = [
    ...documentEndpoints(types),
    ...pushEndpoints(methods, options.updateRules ?? [ordinaryRules], {
      ...options,
      spool,
      updates,
      uploads: new Uploads(),
    }),
    imageData(images),
    taskMonitor(tasks, options.monitorEnding),
    ...rawLogs,
    eventStream(events, options.journal),
    ...(options.counters ? [options.counters.endpoint()] : []),
  ]
  const authenticator = new Authenticator(sessions, logins)
  options.counters?.install(app)
  installAudit(app, clock)
  installProtocol(app, { ...options, authenticator, passes })
  mountRows(app, rows, { authenticator, reading: new Reading(rows, options.pageSize) })
  mountEndpoints(app, endpoints, authenticator)
  app.addHook('onClose', () => engines.close())
  return {
    fastify: app,
    rows,
    endpoints,
    images,
    endStreams: () => events.endStreams(),
    forget: engines.forget,
    takeUp: (bmc, records) => {
      certificates.takeUp(bmc, records)
      return engines.takeUp(bmc, records, userJobs)
    },
    reset: (bmc, resource, type) => resets.start(bmc, resource, type),
  }
}

function createFastify({ logger, serverFactory, rewritePath = (path) => path }: AppOptions): FastifyInstance {
  const app = fastify({
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: MAX_URL_BYTES },
    exposeHeadRoutes: false,
    // The router leaves an encoded `$` as it is and matches no route by it: `%24metadata` would be a 404.
    rewriteUrl: ({ url = '/' }) => rewritePath(url).replaceAll('%24', '$'),
    logController: new LogController({ disableRequestLogging: true }),
    clientErrorHandler: refuseUnreadable,
    frameworkErrors: refuseBadPath,
    ...(serverFactory && { serverFactory }),
  })
  // Given its logger earlier, Fastify would make one more for every request, and listen to the end of every answer.
  if (logger) app.log = logger
  return app
}

/** What works behind the services; `failed` is told of bugs in work that nobody waits for. */
function createEngines(options: AppOptions, directory: Directory, failed: (error: unknown) => void) {
  const { clock, spool } = options
  const { maxTasks, taskOverWritePolicy: overWritePolicy } = options
  const tasks = new TaskEngine(clock, failed, { maxTasks, overWritePolicy })
  const jobs = new JobEngine(clock, failed)
  const images = new ImageStore(options)
  const resets: Resets = new Resets(clock, {
    interrupted: (bmc, resource) => updates.interrupt(bmc, resource),
    opened: (bmc, reset, signal) => updates.reset(bmc, reset, signal),
    failed,
  })
  const shop = {
    clock,
    flasher: withPlannedFaults(options),
    gates: new Gates(clock),
    turns: turnsOfEach(),
    resets: resetsOfEach((bmc, resource, type) => resets.start(bmc, resource, type)),
  }
  const intake = { ...options, fetcher: options.fetcher ?? fetcherOf(options) }
  const updates = new Updates({ shop, intake, jobs, images }, tasks)
  const sink = keptFirst(options.eventSink ?? createHttpSink(clock), options.journal)
  const events = new Events({
    clock,
    sink: options.counters?.countSink(sink) ?? sink,
    destinations: requireDestinations(options.eventDestinations ?? LOOPBACK),
    directory,
    failed,
    journal: options.journal,
    ...(options.counters && { dropped: options.counters.eventDropped }),
  })
  const logins = new Logins(clock, new PasswordChecker())
  const sessions = new Sessions(clock)
  const close = async (): Promise<void> => {
    // What is to go on after a restart is not kept as what its end makes of it.
    options.journal?.close()
    // At once: a boot may be held by the work that is to end.
    await Promise.all([resets.close(), tasks.close(), jobs.close()])
    await events.close()
    await spool.close()
  }
  const takeUp = async (bmc: Bmc, records: readonly JournalRecord[], userJobs: UserJobs): Promise<void> => {
    // Before anything new happens.
    events.takeUp(bmc, records)
    images.takeUp(bmc)
    await updates.takeUp(bmc)
    // A turn later: what is to be activated by a reset waits for it by then.
    clock.schedule(0, () => resets.takeUp(bmc))
    userJobs.takeUp(bmc)
    logins.takeUp(bmc)
    tasks.settle(bmc)
    jobs.settle(bmc)
  }
  const forget = async (bmc: Bmc): Promise<void> => {
    await Promise.all([resets.forget(bmc), tasks.forget(bmc), jobs.forget(bmc)])
    await Promise.all([events.forget(bmc), images.forget(bmc)])
    sessions.forget(bmc)
    logins.forget(bmc)
    shop.flasher.forget?.(bmc.id)
    bmc.listeners.clear()
    options.journal?.forget(bmc.id)
  }
  return { tasks, jobs, updates, resets, sessions, logins, events, images, close, takeUp, forget }
}

/** The devices, and where anything is to go wrong with them, what makes it so. */
function withPlannedFaults({ clock, logger, flasher, hasFaults }: AppOptions): Flasher {
  const devices = flasher ?? createSimulatedFlasher(clock)
  if (hasFaults !== true) return devices
  return withFaults(devices, { clock, struck: (fault) => logger?.warn(fault, 'fault injected') })
}

/** Fetches images from wherever the configuration lets them come. */
function fetcherOf({
  clock,
  imageSources = ANYWHERE,
  imageFolders = new Map(),
  stallMs,
}: AppOptions): Fetcher {
  const policy = parseImageSources(imageSources)
  if (policy === undefined) throw new Error(`${imageSources} is no list of addresses`)
  return createFetcher({ clock, policy, folders: imageFolders, stallMs })
}
