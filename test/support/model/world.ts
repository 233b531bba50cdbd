import { buffer } from 'node:stream/consumers'
import pino from 'pino'
import { createApp } from '../../../src/app.ts'
import { type Bmc, createBmc } from '../../../src/bmc/bmc.ts'
import type { Machine } from '../../../src/bmc/machine.ts'
import { createSimulatedFlasher } from '../../../src/devices/simulated/simulated-flasher.ts'
import { withFaults } from '../../../src/faults/faulty-flasher.ts'
import { createMemorySpool } from '../../../src/image/spool/memory-spool.ts'
import { VirtualClock } from '../../../src/lib/clock.ts'
import { fail, succeed } from '../../../src/lib/result.ts'
import type { JsonObject } from '../../../src/redfish/resource.ts'
import { FetchError, type Fetcher } from '../../../src/transfer/fetcher.ts'
import { byOwner, keep, restore } from '../../../src/bmc/keeping.ts'
import { createMemoryJournal } from '../../../src/journal/memory-journal.ts'
import { leftBy } from '../crashes.ts'
import { basic, type TestEmulator } from '../emulator.ts'
import { ourMachine } from '../machines.ts'
import { type Flashing, watchFlashing } from './flashing.ts'
import type { Request } from './pointed.ts'
import type { Setup, Source } from './script.ts'
import { watchCommits } from './watch.ts'

/** Slow enough that transferring the images of the scripts takes a while. */
const BANDWIDTH = 1_000
const STALL_MS = 60_000

/** One emulator that a script is played on, with everything that watches it; it may die, and live on. */
export interface World {
  readonly bmc: Bmc
  readonly clock: VirtualClock
  readonly flashing: Flashing
  /** The service dies at this moment, and begins again with what was kept. */
  readonly die: () => Promise<void>
  /** How many images are in the spool. */
  readonly spooled: () => number
  /** Puts an image where it can be fetched from: its URI. */
  readonly offer: (image: Buffer, source: Source) => string
  readonly send: (request: Request) => Promise<Answer>
  /** What must not have happened and did. */
  readonly violations: string[]
  readonly close: () => Promise<void>
}

export interface Answer {
  readonly status: number
  readonly json: JsonObject
}

/** Nobody answers while the manager that serves Redfish boots. */
export const noAnswer: Answer = { status: 0, json: {} }

/** An emulator as the setup says; `factory` lends the accounts. */
export async function createWorld(setup: Setup, factory: Bmc): Promise<World> {
  const violations: string[] = []
  const offered: Offer[] = []
  const lives = [await live({ setup, factory, offered, violations })]
  const now = (): Life => {
    const life = lives.at(-1)
    if (life === undefined) throw new Error('nobody lives')
    return life
  }
  const send = async ({ method, url, body, headers = {} }: Request): Promise<Answer> => {
    if (now().bmc.state.outage !== undefined) return noAnswer
    const { statusCode, body: text } = await now().fastify.inject({
      method,
      url,
      headers: { authorization: basic('admin'), ...headers },
      ...(body && { payload: body }),
    })
    if (statusCode === 500 && !url.includes('/TaskMonitors/')) violations.push(`${method} ${url} answers 500`)
    return { status: statusCode, json: text === '' ? {} : (JSON.parse(text) as JsonObject) }
  }
  return {
    get bmc() {
      return now().bmc
    },
    get clock() {
      return now().clock
    },
    get flashing() {
      return now().flashing
    },
    spooled: () => now().spool.entries.size,
    offer: (image, source) => `http://images/${offered.push({ image, source }) - 1}`,
    send,
    violations,
    die: async () => {
      const dead = now()
      // What it still does is done to nobody.
      dead.bmc.listeners.clear()
      lives.push(await live({ setup, factory, offered, violations }, dead))
    },
    close: async () => {
      for (const { fastify } of lives) await fastify.close()
    },
  }
}

interface Offer {
  readonly image: Buffer
  readonly source: Source
}

interface Birth {
  readonly setup: Setup
  readonly factory: Bmc
  readonly offered: readonly Offer[]
  readonly violations: string[]
}

type Life = Awaited<ReturnType<typeof live>>

/** The service from its start to its death; `dead` is the one that it begins after. */
async function live({ setup, factory, offered, violations }: Birth, dead?: Dead) {
  const bmc = createBmc('1', machineOf(setup), factory.state.accounts, { roles: factory.state.roles })
  const violate = (what: string): void => void (bmc.listeners.size > 0 && violations.push(what))
  const { clock, journal, spool } = await estateOf(dead)
  const devices = withFaults(createSimulatedFlasher(clock), { clock })
  const flashing = watchFlashing(devices, bmc.machine.maxParallelFlashes, violate)
  const { fastify, takeUp } = createApp({
    clock,
    spool,
    maxImageBytes: 2 ** 20,
    stallMs: STALL_MS,
    monitorEnding: 'response',
    pageSize: 0,
    resolveBmc: () => bmc,
    flasher: flashing.flasher,
    fetcher: fetcherOf(offered, clock),
    logger: pino({ level: 'error' }, { write: violate }),
  })
  await fastify.ready()
  const records = byOwner(journal).get(bmc.id) ?? []
  restore(bmc, records)
  keep(bmc, journal)
  watchCommits(bmc, clock, violate)
  if (dead !== undefined) await takeUp(bmc, records)
  return { bmc, clock, journal, spool, flashing, fastify }
}

type Dead = Pick<TestEmulator, 'bmc' | 'clock' | 'journal' | 'spool'>

/** The digests of all images that a BMC speaks of. */
function imagesOf({ state }: Bmc): ReadonlySet<string> {
  const plans = [...state.operations.values()].flatMap((operation) => operation.plans ?? [])
  return new Set([...plans, ...state.localImages.values()].map(({ sha256 }) => sha256))
}

/** What the dead leave: the time, what was kept, and the images that are spoken of in it. */
async function estateOf(dead: Dead | undefined) {
  if (dead === undefined)
    return { clock: new VirtualClock(), journal: createMemoryJournal(), spool: createMemorySpool() }
  const images = new Map<string, Buffer>()
  for (const sha256 of imagesOf(dead.bmc)) {
    const entry = dead.spool.find(sha256)
    if (entry !== undefined) images.set(sha256, await buffer(entry.read(0, Infinity)))
  }
  return leftBy({ at: dead.clock.now(), records: [...dead.journal.read()] }, images)
}

function machineOf({ machine: name, adapted, devices }: Setup): Machine {
  const machine = ourMachine(name)
  const components = [...machine.components].map(([id, facts]) => {
    const behaviour = { ...facts.behaviour, bandwidthBytesPerSecond: BANDWIDTH, ...devices[id] }
    return [id, { ...facts, behaviour }] as const
  })
  return { ...machine, ...adapted, components: new Map(components) }
}

function fetcherOf(offered: readonly Offer[], clock: VirtualClock): Fetcher {
  return {
    open: async ({ uri, signal }) => {
      await clock.sleep(500, signal)
      const { image, source } = offered[Number(uri.pathname.slice(1))] ?? { source: 'misses' }
      if (image === undefined || source === 'misses') return fail({ kind: 'missing' })
      const body = async function* (): AsyncIterable<Uint8Array> {
        const half = Math.floor(image.length / 2)
        yield image.subarray(0, half)
        await clock.sleep(source === 'stalls' ? STALL_MS : 2_000, signal)
        if (source === 'stalls') throw new FetchError({ kind: 'timeout' })
        if (source === 'cuts') throw new FetchError({ kind: 'interrupted', detail: '' })
        yield image.subarray(half)
      }
      return succeed({ fileName: 'image.bin', sizeBytes: image.length, body: body() })
    },
  }
}
