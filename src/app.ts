import {
  fastify,
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyRequest,
  type FastifyServerFactory,
  LogController,
} from 'fastify'
import { PasswordChecker } from './bmc/accounts.ts'
import type { Bmc, Row } from './bmc/bmc.ts'
import { Resets } from './bmc/reset.ts'
import { Sessions } from './bmc/sessions.ts'
import type { Flasher } from './devices/flasher.ts'
import { createSimulatedFlasher } from './devices/simulated/simulated-flasher.ts'
import { Authenticator } from './http/auth.ts'
import { type Endpoint, mountEndpoints, mountRows } from './http/mount.ts'
import { installProtocol } from './http/protocol.ts'
import { refuseUnreadable } from './http/server.ts'
import type { Spool } from './image/spool.ts'
import { type Clock, deviceClock, type Speed } from './lib/clock.ts'
import { machineRows } from './services/chassis-systems-managers/index.ts'
import { logRows } from './services/log-service/index.ts'
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
  readonly monitorEnding: MonitorEnding
  readonly resolveBmc: (request: FastifyRequest) => Bmc
  readonly logger?: FastifyBaseLogger
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
}

/** The composition root: makes the engines, hands them to the services, and mounts what those serve. */
export function createApp(options: AppOptions): App {
  const { clock, spool, logger, serverFactory } = options
  const app: FastifyInstance = fastify({
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: MAX_URL_BYTES },
    exposeHeadRoutes: false,
    // The router leaves an encoded `$` as it is and matches no route by it: `%24metadata` would be a 404.
    rewriteUrl: ({ url = '/' }) => url.replaceAll('%24', '$'),
    logController: new LogController({ disableRequestLogging: true }),
    clientErrorHandler: refuseUnreadable,
    ...(logger && { loggerInstance: logger }),
    ...(serverFactory && { serverFactory }),
  })
  const failed = (err: unknown): void => app.log.error({ err }, 'background work failed')
  const device = deviceClock(clock, options.speed)
  const flasher = options.flasher ?? createSimulatedFlasher(device)
  const tasks = new TaskEngine(clock, failed)
  const updates = new Updates(clock, tasks, flasher)
  const resets = new Resets(clock, device, {
    interrupted: (bmc, resource) => updates.interrupt(bmc, resource),
    opened: (bmc, resource, signal) => updates.activatePending(bmc, resource, signal),
    failed,
  })
  const sessions = new Sessions(clock)
  const passwords = new PasswordChecker()
  const authenticator = new Authenticator(sessions, passwords)

  const rows: readonly Row[] = [
    ...serviceRootRows,
    ...sessionRows(sessions, passwords),
    ...updateRows(options.maxImageBytes),
    ...taskRows(tasks),
    ...registryRows,
    ...logRows,
    ...machineRows(resets),
  ]
  const types = new Set(rows.flatMap(({ type }) => (type === 'mockup' ? [] : [type])))
  const endpoints: readonly Endpoint[] = [
    ...documentEndpoints(types),
    multipartPush({ ...options, updates }),
    taskMonitor(tasks, options.monitorEnding),
  ]
  installProtocol(app, { clock, authenticator, resolveBmc: options.resolveBmc })
  mountRows(app, rows, authenticator)
  mountEndpoints(app, endpoints, authenticator)
  app.addHook('onClose', async () => {
    await resets.close()
    await tasks.close()
    await spool.close()
  })
  return { fastify: app, rows, endpoints }
}
