import { describe, expect, test } from 'vitest'
import type { EmulatorOptions } from '../../src/index.ts'
import { VirtualClock } from '../../src/lib/clock.ts'
import { uris } from '../../src/redfish/uris.ts'
import { isInstalled, uploadClients } from '../support/clients.ts'
import { basic } from '../support/emulator.ts'
import { bundleOf } from '../support/images.ts'
import { rotated, sample } from '../support/sample.ts'
import { errorKeys, head, type RawClient, rawClient, startWire, type Wire } from '../support/wire.ts'
import { expectNicUpdated, nic, uploadRaw, uploadRawChunked } from '../support/wire-push.ts'

const MIB = 2 ** 20
const image = await bundleOf(nic)
const octets = { 'Content-Type': 'application/octet-stream' }

/** The head of a push that is asked for its body; resolves when it is. */
async function begin({ port }: Wire, contentLength = image.length): Promise<RawClient> {
  const headers = { ...octets, 'Content-Length': contentLength, Expect: '100-continue' }
  const client = rawClient(port).send(head('POST', uris.rawPush, headers))
  expect((await client.answer()).status).toBe(100)
  return client
}

/** A raw push is received, and does what it is for. */
async function expectRawPushWorks(wire: Wire): Promise<void> {
  expect((await uploadRaw(wire, image).answer()).status).toBe(202)
  await expectNicUpdated(wire)
}

describe('a raw image', () => {
  const senders = [
    { name: 'with a length', send: uploadRaw },
    { name: 'in chunks', send: uploadRawChunked },
  ]

  test.each(senders)('at the limit is accepted $name, and refused with one byte more', async ({ send }) => {
    const exact = await startWire({ maxImageSize: String(image.length) })
    expect((await send(exact, image).answer()).status).toBe(202)
    await expectNicUpdated(exact)

    const short = await startWire({ maxImageSize: String(image.length - 1) })
    const refusal = await send(short, image).answer()
    expect([refusal.status, errorKeys(refusal.body)]).toEqual([413, ['PayloadTooLarge']])
    await short.spoolIsEmpty()
  })

  test.each([
    ['octets', octets],
    ['a form', { 'Content-Type': 'application/x-www-form-urlencoded' }],
    ['nothing that could be read', { 'Content-Type': 'firmware' }],
    ['JSON', { 'Content-Type': 'application/json' }],
  ])('may be announced as %s', async (_name, headers) => {
    const wire = await startWire()
    expect((await uploadRaw(wire, image, headers).answer()).status).toBe(202)
    await expectNicUpdated(wire)
  })

  test('may come byte by byte', async () => {
    const wire = await startWire()
    const small = await bundleOf(nic, { sizeBytes: 512 })
    const client = rawClient(wire.port).send(head('POST', uris.rawPush, { 'Content-Length': small.length }))
    for (const byte of small) await client.send(Uint8Array.of(byte)).flushed()
    expect((await client.answer()).status).toBe(202)
    await expectNicUpdated(wire)
  })

  test('may come in chunks of one byte', async () => {
    const wire = await startWire()
    const small = await bundleOf(nic, { sizeBytes: 512 })
    expect((await uploadRawChunked(wire, small, 1).answer()).status).toBe(202)
    await expectNicUpdated(wire)
  })

  test('may be pipelined between other requests', async () => {
    const wire = await startWire()
    const client = uploadRaw(wire, image).send(head('GET', uris.tasks))
    expect((await client.answer()).status).toBe(202)
    expect((await client.answer()).status).toBe(200)
    await expectNicUpdated(wire)
  })

  test.each([
    ['with a length', uploadRaw],
    ['in chunks', uploadRawChunked],
  ])('of no bytes is none, %s', async (_name, send) => {
    const wire = await startWire()
    const answer = await send(wire, Buffer.alloc(0)).answer()
    expect([answer.status, errorKeys(answer.body)]).toEqual([400, ['UnrecognizedRequestBody']])
    await wire.spoolIsEmpty()
  })

  test('is asked for where its client waits for that', async () => {
    const wire = await startWire()
    const client = await begin(wire)
    expect((await client.send(image).answer()).status).toBe(202)
    await expectNicUpdated(wire)
  })
})

interface Refusal {
  readonly name: string
  readonly status: number
  readonly options?: EmulatorOptions
  readonly headers?: Readonly<Record<string, string>>
  readonly prepare?: (wire: Wire) => Promise<unknown>
  readonly isChunked?: boolean
}

const refusals: readonly Refusal[] = [
  { name: 'a wrong password', status: 401, headers: { Authorization: basic('admin', 'wrong') } },
  { name: 'a Content-Length too large', status: 413, options: { maxImageSize: '19MiB' } },
  { name: 'another upload under way', status: 503, prepare: begin },
]
const others: readonly Refusal[] = [
  { name: 'an image too large, in chunks', status: 413, options: { maxImageSize: '1MiB' }, isChunked: true },
  { name: 'a push that is switched off', status: 404, options: { updateMethods: 'multipart,simple' } },
]

const learning = sample(
  rotated([...refusals, ...others], uploadClients).map(([refusal, client]) => ({ refusal, client })),
  ({ refusal: { name, isChunked = false }, client }) => [
    name,
    `${client.name} ${isChunked ? 'in chunks' : 'with a length'}`,
  ],
)

test.for(learning)(
  '$client.name learns of $refusal.name ($refusal.status)',
  async ({ refusal, client }, { skip }) => {
    const { program, exchange } = client
    skip(program !== undefined && !isInstalled(program), `${program} is not installed`)
    const { status, options = {}, prepare, headers = {}, isChunked = false } = refusal
    const wire = await startWire(options)
    await prepare?.(wire)
    const all = { authorization: basic('admin'), ...octets, ...headers }
    const named = Object.entries(all).map(([name, value]) => [name.toLowerCase(), value] as const)
    const { statuses } = await exchange({
      origin: wire.url,
      path: uris.rawPush,
      nextPath: `${uris.root}/`,
      headers: Object.fromEntries(named),
      body: Buffer.alloc(20 * MIB),
      isChunked,
      isKeptAlive: true,
    })
    expect(statuses).toEqual([status, 200])
  },
)

describe('a client that waits for 100 Continue', () => {
  test.each(refusals)('learns of $name ($status) without being asked', async (refusal) => {
    const { status, options = {}, headers = {}, prepare } = refusal
    const wire = await startWire(options)
    await prepare?.(wire)
    const all = { ...octets, 'Content-Length': 20 * MIB, Expect: '100-continue', ...headers }
    const client = rawClient(wire.port).send(head('POST', uris.rawPush, all))
    const answer = await client.answer()
    expect([answer.status, answer.headers.get('connection')]).toEqual([status, 'close'])
    expect(await client.ended()).toBe('')
  })
})

const stops = [
  ['before its first byte', 0],
  ['in its middle', image.length / 2],
  ['before its last byte', image.length - 1],
] as const

describe('a client that stalls', () => {
  test.each(stops)('%s is told so and makes room', async (_where, length) => {
    const wire = await startWire({ uploadTimeout: 0.3 })
    const client = await begin(wire)
    const answer = await client.send(image.subarray(0, length)).answer()
    expect([answer.status, errorKeys(answer.body)]).toEqual([408, ['OperationTimeout']])
    expect(await client.ended()).toBe('')
    await wire.spoolIsEmpty()
    await expectRawPushWorks(wire)
  })

  test('is waited for until the very end of its time, and no longer', async () => {
    const clock = new VirtualClock()
    const wire = await startWire({ clock, uploadTimeout: 60 })
    const slow = (await begin(wire)).send(image.subarray(0, 30_000))
    await expect.poll(wire.spooled).toHaveLength(1)
    await clock.advance(59_999)
    expect((await slow.send(image.subarray(30_000)).answer()).status).toBe(202)
    await clock.advance(3_600_000)
    await wire.spoolIsEmpty()
    const stalled = (await begin(wire)).send(image.subarray(0, 30_000))
    await expect.poll(wire.spooled).toHaveLength(1)
    await clock.advance(60_000)
    // No time passes from here on: the answer does not wait for more of the body.
    expect((await stalled.answer()).status).toBe(408)
    await wire.spoolIsEmpty()
  })
})

describe('a client that vanishes', () => {
  const leave = [
    ['by closing', (client: RawClient) => client.socket.destroy()],
    ['by a reset', (client: RawClient) => client.socket.resetAndDestroy()],
    ['by closing its sending side', (client: RawClient) => client.socket.end()],
  ] as const

  test.each(stops.flatMap(([where, length]) => leave.map(([how, go]) => [where, how, length, go] as const)))(
    '%s, %s, leaves nothing behind',
    async (_where, _how, length, go) => {
      const wire = await startWire()
      const client = await begin(wire)
      await client.send(image.subarray(0, length)).flushed()
      await expect.poll(wire.spooled).toHaveLength(1)
      go(client)
      await client.ended()
      // The service notices on its own time; until then the upload holds its place.
      await expect.poll(async () => (await uploadRaw(wire, Buffer.alloc(0)).answer()).status).toBe(400)
      await wire.spoolIsEmpty()
      await expectRawPushWorks(wire)
    },
  )
})
