import pino from 'pino'
import { createApp } from '../../../src/app.ts'
import { type Bmc, createBmc } from '../../../src/bmc/bmc.ts'
import type { Machine } from '../../../src/bmc/machine.ts'
import { loadMachine } from '../../../src/bmc/mockup-folder.ts'
import { createSimulatedFlasher } from '../../../src/devices/simulated/simulated-flasher.ts'
import { withFaults } from '../../../src/faults/faulty-flasher.ts'
import { createMemorySpool } from '../../../src/image/spool/memory-spool.ts'
import { deviceClock, VirtualClock } from '../../../src/lib/clock.ts'
import { fail, succeed } from '../../../src/lib/result.ts'
import type { JsonObject } from '../../../src/redfish/resource.ts'
import { FetchError, type Fetcher } from '../../../src/transfer/fetcher.ts'
import { basic } from '../emulator.ts'
import { type Flashing, watchFlashing } from './flashing.ts'
import type { Request } from './pointed.ts'
import type { Setup, Source } from './script.ts'
import { watchCommits } from './watch.ts'

/** Slow enough that transferring the images of the scripts takes a while. */
const BANDWIDTH = 1_000
const STALL_MS = 60_000

/** One emulator that a script is played on, with everything that watches it. */
export interface World {
  readonly bmc: Bmc
  readonly clock: VirtualClock
  readonly flashing: Flashing
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
  const violate = (what: string): void => void violations.push(what)
  const clock = new VirtualClock()
  const spool = createMemorySpool()
  const machine = machineOf(setup)
  const devices = withFaults(createSimulatedFlasher(deviceClock(clock, 1)), { clock })
  const flashing = watchFlashing(devices, machine.maxParallelFlashes, violate)
  const bmc = createBmc('1', machine, factory.state.accounts, factory.state.roles)
  watchCommits(bmc, clock, violate)
  const offered: { readonly image: Buffer; readonly source: Source }[] = []
  const { fastify } = createApp({
    clock,
    speed: 1,
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

  const send = async ({ method, url, body, headers = {} }: Request): Promise<Answer> => {
    if (bmc.state.outage !== undefined) return noAnswer
    const { statusCode, body: text } = await fastify.inject({
      method,
      url,
      headers: { authorization: basic('admin'), ...headers },
      ...(body && { payload: body }),
    })
    if (statusCode === 500 && !url.includes('/TaskMonitors/')) violate(`${method} ${url} answers 500`)
    return { status: statusCode, json: text === '' ? {} : (JSON.parse(text) as JsonObject) }
  }
  return {
    bmc,
    clock,
    flashing,
    spooled: () => spool.entries.size,
    offer: (image, source) => `http://images/${offered.push({ image, source }) - 1}`,
    send,
    violations,
    close: () => fastify.close(),
  }
}

function machineOf({ machine: name, adapted, devices }: Setup): Machine {
  const machine = loadMachine(name)
  const components = [...machine.components].map(([id, facts]) => {
    const behaviour = { ...facts.behaviour, bandwidthBytesPerSecond: BANDWIDTH, ...devices[id] }
    return [id, { ...facts, behaviour }] as const
  })
  return { ...machine, ...adapted, components: new Map(components) }
}

function fetcherOf(
  offered: readonly { readonly image: Buffer; readonly source: Source }[],
  clock: VirtualClock,
): Fetcher {
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
