import type { FastifyBaseLogger, FastifyInstance } from 'fastify'
import type { Bmc } from './bmc/bmc.ts'
import { commit } from './bmc/commit.ts'
import { type Config, isFleet, isOpen, parseConfig } from './config.ts'
import { type Data, imagesOf, keepFleet, openData } from './data.ts'
import type { Flasher } from './devices/flasher.ts'
import { Fleet, whyNotAdded } from './fleet/fleet.ts'
import { makeGroups } from './fleet/machines.ts'
import { planOf } from './fleet/plan.ts'
import { giveOwnUuid } from './fleet/service-uuid.ts'
import { capacityOf, type Urls, urlsOf } from './fleet/urls.ts'
import type { ReachKind } from './http/reach.ts'
import { type Ssdp, startDiscovery } from './http/ssdp.ts'
import { urlAt } from './lib/address-list.ts'
import { type Clock, systemClock } from './lib/clock.ts'
import { uris } from './redfish/uris.ts'
import { makeService, type Service, type Surroundings } from './service.ts'
import { REDFISH_VERSION } from './services/service-root/index.ts'
import type { GivenSettings } from './settings.ts'

export type { Bmc } from './bmc/bmc.ts'
export type { Config } from './config.ts'
export type { FleetFile } from './fleet/plan.ts'
export type { Urls } from './fleet/urls.ts'
export type { GivenSettings } from './settings.ts'
export type { DeviceModule, DeviceTools, OwnAdapter } from './console/user-module.ts'
export type {
  Abilities,
  DeviceAdapter,
  DeviceAddress,
  DeviceFacts,
  DeviceProblem,
  DeviceRecord,
  FirmwareFacts,
  OnDevice,
} from './devices/device.ts'
export type {
  ActivationJob,
  Flasher,
  FlashJob,
  FlashProblem,
  FlashResult,
  Found,
  Memo,
} from './devices/flasher.ts'
export { type Clock, VirtualClock } from './lib/clock.ts'

/** How long requests may go on once the service is told to end. */
const GRACE_MS = 5_000
/** Where the fleet is listed and changed. */
const CONTROL_HOST = '127.0.0.1'
/** One BMC is reached at the host and the ports of the service. */
const alone: ReadonlySet<ReachKind> = new Set(['port'])
const nowhere: Urls = { url: undefined, httpsUrl: undefined }

/** Settings as in the configuration file; the ports default to free ones. */
export interface EmulatorOptions extends Omit<GivenSettings, 'flasher'> {
  /** The time that the emulator lives in; a VirtualClock is moved by hand. */
  readonly clock?: Clock
  /** A pino logger, or its like; without one the emulator is silent. */
  readonly logger?: FastifyBaseLogger
  /** Devices other than the simulated ones; of a console, the file of a module that reaches devices. */
  readonly flasher?: Flasher | string
}

/** A running service and the BMCs behind it. */
export interface Emulator extends AsyncDisposable {
  /** Of the first BMC; `undefined` where HTTP is not served. */
  readonly url: string | undefined
  readonly httpsUrl: string | undefined
  /** Where the fleet is listed and changed; `undefined` where that is not served. */
  readonly controlUrl: string | undefined
  /** Of a console: where devices come by MQTT, if they do. */
  readonly mqttUrl: string | undefined
  /** The same over TLS. */
  readonly mqttsUrl: string | undefined
  /** As they are now: those of a fleet come and go. */
  readonly bmcs: readonly Bmc[]
  readonly clock: Clock
  readonly config: Config
  /** Where a BMC is reached, in each of the ways that there are; nowhere once it is gone. */
  urlsOf(bmc: Bmc): readonly Urls[]
  /** Adds BMCs of a group of the fleet. Rejects where there is no such group, or no room. */
  add(group: string, count?: number): Promise<readonly Bmc[]>
  /** Removes a BMC of the fleet and ends its work; false where it is gone already. */
  remove(bmc: Bmc): Promise<boolean>
  /** Resolves when the disk does not keep any more what was committed: no answer leaves, and the service is to be ended. */
  readonly failure: Promise<Error>
  /** Ends the service: running requests get a grace time, tasks are stopped, the spool is emptied. */
  close(): Promise<void>
}

/** Starts one emulated BMC, or a fleet. Throws an Error that lists every mistake in the options. */
export async function createEmulator(options: EmulatorOptions = {}): Promise<Emulator> {
  const { clock = systemClock, logger, flasher, ...rest } = options
  const given = typeof flasher === 'string' ? { ...rest, flasher } : rest
  const parsed = parseConfig([
    { nameOf: (name) => name, isText: false, values: { port: 0, httpsPort: 0, mqtt: '0', ...given } },
  ])
  if (!parsed.ok) throw new Error(`the configuration is wrong:\n${parsed.problem.join('\n')}`)
  return startEmulator(parsed.value, {
    clock,
    ...(logger && { logger }),
    ...(typeof flasher === 'object' && { flasher }),
  })
}

/** Starts the service of a checked configuration: what `createEmulator` and the command line share. */
export async function startEmulator(
  config: Config,
  { clock = systemClock, ...given }: Partial<Pick<Surroundings, 'clock' | 'logger' | 'flasher'>> = {},
): Promise<Emulator> {
  const data = await openData(config)
  try {
    return await start(config, { clock, data, ...given })
  } catch (error) {
    data?.journal.close()
    throw error
  }
}

async function start(
  config: Config,
  { clock, data, ...given }: Omit<Surroundings, 'failed'>,
): Promise<Emulator> {
  const plan = planOf(config, { ...config, isOpen: isOpen(config) })
  // Hashing takes another thread some 60 ms: the app is loaded and made meanwhile.
  const { groups, machines, hashed } = await makeGroups(plan)
  const fleet = new Fleet(groups, isFleet(config) ? capacityOf(config, [config.port, config.httpsPort]) : 1)
  for (const { name, count } of plan.groups) await add(fleet, name, count)
  const failed = (err: unknown): void => given.logger?.error({ err }, 'the network failed')
  const service = await makeService(config, { fleet, machines }, { clock, data, failed, ...given })
  try {
    await service.app.ready()
    await hashed
    // Before what was kept, where a client may have said otherwise.
    for (const { bmc } of fleet.members()) if (config.ssdp) commit(bmc, { network: { ssdpEnabled: true } })
    if (data) await resume(fleet, data, service)
    for (const { bmc } of fleet.members()) if (bmc.seed === undefined) giveOwnUuid(bmc, config)
    service.begin()
  } catch (error) {
    await service.app.close()
    throw error
  }
  // Whoever changes the fleet is told when that is kept.
  const kept = (): void => data?.journal.flush()
  const { controlUrl, close } = await openAll(config, fleet, service, { failed, kept })
  const [first] = fleet.members()
  const [urls = nowhere] = first ? urlsIn(config, fleet, first.bmc) : []
  return {
    ...urls,
    controlUrl,
    mqttUrl: service.mqttUrl,
    mqttsUrl: service.mqttsUrl,
    get bmcs() {
      return [...fleet.members()].map(({ bmc }) => bmc)
    },
    clock,
    config,
    urlsOf: (bmc) => urlsIn(config, fleet, bmc),
    add: (group, count) => add(fleet, group, count).finally(kept),
    remove: async ({ id }) => isFleet(config) && fleet.remove(id).finally(kept),
    failure: data?.failure ?? new Promise(() => {}),
    close,
    [Symbol.asyncDispose]: close,
  }
}

/** Goes on with what was kept. An image that one operation is done with may be what the next one needs. */
async function resume(fleet: Fleet, data: Data, { spool, takeUp }: Service): Promise<void> {
  const { restored, images } = await keepFleet(fleet, data)
  const own = imagesOf([...restored.values()].flat())
  await spool.sweep(images)
  // Those of BMCs that are not there this time are held for good.
  for (const sha256 of images) if (!own.has(sha256)) spool.find(sha256)
  const held = [...own].map((sha256) => spool.find(sha256))
  for (const [{ bmc }, records] of restored) await takeUp(bmc, records)
  await Promise.all(held.map(async (image) => image?.discard()))
}

async function add(fleet: Fleet, group: string, count?: number): Promise<readonly Bmc[]> {
  const added = await fleet.add(group, count)
  if (!added.ok) throw new Error(`fleet: ${whyNotAdded(added.problem)}`)
  return added.value.map(({ bmc }) => bmc)
}

function urlsIn(config: Config, fleet: Fleet, { id }: Bmc): readonly Urls[] {
  const member = fleet.find(id)
  return member ? urlsOf(isFleet(config) ? config : { ...config, reach: alone }, member) : []
}

/** What listens, and how it ends. */
interface Opened {
  readonly controlUrl: string | undefined
  readonly close: () => Promise<void>
}

/** Lets everybody be reached, now and whenever they come. */
async function openAll(
  config: Config,
  fleet: Fleet,
  service: Service,
  { failed, kept }: { readonly failed: (error: unknown) => void; readonly kept: () => void },
): Promise<Opened> {
  const { app, doors, endStreams } = service
  let discovery: Ssdp | undefined
  let control: FastifyInstance | undefined
  const end = async (graceMs: number): Promise<void> => {
    await Promise.all([doors.close(graceMs), control?.close()])
    await app.close()
  }
  try {
    await openDoors(fleet, service)
    const [only] = fleet.members()
    if (only && !isFleet(config)) discovery = await discover(only.bmc, config, failed)
    control = await startControl(config, fleet, service, { failed, kept })
  } catch (error) {
    discovery?.close()
    await end(0)
    throw error
  }
  let closing: Promise<void> | undefined
  const close = (): Promise<void> => {
    discovery?.close()
    endStreams()
    return (closing ??= end(GRACE_MS))
  }
  return { controlUrl: control?.listeningOrigin, close }
}

async function openDoors(fleet: Fleet, { doors, forget }: Service): Promise<void> {
  await doors.open()
  for (const { bmc, slot } of fleet.members()) await doors.admit(bmc, slot)
  fleet.onAdded(({ bmc, slot }) => doors.admit(bmc, slot))
  fleet.onRemoved(({ bmc }) => {
    doors.dismiss(bmc)
    return forget(bmc)
  })
}

/** Lets searches find the service root: by HTTPS where it is served. */
function discover(bmc: Bmc, { host }: Config, failed: (error: unknown) => void): Promise<Ssdp> {
  const { httpPort, httpsPort } = bmc.state.network
  const [scheme, port] = httpsPort === undefined ? ['http', httpPort] : ['https', httpsPort]
  const urlHere = (address: string): string => `${urlAt(scheme, port, address)}${uris.root}/`
  return startDiscovery(bmc, {
    host,
    urlAt: urlHere,
    minor: Number(REDFISH_VERSION.split('.')[1]),
    failed,
  })
}

/** Most runs never load what controls a fleet. */
async function startControl(
  config: Config,
  fleet: Fleet,
  { authority, reset }: Service,
  { failed, kept }: { readonly failed: (error: unknown) => void; readonly kept: () => void },
): Promise<FastifyInstance | undefined> {
  if (config.controlPort === undefined) return undefined
  const { createControl } = await import('./fleet/control.ts')
  const control = createControl({
    fleet,
    authority,
    reset,
    failed,
    urlsOf: ({ bmc }) => urlsIn(config, fleet, bmc),
  })
  control.addHook('onSend', async () => kept())
  await control.listen({ host: CONTROL_HOST, port: config.controlPort })
  return control
}
