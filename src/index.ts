import type { FastifyBaseLogger } from 'fastify'
import { hostname } from 'node:os'
import { createAccount } from './bmc/accounts.ts'
import { type Bmc, createBmc } from './bmc/bmc.ts'
import { type Machine, underRules } from './bmc/machine.ts'
import { loadMachine, loadProfile } from './bmc/mockup-folder.ts'
import { commit } from './bmc/commit.ts'
import { type Config, isStrict, parseConfig } from './config.ts'
import type { Account } from './bmc/state.ts'
import type { TrustStore } from './bmc/trust-store.ts'
import type { Flasher } from './devices/flasher.ts'
import type { GivenSettings } from './settings.ts'
import { readDevicesFile } from './faults/devices-file.ts'
import { hasFaults, planFaults } from './faults/plan.ts'
import { Certificates } from './http/certificates.ts'
import { readKeyPair } from './http/key-pair-files.ts'
import { Server, type ServerOptions } from './http/server.ts'
import { type Ssdp, startDiscovery } from './http/ssdp.ts'
import { createFileSpool } from './image/spool/file-spool.ts'
import { type Clock, systemClock } from './lib/clock.ts'
import { uris } from './redfish/uris.ts'
import { REDFISH_VERSION } from './services/service-root/index.ts'
import { parseImageFolders } from './transfer/image-folders.ts'

export type { Bmc } from './bmc/bmc.ts'
export type { Config } from './config.ts'
export type { GivenSettings } from './settings.ts'
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

type Given = Required<Pick<EmulatorOptions, 'clock'>> & Pick<EmulatorOptions, 'logger' | 'flasher'>

/** Starts the service of a checked configuration: what `createEmulator` and the command line share. */
export async function startEmulator(
  config: Config,
  { clock = systemClock, ...given }: Pick<EmulatorOptions, 'clock' | 'logger' | 'flasher'> = {},
): Promise<Emulator> {
  // Hashing takes another thread some 60 ms: the app is loaded and made meanwhile.
  const hashing = createAccount(config.user, config.password)
  const accounts = new Map<string, Account>()
  const bmc = createBmc('1', await machineOf(config), accounts)
  const {
    app,
    server: listening,
    certificates,
    endStreams,
  } = await makeService(config, bmc, { clock, ...given })
  await app.ready()
  const account = await hashing
  accounts.set(account.id, account)
  const failed = (err: unknown): void => app.log.error({ err }, 'the network failed')
  certificates.watch((_bmc, pair) => void listening.setKeyPair(pair).catch(failed))
  const { ports, discovery } = await openDoors(bmc, listening, config, failed).catch(
    async (error: unknown) => {
      await listening.close(0)
      await app.close()
      throw error
    },
  )
  let closing: Promise<void> | undefined
  const close = (): Promise<void> => {
    discovery.close()
    endStreams()
    return (closing ??= listening.close(GRACE_MS).then(() => app.close()))
  }
  return {
    url: urlOf('http', ports.port, config.host),
    httpsUrl: urlOf('https', ports.httpsPort, config.host),
    bmcs: [bmc],
    clock,
    config,
    close,
    [Symbol.asyncDispose]: close,
  }
}

/** The machine as its own data and the configuration make it. */
async function machineOf(config: Config): Promise<Machine> {
  const { machine, profile, awaitReset, startUpdate, devices, trust, unsignedImages } = config
  const loaded = loadMachine(machine)
  const ruled = profile === '' ? loaded : underRules(loaded, loadProfile(profile))
  const adapted: Machine = {
    ...ruled,
    ...(awaitReset !== 'machine' && { awaitReset }),
    ...(startUpdate !== 'machine' && { startUpdate }),
    ...(unsignedImages !== 'machine' && { trust: { ...ruled.trust, unsigned: unsignedImages } }),
    ...(trust !== '' && { trustStore: await trustIn(trust) }),
  }
  if (devices === '') return adapted
  return planFaults(adapted, typeof devices === 'string' ? readDevicesFile(devices) : devices)
}

/** Most runs need nothing of what reads it. */
async function trustIn(folder: string): Promise<TrustStore> {
  const { readTrustFolder } = await import('./image/trust/trust-folder.ts')
  return readTrustFolder(folder)
}

/** The app and the sockets that it will be reached by; nothing listens yet. */
async function makeService(config: Config, bmc: Bmc, { clock, ...given }: Given) {
  const { createApp } = await import('./app.ts')
  const givenKeyPair = config.tlsCert === '' ? undefined : readKeyPair(config.tlsCert, config.tlsKey)
  const certificates = new Certificates({ clock, names: names(config), given: givenKeyPair })
  const counters = config.metrics ? new (await import('./http/metrics.ts')).Metrics(bmc) : undefined
  let server: Server | undefined
  const { fastify: app, endStreams } = createApp({
    ...config,
    clock,
    spool: createFileSpool(clock, {
      ...(config.spool !== '' && { parent: config.spool }),
      capacityBytes: config.spoolBytes,
      failed: (err) => given.logger?.error({ err }, 'the spool failed'),
    }),
    stallMs: config.uploadStallMs,
    monitorEnding: config.taskMonitor,
    imageFolders: parseImageFolders(config.imageFolders) ?? new Map<string, string>(),
    resolveBmc: () => bmc,
    certificates,
    hasFaults: hasFaults(bmc.machine),
    updateRules: [bmc.machine.updateRules],
    ...(counters && { counters }),
    ...given,
    serverFactory: (handler) => {
      const options = serverOptions(config, () => certificates.keyPair(bmc))
      server = new Server(options, handler)
      return server.http
    },
  })
  if (server === undefined) throw new Error('Fastify did not ask for its server')
  return { app, server, certificates, endStreams }
}

/** Listens, tells the BMC where, and lets it be found; from now on the sockets follow its outages. */
async function openDoors(bmc: Bmc, server: Server, config: Config, failed: (error: unknown) => void) {
  const ports = await server.listen()
  commit(bmc, { network: { httpPort: ports.port, httpsPort: ports.httpsPort, ssdpEnabled: config.ssdp } })
  followOutages(bmc, server, failed)
  return { ports, discovery: await discover(bmc, config.host, failed) }
}

function serverOptions(config: Config, keyPair: ServerOptions['keyPair']): ServerOptions {
  return {
    ...config,
    port: config.http ? config.port : undefined,
    httpsPort: config.https ? config.httpsPort : undefined,
    keyPair,
    isStrict: isStrict(config),
  }
}

/** While the manager boots, a machine that refuses connections does so. */
function followOutages(bmc: Bmc, server: Server, failed: (error: unknown) => void): void {
  bmc.listeners.add((change) => {
    if (!('outage' in change)) return
    if (change.outage === 'refuse') server.suspend()
    else if (!server.isListening) server.listen().catch(failed)
  })
}

/** Lets searches find the service root: by HTTPS where it is served. */
function discover(bmc: Bmc, host: string, failed: (error: unknown) => void): Promise<Ssdp> {
  const { httpPort, httpsPort } = bmc.state.network
  const [scheme, port] = httpsPort === undefined ? ['http', httpPort] : ['https', httpsPort]
  const urlAt = (address: string): string => `${urlOf(scheme, port, address)}${uris.root}/`
  return startDiscovery(bmc, { host, urlAt, minor: Number(REDFISH_VERSION.split('.')[1]), failed })
}

function urlOf(scheme: string, port: number | undefined, host: string): string | undefined {
  return port === undefined ? undefined : `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`
}

function names({ host }: Config): string[] {
  return [...new Set(['localhost', '127.0.0.1', hostname(), host])]
}
