import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { pino } from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import type { EmulatorOptions } from '../../src/index.ts'
import { VirtualClock } from '../../src/lib/clock.ts'
import { uris } from '../../src/redfish/uris.ts'
import { openBelow, openDescriptors } from '../support/disks.ts'
import { bundleOf } from '../support/images.ts'
import { multipartBody, pushParts } from '../support/multipart.ts'
import { isProof } from '../support/sample.ts'
import { head, rawClient, startWire, temporaryFolder, type Wire } from '../support/wire.ts'
import { chunked, contentType, nic } from '../support/wire-push.ts'

const ABORTED = isProof ? 10_000 : 200
const STALLED = isProof ? 1_000 : 50
const LONG = { timeout: 600_000 }
const PATIENT = { timeout: 20_000 }
const MAX_GROWTH_BYTES = 16 * 2 ** 20
/** Aborts are made in rounds, with a look at the memory after each, and several at once. */
const ROUNDS = 10
const LANES = 8
const MIB = 2 ** 20
const SPOOL_BYTES = 64 * MIB
const STALL_MS = 600_000
/** Of a multipart body, before any part of an image. */
const HEAD_BYTES = 64
const SECOND_MS = 1_000

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

const images = [
  await bundleOf(nic, { sizeBytes: 512 }),
  await bundleOf(nic),
  await bundleOf(nic, { sizeBytes: 6 * MIB }),
]
const ways = [
  {
    path: uris.multipartPush,
    type: contentType,
    bodies: images.map((image) => multipartBody(pushParts(image)).body),
  },
  { path: uris.rawPush, type: 'application/octet-stream', bodies: images },
] as const
const [multipart] = ways
type Way = (typeof ways)[number]

/** Numbers from 0 to below 1, the same for the same seed (xorshift). */
function random(seed: number): () => number {
  let state = seed
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
}

function pick<T>(next: () => number, all: readonly [T, ...T[]]): T {
  return all[Math.floor(next() * all.length)] ?? all[0]
}

/** How a push goes until it is aborted. */
interface Attempt {
  /** What is sent, up to where it ends. */
  readonly bytes: Buffer
  /** Whether to wait until it is all gone. */
  readonly isPatient: boolean
  readonly leave: (socket: Socket) => void
}

const leaving = [
  (socket: Socket) => void socket.destroy(),
  (socket: Socket) => void socket.resetAndDestroy(),
  (socket: Socket) => void socket.end(),
] as const

function attempt(next: () => number, { path, type, bodies }: Way): Attempt {
  // Large enough for a thread of its own now and then.
  const body = bodies[next() < 0.05 ? 2 : next() < 0.5 ? 1 : 0] ?? Buffer.of()
  const isChunked = next() < 0.5
  const length = isChunked ? { 'Transfer-Encoding': 'chunked' } : { 'Content-Length': body.length }
  const top = Buffer.from(head('POST', path, { 'Content-Type': type, ...length }))
  const rest = isChunked ? chunked(body) : body
  const sentBytes = Math.floor(next() * rest.length)
  const bytes = Buffer.concat([top, rest.subarray(0, sentBytes)])
  return {
    // Some do not even come to the end of their head.
    bytes: next() < 0.1 ? top.subarray(0, Math.floor(next() * top.length)) : bytes,
    isPatient: next() < 0.7,
    leave: pick(next, leaving),
  }
}

function abort(port: number, { bytes, isPatient, leave }: Attempt): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' })
    socket.on('error', () => {}) // it is to break
    socket.once('close', () => resolve()).resume()
    socket.once('connect', () => {
      const go = (): void => leave(socket)
      if (isPatient) socket.write(bytes, go)
      else {
        socket.write(bytes)
        go()
      }
    })
  })
}

/** An emulator with room for so many multipart pushes at once, and what it complains of. */
async function startRoomy(maxParallelUploads: number, options: EmulatorOptions = {}) {
  const machine = await temporaryFolder()
  cpSync(join(import.meta.dirname, '../../mockups/rackmount'), machine, { recursive: true })
  const file = join(machine, 'machine.json')
  const data = JSON.parse(readFileSync(file, 'utf8')) as object
  writeFileSync(file, JSON.stringify({ ...data, maxParallelUploads }))
  const complaints: string[] = []
  const logger = pino({ level: 'warn' }, { write: (line: string) => void complaints.push(line) })
  const spoolSize = String(SPOOL_BYTES)
  return { wire: await startWire({ machine, logger, spoolSize, ...options }), complaints }
}

/** What the process holds: files and sockets, and what keeps it alive, by its kind. */
function holdings() {
  const kinds = process.getActiveResourcesInfo().filter((kind) => !/Timeout|Immediate|Req/.test(kind))
  return { descriptors: openDescriptors(), kinds: kinds.toSorted().join() }
}

/** The bytes that objects and their buffers take: garbage aside, some of which only the next turn sets free. */
async function memoryInUse(): Promise<number> {
  collectGarbage()
  await nextTurn()
  collectGarbage()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

function middle(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0
}

/** Resolves when every image is gone: a thread that is to end may still be starting. */
async function spoolIsEmpty({ spooled }: Wire): Promise<void> {
  await expect.poll(spooled, PATIENT).toEqual([])
}

/** Pushes over connections that end with it: nothing of this stays open. */
async function expectPushed(wire: Wire, { path, type }: Way, body: Buffer): Promise<void> {
  const { emulator, bmc, port } = wire
  const headers = { 'Content-Type': type, 'Content-Length': body.length, Connection: 'close' }
  const client = rawClient(port).send(head('POST', path, headers), body)
  expect((await client.answer()).status).toBe(202)
  client.socket.end()
  await client.ended()
  const state = async (): Promise<unknown> => {
    if (emulator.clock instanceof VirtualClock) await emulator.clock.advance(SECOND_MS)
    return [...bmc.state.tasks.values()].at(-1)?.state
  }
  await expect.poll(state, PATIENT).toBe('Completed')
  await spoolIsEmpty(wire)
}

/** A push of each kind, so that all is loaded and made that stays: what the process holds from then on. */
async function warmUp(wire: Wire) {
  for (const way of ways) for (const body of way.bodies) await expectPushed(wire, way, body)
  await expect.poll(() => holdings().kinds, PATIENT).not.toContain('TCPSocketWrap')
  return { ...holdings(), memory: await memoryInUse() }
}

/** Nothing is left of what was begun, and a push can do what it could before. */
async function expectAsBefore(wire: Wire, before: Awaited<ReturnType<typeof warmUp>>): Promise<void> {
  await spoolIsEmpty(wire)
  await expect.poll(() => holdings().kinds, PATIENT).toBe(before.kinds)
  await expect.poll(openDescriptors, PATIENT).toBeLessThanOrEqual(before.descriptors)
  expect(await memoryInUse()).toBeLessThan(before.memory + MAX_GROWTH_BYTES)
  expect(openBelow(wire.spoolFolder)).toEqual([])
  // All of the spool can be had at once: nobody holds any of it, nor a place among the uploads.
  const all = { 'Content-Length': SPOOL_BYTES, Expect: '100-continue' }
  const client = rawClient(wire.port).send(head('POST', uris.rawPush, all))
  expect((await client.answer()).status).toBe(100)
  client.socket.resetAndDestroy()
  await spoolIsEmpty(wire)
  for (const way of ways) for (const body of way.bodies) await expectPushed(wire, way, body)
}

/** How many images began to come, whatever became of them. */
async function begun({ port }: Wire): Promise<number> {
  const client = rawClient(port).send(head('GET', '/metrics', { Connection: 'close' }))
  const { body } = await client.answer()
  client.socket.end()
  return Number(/^redflash_images_total (\d+)$/m.exec(body)?.[1])
}

test(`${ABORTED} pushes that end anywhere leave nothing behind`, LONG, async () => {
  const { wire, complaints } = await startRoomy(4 * LANES, { metrics: true })
  const before = await warmUp(wire)
  const next = random(0x5eed)
  const memory: number[] = []
  const half = ROUNDS / 2
  for (let round = 0; round < ROUNDS; round++) {
    for (let done = 0; done < ABORTED / ROUNDS; done += LANES) {
      const way = pick(next, [multipart, multipart, ...ways])
      await Promise.all(Array.from({ length: LANES }, () => abort(wire.port, attempt(next, way))))
    }
    await spoolIsEmpty(wire)
    memory.push(await memoryInUse())
  }
  expect(await begun(wire)).toBeGreaterThan(ABORTED / 2)
  expect(middle(memory.slice(half)) - middle(memory.slice(0, half))).toBeLessThan(MAX_GROWTH_BYTES)
  await expectAsBefore(wire, before)
  expect(complaints).toEqual([])
})

test.each([
  ['all taken', STALLED],
  ['all but one refused', 1],
])(`${STALLED} pushes that stall at the same time, %s, leave nothing behind`, LONG, async (_what, taken) => {
  const clock = new VirtualClock()
  const { wire, complaints } = await startRoomy(taken, { clock, uploadTimeout: STALL_MS / SECOND_MS })
  const next = random(0x57a11)
  const before = await warmUp(wire)
  const [body = Buffer.of()] = multipart.bodies
  const headers = { 'Content-Type': contentType, 'Content-Length': body.length }
  // Anywhere, and before the image begins.
  const clients = Array.from({ length: STALLED }, (_one, index) =>
    rawClient(wire.port).send(
      head('POST', uris.multipartPush, headers),
      body.subarray(0, Math.floor(next() * (index % 2 === 0 ? HEAD_BYTES : body.length))),
    ),
  )
  onTestFinished(() => clients.forEach(({ socket }) => socket.destroy()))
  // Not all come at once: those that fall silent let others go first.
  const begunSoFar = async () => {
    await clock.advance(SECOND_MS)
    return wire.spooled()
  }
  await expect.poll(begunSoFar, PATIENT).toHaveLength(taken)
  const statuses: number[] = []
  for (const client of clients) void client.answer().then(({ status }) => statuses.push(status))
  const answered = async (): Promise<number> => {
    await clock.advance(STALL_MS)
    return statuses.length
  }
  await expect.poll(answered, PATIENT).toBe(STALLED)
  expect(statuses.filter((status) => status === 408)).toHaveLength(taken)
  expect(statuses.filter((status) => status === 503)).toHaveLength(STALLED - taken)
  for (const { socket } of clients) socket.destroy()
  await expectAsBefore(wire, before)
  expect(complaints).toEqual([])
})
