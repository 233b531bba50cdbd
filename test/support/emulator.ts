import type { FastifyBaseLogger } from 'fastify'
import { onTestFinished } from 'vitest'
import { createApp } from '../../src/app.ts'
import { createAccount } from '../../src/bmc/accounts.ts'
import { type Bmc, createBmc } from '../../src/bmc/bmc.ts'
import type { Machine } from '../../src/bmc/machine.ts'
import { byOwner, keep, restore } from '../../src/bmc/keeping.ts'
import { predefinedRoles } from '../../src/bmc/roles.ts'
import type { Account, Role } from '../../src/bmc/state.ts'
import type { Flasher } from '../../src/devices/flasher.ts'
import type { ManagedDevices } from '../../src/devices/mqtt/manager.ts'
import { hasFaults, type DevicePlans, planFaults } from '../../src/faults/plan.ts'
import type { EventSink } from '../../src/events/event-sink.ts'
import { createMemorySpool } from '../../src/image/spool/memory-spool.ts'
import type { Journal } from '../../src/journal/journal.ts'
import { createMemoryJournal } from '../../src/journal/memory-journal.ts'
import { type Clock, type Speed, VirtualClock } from '../../src/lib/clock.ts'
import { type JsonObject } from '../../src/redfish/resource.ts'
import type { MonitorEnding } from '../../src/services/task-service/monitor.ts'
import type { OverWritePolicy } from '../../src/tasks/engine.ts'
import type { UpdateMethod } from '../../src/services/update-service/methods.ts'
import { Devices } from '../../src/console/devices.ts'
import type { Method } from '../../src/console/method.ts'
import type { Published } from '../../src/console/published.ts'
import type { Fetcher } from '../../src/transfer/fetcher.ts'
import { parseImageFolders } from '../../src/transfer/image-folders.ts'
import { ourMachine } from './machines.ts'

/** How often a console looks at its devices. */
export const REFRESH_MS = 60_000
export const PASSWORD = 'redflash'
export const basic = (user: string, password = PASSWORD): string =>
  `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`

/** A role that may look, and nothing else. */
const guest: Role = { id: 'Guest', privileges: ['Login'], oemPrivileges: [], isPredefined: false }

// Hashing a password is slow on purpose: the one of all accounts is hashed once, and found right once.
const accounts: Promise<ReadonlyMap<string, Account>> = createAccount('admin', PASSWORD).then((admin) => {
  const reader = { ...admin, id: 'reader', username: 'reader', roleId: guest.id }
  return new Map([admin, reader].map((account) => [account.username, account]))
})

export interface TestOptions {
  readonly machine?: string | Machine
  /** What of the machine is otherwise than its data says; tasks end where they would wait, unless a test is of that. */
  readonly adapted?: Partial<
    Pick<Machine, 'awaitReset' | 'startUpdate' | 'maxParallelFlashes' | 'trust' | 'trustStore'>
  >
  readonly speed?: Speed
  readonly maxImageBytes?: number
  readonly monitorEnding?: MonitorEnding
  readonly flasher?: Flasher
  /** The ways in which it reaches managed devices: it is a console by them. */
  readonly methods?: readonly Method[]
  /** Those of its devices that are managed by MQTT. */
  readonly mqttDevices?: (clock: Clock) => ManagedDevices
  /** Where bugs of those are told; thrown unless given. */
  readonly bugs?: unknown[]
  /** The images that those may fetch. */
  readonly published?: Published
  /** What is to go wrong with devices. */
  readonly devices?: DevicePlans
  readonly spoolBytes?: number
  readonly imageStoreBytes?: number
  readonly updateMethods?: ReadonlySet<UpdateMethod>
  /** Where images are fetched from; the network unless given. */
  readonly fetcher?: Fetcher
  /** Where the network's images may come from, and folders that stand for shares; as the configuration says it. */
  readonly imageSources?: string
  readonly imageFolders?: string
  /** Where events go; by HTTP unless given. */
  readonly eventSink?: EventSink
  readonly pageSize?: number
  readonly maxTasks?: number
  readonly taskOverWritePolicy?: OverWritePolicy
  readonly logger?: FastifyBaseLogger
  /** What stands between the service and where it is kept. */
  readonly journal?: (kept: Journal) => Journal
  /** The emulator that this one is after a restart, as far as it was kept. */
  readonly after?: Remains
}

/** What is left of a service that died. */
export interface Remains {
  readonly journal: Journal
  readonly spool: ReturnType<typeof createMemorySpool>
  readonly clock: Pick<Clock, 'now'>
}

/** What a test needs to send: a path, and what differs from an administrator's GET. */
export interface TestRequest {
  readonly method?: 'GET' | 'HEAD' | 'POST' | 'PATCH' | 'PUT' | 'DELETE' | 'OPTIONS'
  readonly headers?: Readonly<Record<string, string>>
  /** An object is sent as JSON. */
  readonly body?: JsonObject | string | Buffer
  /** `null`: no credentials. */
  readonly user?: string | null
}

/** An emulator on a virtual clock and a spool in memory, reached by inject; it closes itself when the test ends. */
export async function startEmulator(options: TestOptions = {}) {
  const { machine = 'rackmount', speed = 1, maxImageBytes = 2 ** 30, monitorEnding = 'response' } = options
  const { after } = options
  const clock = new VirtualClock(after?.clock.now())
  const spool = after?.spool ?? createMemorySpool(options.spoolBytes)
  // A copy: what the end of the earlier one writes is not kept.
  const memory = createMemoryJournal()
  for (const record of after?.journal.read() ?? []) memory.write(record)
  const journal = options.journal?.(memory) ?? memory
  const given = typeof machine === 'string' ? ourMachine(machine) : machine
  const made: Machine = { ...given, awaitReset: 'completed', speed, ...options.adapted }
  const bmc: Bmc = createBmc(
    '1',
    options.devices === undefined ? made : planFaults(made, options.devices),
    await accounts,
    { roles: new Map([...predefinedRoles, [guest.id, guest]]) },
  )
  const app = createApp({
    clock,
    spool,
    journal,
    maxImageBytes,
    stallMs: 60_000,
    monitorEnding,
    pageSize: options.pageSize ?? 0,
    resolveBmc: () => bmc,
    hasFaults: hasFaults(bmc.machine),
    updateRules: [bmc.machine.updateRules],
    ...(options.imageStoreBytes !== undefined && { imageStoreBytes: options.imageStoreBytes }),
    ...(options.updateMethods && { updateMethods: options.updateMethods }),
    ...(options.maxTasks !== undefined && { maxTasks: options.maxTasks }),
    ...(options.taskOverWritePolicy && { taskOverWritePolicy: options.taskOverWritePolicy }),
    ...(options.flasher && { flasher: options.flasher }),
    ...(options.methods && { devices: devicesBy(options.methods, clock, options.bugs) }),
    ...(options.mqttDevices && { mqttDevices: options.mqttDevices(clock) }),
    ...(options.published && { published: options.published }),
    ...(options.fetcher && { fetcher: options.fetcher }),
    ...(options.imageSources !== undefined && { imageSources: options.imageSources }),
    imageFolders: parseImageFolders(options.imageFolders ?? '') ?? new Map<string, string>(),
    ...(options.eventSink && { eventSink: options.eventSink }),
    ...(options.logger && { logger: options.logger }),
  })
  await app.fastify.ready()
  onTestFinished(() => app.fastify.close())
  const records = byOwner(journal).get(bmc.id) ?? []
  restore(bmc, records)
  keep(bmc, journal)
  if (after !== undefined) await app.takeUp(bmc, records)

  const send = async (url: string, request: TestRequest = {}) => {
    const { method = 'GET', headers = {}, body, user = 'admin' } = request
    const isJson = typeof body === 'object' && !Buffer.isBuffer(body)
    const answer = await app.fastify.inject({
      method,
      url,
      headers: {
        ...(user !== null && { authorization: basic(user) }),
        ...(isJson && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body !== undefined && { payload: isJson ? JSON.stringify(body) : body }),
    })
    return { status: answer.statusCode, headers: answer.headers, text: answer.body, json: parse(answer.body) }
  }
  const get = async (url: string): Promise<JsonObject> => (await send(url)).json
  return { app, bmc, clock, spool, journal, send, get }
}

function devicesBy(methods: readonly Method[], clock: Clock, bugs?: unknown[]): Devices {
  const failed = (error: unknown): void => {
    if (bugs === undefined) throw error
    bugs.push(error)
  }
  return new Devices({ clock, methods, refreshMs: REFRESH_MS, failed })
}

export type TestEmulator = Awaited<ReturnType<typeof startEmulator>>

function parse(text: string): JsonObject {
  try {
    return JSON.parse(text) as JsonObject
  } catch {
    return {}
  }
}
