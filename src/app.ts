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
import { LOOPBACK, requireDestinations } from './events/destinations.ts'
import type { EventSink } from './events/event-sink.ts'
import { Events } from './events/events.ts'
import { createHttpSink } from './events/http-sink.ts'
import type { Flasher } from './devices/flasher.ts'
import { createSimulatedFlasher } from './devices/simulated/simulated-flasher.ts'
import { installAudit } from './http/audit.ts'
import { Authenticator } from './http/auth.ts'
import { Certificates } from './http/certificates.ts'
import type { Directory } from './events/watch.ts'
import { createDirectory } from './http/directory.ts'
import type { Metrics } from './http/metrics.ts'
import { type Endpoint, mountEndpoints, mountRows } from './http/mount.ts'
import { installProtocol, refuseBadPath } from './http/protocol.ts'
import { Reading } from './http/reading.ts'
import { refuseUnreadable } from './http/server.ts'
import type { Spool } from './image/spool.ts'
import { type Clock, deviceClock, type Speed } from './lib/clock.ts'
import type { ResourceTypeName } from './redfish/types.gen.ts'
import { certificateRows } from './services/certificate-service/index.ts'
import { accountServiceRows } from './services/account-service/index.ts'
import { machineRows } from './services/chassis-systems-managers/index.ts'
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
import { multipartPush } from './services/update-service/push-multipart.ts'
import { TaskEngine } from './tasks/engine.ts'
import { Updates } from './update/updates.ts'

/** As long as a request line may be: Node ends earlier, with all headers together. */
const MAX_URL_BYTES = 65_536

/** What the app is made of; everything that touches the outside comes in here. */
export interface AppOptions {
  readonly clock: Clock
  readonly speed: Speed
  readonly spool: Spool
  readonly maxImageBytes: number
  readonly stallMs: number
  /** How long a body may take that is no image; a minute unless given. */
  readonly requestTimeoutMs?: number
  readonly monitorEnding: MonitorEnding
  /** The most members of a collection in one answer; 0 is no limit. */
  readonly pageSize: number
  readonly resolveBmc: (request: FastifyRequest) => Bmc
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
  /** How connections are made: see `http/server.ts`. */
  readonly serverFactory?: FastifyServerFactory
}

export interface App {
  readonly fastify: FastifyInstance
  /** The resource table and the paths beside it, as mounted. */
  readonly rows: readonly Row[]
  readonly endpoints: readonly Endpoint[]
  /** Ends what stays open until somebody ends it: event streams. */
  readonly endStreams: () => void
}

/** The composition root: makes the engines, hands them to the services, and mounts what those serve. */
export function createApp(options: AppOptions): App {
  const { clock, certificates = new Certificates({ clock, names: ['localhost'] }) } = options
  const spool = options.counters?.countSpool(options.spool) ?? options.spool
  const app = createFastify(options)
  const directory = createDirectory(() => rows)
  const engines = createEngines(options, directory, (err) => app.log.error({ err }, 'background work failed'))
  const { tasks, updates, resets, sessions, logins, events } = engines

  const rows: readonly Row[] = [
    ...serviceRootRows,
    ...sessionRows(sessions, logins),
    ...accountServiceRows(clock, logins),
    ...updateRows(options.maxImageBytes),
    ...taskRows(tasks),
    ...eventRows(events, directory),
    ...registryRows,
    ...jsonSchemaRows(() => types),
    ...logRows(options.pageSize),
    ...certificateRows(certificates),
    ...machineRows(resets),
  ]
  const types: ReadonlySet<ResourceTypeName> = new Set(
    rows.flatMap(({ type }) => (type === 'mockup' ? [] : [type])),
  )
  const endpoints: readonly Endpoint[] = [
    ...documentEndpoints(types),
    multipartPush({ ...options, spool, updates }),
    taskMonitor(tasks, options.monitorEnding),
    ...rawLogs,
    eventStream(events),
    ...(options.counters ? [options.counters.endpoint()] : []),
  ]
  const authenticator = new Authenticator(sessions, logins)
  options.counters?.install(app)
  installAudit(app, clock)
  installProtocol(app, { ...options, authenticator })
  mountRows(app, rows, { authenticator, reading: new Reading(rows, options.pageSize) })
  mountEndpoints(app, endpoints, authenticator)
  app.addHook('onClose', () => engines.close())
  return { fastify: app, rows, endpoints, endStreams: () => events.endStreams() }
}

function createFastify({ logger, serverFactory }: AppOptions): FastifyInstance {
  const app = fastify({
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: MAX_URL_BYTES },
    exposeHeadRoutes: false,
    // The router leaves an encoded `$` as it is and matches no route by it: `%24metadata` would be a 404.
    rewriteUrl: ({ url = '/' }) => url.replaceAll('%24', '$'),
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
  const device = deviceClock(clock, options.speed)
  const tasks = new TaskEngine(clock, failed)
  const updates = new Updates(clock, tasks, options.flasher ?? createSimulatedFlasher(device))
  const resets = new Resets(clock, device, {
    interrupted: (bmc, resource) => updates.interrupt(bmc, resource),
    opened: (bmc, resource, signal) => updates.activatePending(bmc, resource, signal),
    failed,
  })
  const sink = options.eventSink ?? createHttpSink(clock)
  const events = new Events({
    clock,
    sink: options.counters?.countSink(sink) ?? sink,
    destinations: requireDestinations(options.eventDestinations ?? LOOPBACK),
    directory,
    failed,
    ...(options.counters && { dropped: options.counters.eventDropped }),
  })
  const logins = new Logins(clock, new PasswordChecker())
  const close = async (): Promise<void> => {
    await resets.close()
    await tasks.close()
    await events.close()
    await spool.close()
  }
  return { tasks, updates, resets, sessions: new Sessions(clock), logins, events, close }
}
