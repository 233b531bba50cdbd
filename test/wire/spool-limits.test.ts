import { readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { uris } from '../../src/redfish/uris.ts'
import { openBelow, smallDisk } from '../support/disks.ts'
import { basic } from '../support/emulator.ts'
import { serveHttp } from '../support/image-server.ts'
import { bundleOf } from '../support/images.ts'
import { messageKeys, multipartBody, pushParts } from '../support/multipart.ts'
import { SIMPLE_UPDATE } from '../support/pulls.ts'
import {
  errorKeys,
  head,
  lastTask,
  type RawClient,
  rawClient,
  startWire,
  type Wire,
} from '../support/wire.ts'
import { chunked, contentType, expectNicUpdated, nic } from '../support/wire-push.ts'

const MIB = 2 ** 20
const noRoom = [507, ['InsufficientStorage']]
const small = await bundleOf(nic, { sizeBytes: 512 })
const large = await bundleOf(nic, { sizeBytes: 6 * MIB })

/** A way to push, and how much of its length need not be the image. */
const ways = [
  {
    name: 'multipart',
    path: uris.multipartPush,
    type: contentType,
    overheadBytes: 2 * MIB,
    bodyOf: (image: Buffer) => multipartBody(pushParts(image)).body,
  },
  {
    name: 'raw',
    path: uris.rawPush,
    type: 'application/octet-stream',
    overheadBytes: 0,
    bodyOf: (image: Buffer) => image,
  },
] as const
type Way = (typeof ways)[number]

/** Announces a push, and waits to be asked for its body: the client, and what it was told. */
async function announce({ port }: Wire, { path, type }: Way, length: number | 'chunked') {
  const size = length === 'chunked' ? { 'Transfer-Encoding': length } : { 'Content-Length': length }
  const headers = { 'Content-Type': type, ...size, Expect: '100-continue' }
  const client = rawClient(port).send(head('POST', path, headers))
  return { client, answer: await client.answer() }
}

async function begin(wire: Wire, way: Way, length: number | 'chunked'): Promise<RawClient> {
  const { client, answer } = await announce(wire, way, length)
  expect(answer.status).toBe(100)
  return client
}

async function answerTo(client: RawClient): Promise<unknown[]> {
  const { status, body } = await client.answer()
  return [status, errorKeys(body)]
}

/** How a push is refused that holds its body back. */
async function refusalOf(wire: Wire, way: Way, length: number | 'chunked'): Promise<unknown[]> {
  const { answer } = await announce(wire, way, length)
  return [answer.status, errorKeys(answer.body)]
}

async function expectPushWorks(wire: Wire, way: Way, image = small): Promise<void> {
  const body = way.bodyOf(image)
  const client = await begin(wire, way, body.length)
  expect((await client.send(body).answer()).status).toBe(202)
  await expectNicUpdated(wire)
}

async function expectNothingLeft(wire: Wire): Promise<void> {
  await wire.spoolIsEmpty()
  expect(openBelow(wire.spoolFolder)).toEqual([])
}

/** Lets the service fetch an image from a server that runs as long as the test; how that ended. */
async function pulled(wire: Wire, answer: Parameters<typeof serveHttp>[0]) {
  const server = await serveHttp(answer)
  const accepted = await fetch(wire.url + SIMPLE_UPDATE, {
    method: 'POST',
    headers: { authorization: basic('admin'), 'content-type': 'application/json' },
    body: JSON.stringify({ ImageURI: server.uri.href }),
  })
  expect(accepted.status).toBe(202)
  const task = await lastTask(wire, wire.bmc)
  const { status } = await wire.get(task['TaskMonitor'] as string)
  await expect.poll(server.connections).toBe(0)
  return { state: task['TaskState'], keys: messageKeys(task), status }
}
const pullWithoutRoom = {
  state: 'Exception',
  keys: ['UpdateInProgress', 'InsufficientStorage'],
  status: 507,
}

describe.each(ways)('a spool of a size: a $name push', (way) => {
  test('that cannot fit is refused before a byte of it is taken, and the next one that can is not', async () => {
    const wire = await startWire({ spoolSize: String(MIB) })
    expect(await refusalOf(wire, way, MIB + way.overheadBytes + 1)).toEqual(noRoom)
    await expectNothingLeft(wire)
    await expectPushWorks(wire, way)
  })

  test('that fits to the byte is taken, and with one byte more it is not', async () => {
    const wire = await startWire({ spoolSize: String(large.length) })
    await expectPushWorks(wire, way, large)
    const short = await startWire({ spoolSize: String(large.length - 1) })
    const client = rawClient(short.port).send(
      head('POST', way.path, { 'Content-Type': way.type, 'Content-Length': way.bodyOf(large).length }),
      way.bodyOf(large),
    )
    expect(await answerTo(client)).toEqual(noRoom)
    await expectNothingLeft(short)
  })

  test('without a length is refused when there is no more room', async () => {
    const wire = await startWire({ spoolSize: String(MIB) })
    const client = await begin(wire, way, 'chunked')
    expect(await answerTo(client.send(chunked(way.bodyOf(large))))).toEqual(noRoom)
    await expectNothingLeft(wire)
    await expectPushWorks(wire, way)
  })
})

test('uploads at the same time share a spool of a size', async () => {
  const [way] = ways
  const length = 3 * MIB + way.overheadBytes
  const wire = await startWire({ machine: 'bladed', spoolSize: '5MiB' })
  const first = await begin(wire, way, length)
  expect(await refusalOf(wire, way, length)).toEqual(noRoom)
  first.socket.resetAndDestroy()
  await wire.spoolIsEmpty()
  await begin(wire, way, length)
})

test('a pull that cannot fit ends before a byte of it is taken', async () => {
  const wire = await startWire({ spoolSize: String(MIB) })
  const ending = await pulled(wire, (_request, response) => {
    response.writeHead(200, { 'content-length': MIB + 1 }).write('x')
    // The rest never comes: who waited for it would wait for long.
  })
  expect(ending).toEqual(pullWithoutRoom)
  await expectNothingLeft(wire)
})

test('a pull of unknown length ends when there is no more room', async () => {
  const wire = await startWire({ spoolSize: String(MIB) })
  expect(await pulled(wire, (_request, response) => response.end(large))).toMatchObject(pullWithoutRoom)
  await expectNothingLeft(wire)
  const [way] = ways
  await expectPushWorks(wire, way)
})

const needsMount = 'nobody may mount a disk here'

describe.each(ways)('a disk: a $name push', (way) => {
  test('is refused unasked while it is full', async ({ skip }) => {
    const disk = (await smallDisk(2 * MIB)) ?? skip(needsMount)
    const wire = await startWire({ spool: disk.path })
    disk.fill()
    expect(await refusalOf(wire, way, way.bodyOf(small).length)).toEqual(noRoom)
    disk.empty()
    await expectPushWorks(wire, way)
    await expectNothingLeft(wire)
  })

  test('is refused unasked when it is larger than what is left', async ({ skip }) => {
    const disk = (await smallDisk(2 * MIB)) ?? skip(needsMount)
    const wire = await startWire({ spool: disk.path })
    expect(await refusalOf(wire, way, 2 * MIB + way.overheadBytes + 1)).toEqual(noRoom)
    await expectPushWorks(wire, way)
  })

  test('ends when it is full in the middle, and leaves nothing behind', async ({ skip }) => {
    const disk = (await smallDisk(8 * MIB)) ?? skip(needsMount)
    const wire = await startWire({ spool: disk.path })
    const body = way.bodyOf(large)
    const client = await begin(wire, way, body.length)
    await client.send(body.subarray(0, MIB)).flushed()
    disk.fill(2 * MIB)
    expect(await answerTo(client.send(body.subarray(MIB)))).toEqual(noRoom)
    expect(await wire.spooled()).toEqual(['filler'])
    expect(openBelow(disk.path)).toEqual([])
    disk.empty()
    await expectPushWorks(wire, way, large)
    await expectNothingLeft(wire)
  })

  test('without a length ends when it is full', async ({ skip }) => {
    const disk = (await smallDisk(2 * MIB)) ?? skip(needsMount)
    const wire = await startWire({ spool: disk.path })
    const client = await begin(wire, way, 'chunked')
    expect(await answerTo(client.send(chunked(way.bodyOf(large))))).toEqual(noRoom)
    await expectNothingLeft(wire)
    await expectPushWorks(wire, way)
  })

  test('is refused unasked while it can only be read', async ({ skip }) => {
    const disk = (await smallDisk(2 * MIB)) ?? skip(needsMount)
    const wire = await startWire({ spool: disk.path })
    disk.setReadOnly(true)
    expect(await refusalOf(wire, way, way.bodyOf(small).length)).toEqual(noRoom)
    disk.setReadOnly(false)
    await expectPushWorks(wire, way)
    await expectNothingLeft(wire)
  })
})

interface Mishap {
  readonly before?: (wire: Wire) => Promise<void>
  readonly during?: (wire: Wire) => Promise<void>
}

/** What somebody does who tidies temporary folders. */
async function vanish({ spoolFolder }: Wire): Promise<void> {
  const names = await readdir(spoolFolder)
  expect(names).toHaveLength(1)
  await Promise.all(names.map((name) => rm(join(spoolFolder, name), { recursive: true })))
}

describe.each(ways)('a folder: a $name push', (way) => {
  test('is refused unasked while a file is in its place', async () => {
    const { spoolFolder } = await startWire()
    const place = join(spoolFolder, 'place')
    await writeFile(place, '')
    const wire = await startWire({ spool: place })
    expect(await refusalOf(wire, way, way.bodyOf(small).length)).toEqual(noRoom)
    await rm(place)
    await expectPushWorks(wire, way)
  })

  test.each([
    ['before it came', { before: vanish }],
    ['in the middle of it', { during: vanish }],
  ])('is taken although the folder vanished %s', async (_when, { before, during }: Mishap) => {
    const wire = await startWire()
    await expectPushWorks(wire, way)
    const body = way.bodyOf(large)
    await before?.(wire)
    const client = await begin(wire, way, body.length)
    await client.send(body.subarray(0, 5 * MIB)).flushed()
    await during?.(wire)
    expect((await client.send(body.subarray(5 * MIB)).answer()).status).toBe(202)
    await expectNicUpdated(wire)
    await expectNothingLeft(wire)
  })
})

describe('a disk: a pull', () => {
  test.for([
    ['of a length that does not fit', { 'content-length': large.length }],
    ['of unknown length', {}],
  ] as const)('%s ends without room', async ([_what, headers], { skip }) => {
    const disk = (await smallDisk(2 * MIB)) ?? skip(needsMount)
    const wire = await startWire({ spool: disk.path })
    const ending = await pulled(wire, (_request, response) => response.writeHead(200, headers).end(large))
    expect(ending).toMatchObject(pullWithoutRoom)
    await expectNothingLeft(wire)
  })

  test('ends without room where the folder can only be read', async ({ skip }) => {
    const disk = (await smallDisk(2 * MIB)) ?? skip(needsMount)
    const wire = await startWire({ spool: disk.path })
    disk.setReadOnly(true)
    const ending = await pulled(wire, (_request, response) => response.end(small))
    expect(ending).toMatchObject(pullWithoutRoom)
    disk.setReadOnly(false)
    await expectPushWorks(wire, ways[0])
    await expectNothingLeft(wire)
  })
})
