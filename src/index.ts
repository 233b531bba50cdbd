import type { FastifyBaseLogger } from 'fastify'
import { hostname } from 'node:os'
import { createApp } from './app.ts'
import { createAccount } from './bmc/accounts.ts'
import { type Bmc, createBmc } from './bmc/bmc.ts'
import { loadMachine } from './bmc/mockup-folder.ts'
import { type Config, type GivenSettings, parseConfig } from './config.ts'
import type { Flasher } from './devices/flasher.ts'
import { readKeyPair } from './http/key-pair-files.ts'
import { Server } from './http/server.ts'
import { createFileSpool } from './image/file-spool.ts'
import { type Clock, systemClock } from './lib/clock.ts'

export type { Bmc } from './bmc/bmc.ts'
export type { Config, GivenSettings } from './config.ts'
export type { Flasher, FlashJob, FlashProblem, FlashResult } from './devices/flasher.ts'
export { type Clock, VirtualClock } from './lib/clock.ts'

/** How long requests may go on once the service is told to end. */
const GRACE_MS = 5_000

/** Settings as in the configuration file; the ports default to free ones. */
export interface EmulatorOptions extends GivenSettings {
  /** The time that the emulator lives in; a VirtualClock is moved by hand. */
  readonly clock?: Clock
  /** A pino logger, or its like; without one the emulator is silent. */
  readonly logger?: FastifyBaseLogger
  /** Devices other than the simulated ones. */
  readonly flasher?: Flasher
}

/** A running service and the BMCs behind it. */
export interface Emulator extends AsyncDisposable {
  /** `undefined` where HTTP is not served. */
  readonly url: string | undefined
  readonly httpsUrl: string | undefined
  readonly bmcs: readonly Bmc[]
  readonly clock: Clock
  readonly config: Config
  /** Ends the service: running requests get a grace time, tasks are stopped, the spool is emptied. */
  close(): Promise<void>
}

/** Starts an emulated BMC. Throws an Error that lists every mistake in the options. */
export async function createEmulator(options: EmulatorOptions = {}): Promise<Emulator> {
  const { clock = systemClock, logger, flasher, ...given } = options
  const parsed = parseConfig([
    { nameOf: (name) => name, isText: false, values: { port: 0, httpsPort: 0, ...given } },
  ])
  if (!parsed.ok) throw new Error(`the configuration is wrong:\n${parsed.problem.join('\n')}`)
  return startEmulator(parsed.value, { clock, ...(logger && { logger }), ...(flasher && { flasher }) })
}

/** Starts the service of a checked configuration: what `createEmulator` and the command line share. */
export async function startEmulator(
  config: Config,
  { clock = systemClock, logger, flasher }: Pick<EmulatorOptions, 'clock' | 'logger' | 'flasher'> = {},
): Promise<Emulator> {
  const machine = loadMachine(config.machine)
  const givenKeyPair = config.tlsCert === '' ? undefined : readKeyPair(config.tlsCert, config.tlsKey)
  const account = await createAccount(config.user, config.password)
  const bmc = createBmc('1', machine, new Map([[account.username, account]]))
  const spool = createFileSpool(clock, config.spool === '' ? undefined : config.spool)
  let server: Server | undefined
  const { fastify: app } = createApp({
    ...config,
    clock,
    spool,
    stallMs: config.uploadStallMs,
    monitorEnding: config.taskMonitor,
    resolveBmc: () => bmc,
    ...(logger && { logger }),
    ...(flasher && { flasher }),
    serverFactory: (handler) => {
      server = new Server(
        {
          host: config.host,
          port: config.http ? config.port : undefined,
          httpsPort: config.https ? config.httpsPort : undefined,
          keyPair: async () =>
            givenKeyPair ?? (await import('./http/certificate.ts')).makeCertificate(names(config), clock),
        },
        handler,
      )
      return server.http
    },
  })
  await app.ready()
  if (server === undefined) throw new Error('Fastify did not ask for its server')
  const listening = server
  const ports = await listening.listen()
  bmc.listeners.add((change) => {
    if (!('outage' in change)) return
    if (change.outage === 'refuse') listening.suspend()
    else if (!listening.isListening)
      listening.listen().catch((err: unknown) => app.log.error({ err }, 'cannot listen again'))
  })
  let closing: Promise<void> | undefined
  const close = (): Promise<void> => (closing ??= listening.close(GRACE_MS).then(() => app.close()))
  const urlOf = (scheme: string, port: number | undefined): string | undefined =>
    port === undefined
      ? undefined
      : `${scheme}://${config.host.includes(':') ? `[${config.host}]` : config.host}:${port}`
  return {
    url: urlOf('http', ports.port),
    httpsUrl: urlOf('https', ports.httpsPort),
    bmcs: [bmc],
    clock,
    config,
    close,
    [Symbol.asyncDispose]: close,
  }
}

function names({ host }: Config): string[] {
  return [...new Set(['localhost', '127.0.0.1', hostname(), host])]
}
