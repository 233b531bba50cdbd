import { PasswordChecker } from './bmc/accounts.ts'
import { Logins } from './bmc/logins.ts'
import type { Bmc } from './bmc/bmc.ts'
import { Resets } from './bmc/reset.ts'
import { Sessions } from './bmc/sessions.ts'
import { LOOPBACK, requireDestinations } from './events/destinations.ts'
import type { EventSink } from './events/event-sink.ts'
import { Events } from './events/events.ts'
import { createHttpSink } from './events/http-sink.ts'
import type { Devices } from './console/devices.ts'
import { Requests } from './console/requests/requests.ts'
import { Rollouts } from './console/rollouts/rollouts.ts'
import type { Flasher } from './devices/flasher.ts'
import type { ManagedDevices } from './devices/mqtt/manager.ts'
import { createSimulatedFlasher } from './devices/simulated/simulated-flasher.ts'
import { withFaults } from './faults/faulty-flasher.ts'
import type { Directory } from './events/directory.ts'
import type { Metrics } from './http/metrics.ts'
import { keptFirst } from './http/kept.ts'
import type { Spool } from './image/spool/spool.ts'
import { ImageStore } from './image/store.ts'
import type { Journal, JournalRecord } from './journal/journal.ts'
import type { Clock } from './lib/clock.ts'
import { type OverWritePolicy, TaskEngine } from './tasks/engine.ts'
import { JobEngine } from './tasks/job-engine.ts'
import { ANYWHERE, parseImageSources } from './transfer/addresses.ts'
import { createFetcher } from './transfer/fetch.ts'
import type { Fetcher } from './transfer/fetcher.ts'
import type { ImageFolders } from './transfer/image-folders.ts'
import { Gates } from './update/apply-time.ts'
import { resetsOfEach } from './update/resets-at-once.ts'
import { turnsOfEach } from './update/turns.ts'
import type { RollOuts } from './update/run.ts'
import { Updates } from './update/updates.ts'

/** Of all apps: each account has its own salt, and many have the same account. */
const passwords = new PasswordChecker()

/** What the engines work with; everything that touches the outside comes in here. */
export interface EngineOptions {
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
  /** A source that sends nothing for this long is given up. */
  readonly stallMs: number
  /** How many tasks are kept, and what becomes of them then: `tasks/engine.ts` says what unless given. */
  readonly maxTasks?: number
  readonly taskOverWritePolicy?: OverWritePolicy
  /** Where events may be sent (see `events/destinations.ts`); nowhere but here unless given. */
  readonly eventDestinations?: string
  /** How events leave, where it is not by HTTP. */
  readonly eventSink?: EventSink
  /** Counts what happens, where somebody wants to know. */
  readonly counters?: Metrics
  /** Devices other than the simulated ones. */
  readonly flasher?: Flasher
  /** Of a console: the devices that it manages; a service without them is one BMC, or many. */
  readonly devices?: Devices | undefined
  /** Those of them that are managed by MQTT, as far as that is. */
  readonly mqttDevices?: ManagedDevices | undefined
  /** Whether devices fail as the machine's data says. */
  readonly hasFaults?: boolean
  /** Told of every fault on purpose as it strikes. */
  readonly logger?: { warn(fault: object, text: string): void }
}

/** What works behind the services; `failed` is told of bugs in work that nobody waits for. */
export function createEngines(
  options: EngineOptions,
  directory: Directory,
  failed: (error: unknown) => void,
) {
  const { clock } = options
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
    resets: resetsOfEach((bmc, resource, type) => {
      if (options.devices?.resetSoon(bmc, resource, type) !== true) resets.start(bmc, resource, type)
    }),
  }
  const intake = { ...options, fetcher: options.fetcher ?? fetcherOf(options) }
  const rollOuts: RollOuts | undefined = options.devices && {
    begin: (plan, task) => rollouts.begin(plan, task),
    preview: (plan, task) => rollouts.preview(plan, task),
  }
  const updates = new Updates({ shop, intake, jobs, images, rollOuts }, tasks)
  options.devices?.follow({
    renewed: (bmc, reset, signal) => updates.reset(bmc, reset, signal),
    detached: (bmc, device) => updates.detached(bmc, device),
  })
  const rollouts = new Rollouts({ ...options, updates, tasks, images, jobs, failed })
  const requests = new Requests({ clock, jobs, updates, mqtt: options.mqttDevices })
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
  const logins = new Logins(clock, passwords)
  const sessions = new Sessions(clock)
  const { flasher } = shop
  return { tasks, jobs, updates, rollouts, requests, resets, sessions, logins, events, images, flasher }
}

export type Engines = ReturnType<typeof createEngines>

/** Ends all work. */
export async function closeEngines(
  { tasks, jobs, rollouts, resets, events }: Engines,
  { journal, spool, devices }: EngineOptions,
): Promise<void> {
  // What is to go on after a restart is not kept as what its end makes of it.
  try {
    journal?.close()
  } finally {
    // At once: a boot may be held by the work that is to end.
    await Promise.all([rollouts.close(), resets.close(), tasks.close(), jobs.close(), devices?.close()])
    await events.close()
    await spool.close()
  }
}

/** Goes on with what an earlier run of the service left under way on a BMC, as these records of it say. */
export async function takeUpBmc(
  bmc: Bmc,
  records: readonly JournalRecord[],
  { updates, rollouts, requests, resets, logins, events, images }: Engines,
  { clock, devices }: EngineOptions,
): Promise<void> {
  // Before an update that goes on asks for one of them.
  devices?.takeUp(bmc)
  // Before anything new happens.
  events.takeUp(bmc, records)
  images.takeUp(bmc)
  logins.takeUp(bmc)
  await updates.takeUp(bmc)
  if (devices !== undefined) await rollouts.takeUp(bmc)
  requests.takeUp(bmc)
  // A turn later: what is to be activated by a reset waits for it by then.
  clock.schedule(0, () => resets.takeUp(bmc))
}

/** Ends all work for a BMC that is gone; resolves when nothing knows of it any more. */
export async function forgetBmc(
  bmc: Bmc,
  { tasks, jobs, rollouts, resets, sessions, logins, events, images, flasher }: Engines,
): Promise<void> {
  // At once: another may have its Id by the time that all has ended.
  flasher.forget?.(bmc.id)
  // Events first: nobody is told how the work ends, and nothing is kept for whoever has its Id next.
  await rollouts.forget(bmc)
  await Promise.all([events.forget(bmc), resets.forget(bmc), tasks.forget(bmc), jobs.forget(bmc)])
  await images.forget(bmc)
  sessions.forget(bmc)
  logins.forget(bmc)
  bmc.listeners.clear()
}

/** The devices, and where anything is to go wrong with them, what makes it so. */
function withPlannedFaults({ clock, logger, flasher, devices, hasFaults }: EngineOptions): Flasher {
  const all = flasher ?? devices?.flasher ?? createSimulatedFlasher(clock)
  if (hasFaults !== true) return all
  return withFaults(all, { clock, struck: (fault) => logger?.warn(fault, 'fault injected') })
}

/** Fetches images from wherever the configuration lets them come. */
function fetcherOf({
  clock,
  imageSources = ANYWHERE,
  imageFolders = new Map(),
  stallMs,
}: EngineOptions): Fetcher {
  const policy = parseImageSources(imageSources)
  if (policy === undefined) throw new Error(`${imageSources} is no list of addresses`)
  return createFetcher({ clock, policy, folders: imageFolders, stallMs })
}
