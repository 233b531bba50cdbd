import {
  fastify,
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyRequest,
  type FastifyServerFactory,
  LogController,
} from 'fastify'
import type { Bmc, Row } from './bmc/bmc.ts'
import { ordinaryRules, type UpdateRules } from './bmc/update-rules.ts'
import { installAudit } from './http/audit.ts'
import { Authenticator } from './http/auth.ts'
import { insideSender } from './http/inside.ts'
import { Passes } from './http/passes.ts'
import { createTargets } from './http/targets.ts'
import { Turns } from './lib/turns.ts'
import type { Published } from './console/published.ts'
import { Registry } from './console/registry.ts'
import { Certificates } from './http/certificates.ts'
import { createDirectory } from './http/directory.ts'
import { type Endpoint, mount } from './http/mount.ts'
import { indexPaths } from './http/path-index.ts'
import { installProtocol, refuseBadPath } from './http/protocol.ts'
import { Reading } from './http/reading.ts'
import { refuseUnreadable } from './http/server.ts'
import type { ImageStore } from './image/store.ts'
import type { JournalRecord } from './journal/journal.ts'
import type { ResourceTypeName } from './redfish/types.gen.ts'
import { certificateRows } from './services/certificate-service/index.ts'
import { publishedImages } from './services/aggregation-service/published-images.ts'
import { aggregationRows } from './services/aggregation-service/index.ts'
import { accountServiceRows } from './services/account-service/index.ts'
import { machineRows } from './services/chassis-systems-managers/index.ts'
import { jobRows } from './services/job-service/index.ts'
import { UserJobs } from './services/job-service/user-jobs.ts'
import { deviceManagement } from './services/device-management/index.ts'
import { jsonSchemaRows } from './services/json-schemas/index.ts'
import { eventRows } from './services/event-service/index.ts'
import { eventStream } from './services/event-service/stream.ts'
import { logRows } from './services/log-service/index.ts'
import { rawLogs } from './services/log-service/raw-log.ts'
import { registryRows } from './services/registries/index.ts'
import { documentEndpoints } from './services/service-root/documents.ts'
import { serviceRootRows } from './services/service-root/index.ts'
import { sessionRows } from './services/session-service/index.ts'
import { telemetryRows } from './services/telemetry-service/index.ts'
import { taskRows } from './services/task-service/index.ts'
import { type MonitorEnding, taskMonitor } from './services/task-service/monitor.ts'
import { updateRows } from './services/update-service/index.ts'
import { imageData } from './services/update-service/image-data.ts'
import { allUpdateMethods, type UpdateMethod } from './services/update-service/methods.ts'
import { rollOutOrders } from './services/update-service/roll-out-orders.ts'
import { pushEndpoints } from './services/update-service/push-endpoints.ts'
import { Uploads } from './services/update-service/uploads.ts'
import { transferProtocols } from './transfer/fetch.ts'
import {
  closeEngines,
  createEngines,
  type EngineOptions,
  type Engines,
  forgetBmc,
  takeUpBmc,
} from './engines.ts'
import type { Directory } from './events/directory.ts'

/** As long as a request line may be: Node ends earlier, with all headers together. */
const MAX_URL_BYTES = 65_536

/** So many pushed images come at the same time, on all BMCs together; others wait before their first byte. */
const MAX_ARRIVALS = 16

/** What the app is made of, beside its engines; everything that touches the outside comes in here. */
export interface AppOptions extends EngineOptions {
  /** The ways to give the service an image that are there; all unless given. */
  readonly updateMethods?: ReadonlySet<UpdateMethod>
  /** The rules of update services that its BMCs can have; those of the standard unless given. */
  readonly updateRules?: readonly UpdateRules[]
  /** How long a body may take that is no image; a minute unless given. */
  readonly requestTimeoutMs?: number
  readonly monitorEnding: MonitorEnding
  /** The most members of a collection in one answer; 0 is no limit. */
  readonly pageSize: number
  readonly resolveBmc: (request: FastifyRequest) => Bmc
  readonly logger?: FastifyBaseLogger
  /** The path of a request as its BMC is to see it; as it came unless given. */
  readonly rewritePath?: (path: string) => string
  /** Those that the server shows; without a server nobody sees the ones that are made. */
  readonly certificates?: Certificates
  /** Of a console: the images that its devices fetch. */
  readonly published?: Published | undefined
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
  const app = createFastify(options)
  const findRow = indexPaths(() => rows)
  const directory = createDirectory(findRow)
  const engines = createEngines(options, directory, (err) => app.log.error({ err }, 'background work failed'))
  const { tasks, jobs, rollouts, resets, sessions, logins, events, images } = engines
  const passes = new Passes()
  const userJobs = new UserJobs({
    clock,
    logins,
    jobs,
    tasks,
    rollouts,
    send: insideSender(app, passes, clock),
  })

  const rows: readonly Row[] = makeRows(options, engines, {
    certificates,
    directory,
    userJobs,
    targets: createTargets(findRow),
    types: () => types,
  })
  const types: ReadonlySet<ResourceTypeName> = new Set(
    rows.flatMap(({ type }) => (type === 'mockup' ? [] : [type])),
  )
  const endpoints = makeEndpoints(options, engines, types)
  const authenticator = new Authenticator(sessions, logins)
  options.counters?.install(app)
  installAudit(app, clock)
  installProtocol(app, { ...options, passes })
  mount(app, { rows, endpoints }, { authenticator, reading: new Reading(findRow, options.pageSize) })
  app.addHook('onClose', () => closeEngines(engines, options))
  return {
    fastify: app,
    rows,
    endpoints,
    images,
    endStreams: () => events.endStreams(),
    forget: (bmc) => forgetBmc(bmc, engines),
    takeUp: async (bmc, records) => {
      certificates.takeUp(bmc, records)
      await takeUpBmc(bmc, records, engines, options)
      userJobs.takeUp(bmc)
      // What nobody has taken up by now is lost.
      for (const engine of [tasks, jobs]) engine.settle(bmc)
    },
    reset: (bmc, resource, type) => resets.start(bmc, resource, type),
  }
}

/** What rows are made of beside the engines; some of it looks at the rows themselves, once they are there. */
interface RowParts {
  readonly certificates: Certificates
  readonly directory: Directory
  readonly userJobs: UserJobs
  readonly targets: ReturnType<typeof createTargets>
  readonly types: () => ReadonlySet<ResourceTypeName>
}

/** The resource table. */
function makeRows(
  options: AppOptions,
  { tasks, jobs, rollouts, updates, resets, sessions, logins, events, images }: Engines,
  { certificates, directory, userJobs, targets, types }: RowParts,
): readonly Row[] {
  const {
    clock,
    devices,
    pageSize,
    imageFolders = new Map<string, string>(),
    updateMethods: methods = allUpdateMethods,
  } = options
  const protocols = transferProtocols(imageFolders)
  return [
    ...serviceRootRows,
    ...sessionRows(sessions, logins),
    ...accountServiceRows(clock, logins),
    ...updateRows({ ...options, certificates, methods, images, updates, protocols }),
    ...taskRows(tasks),
    ...jobRows({
      jobs,
      userJobs,
      rollouts,
      isConsole: devices !== undefined,
      targets,
      orders: rollOutOrders({ updates, images, protocols }),
    }),
    ...eventRows(events, directory),
    ...registryRows,
    ...jsonSchemaRows(types),
    ...logRows(pageSize, devices),
    ...certificateRows(certificates),
    ...(devices ? [...aggregationRows({ clock, devices, tasks }), ...telemetryRows(rollouts)] : []),
    ...machineRows({ clock, resets, updates, devices }),
  ]
}

/** The paths beside it. */
function makeEndpoints(
  options: AppOptions,
  { tasks, updates, requests, events, images }: Engines,
  types: ReadonlySet<ResourceTypeName>,
): readonly Endpoint[] {
  const { counters, updateMethods = allUpdateMethods, updateRules = [ordinaryRules] } = options
  const { mqttDevices: mqtt } = options
  const spool = counters?.countSpool(options.spool) ?? options.spool
  return [
    ...documentEndpoints(types),
    ...pushEndpoints(updateMethods, updateRules, {
      ...options,
      spool,
      updates,
      uploads: new Uploads(),
      arrivals: new Turns(MAX_ARRIVALS),
    }),
    imageData(images),
    taskMonitor(tasks, options.monitorEnding),
    ...rawLogs,
    ...(options.published ? [publishedImages(options.published)] : []),
    ...(mqtt ? deviceManagement({ requests, registry: new Registry({ ...options, mqtt }) }) : []),
    eventStream(events, options.journal),
    ...(counters ? [counters.endpoint()] : []),
  ]
}

function createFastify({ logger, serverFactory, rewritePath = (path) => path }: AppOptions): FastifyInstance {
  const app = fastify({
    routerOptions: { maxParamLength: MAX_URL_BYTES },
    exposeHeadRoutes: false,
    rewriteUrl: ({ url = '/' }) => rewritePath(url),
    logController: new LogController({ disableRequestLogging: true }),
    clientErrorHandler: refuseUnreadable,
    frameworkErrors: refuseBadPath,
    ...(serverFactory && { serverFactory }),
  })
  // Given its logger earlier, Fastify would make one more for every request, and listen to the end of every answer.
  if (logger) app.log = logger
  return app
}
