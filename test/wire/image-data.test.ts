import { describe, expect, test } from 'vitest'
import type { ReceivedImage } from '../../src/image/receive.ts'
import { Shares } from '../../src/image/spool/shares.ts'
import { uris } from '../../src/redfish/uris.ts'
import { basic, startEmulator } from '../support/emulator.ts'
import { bundleOf } from '../support/images.ts'
import { multipartBody, pushParts } from '../support/multipart.ts'
import { head, lastTask, rawClient, startWire, type Wire } from '../support/wire.ts'
import { nic, upload } from '../support/wire-push.ts'

const MIB = 2 ** 20
const DATA = uris.localImageData('1')
const image = await bundleOf(nic, { sizeBytes: 3 * MIB })

/** A service on real sockets that keeps an image. */
async function startKeeping(): Promise<Wire> {
  const wire = await startWire()
  const { body } = multipartBody(pushParts(image, { LocalImage: true }))
  expect((await upload(wire, body).answer()).status).toBe(202)
  expect(await lastTask(wire, wire.bmc)).toMatchObject({ TaskState: 'Completed' })
  return wire
}

async function read({ url }: Wire, headers: Readonly<Record<string, string>> = {}) {
  const answer = await fetch(url + DATA, { headers: { authorization: basic('admin'), ...headers } })
  return { status: answer.status, headers: answer.headers, body: Buffer.from(await answer.arrayBuffer()) }
}

describe('an image that is kept', () => {
  test('comes back as it was sent, from the only file there is', async () => {
    const wire = await startKeeping()
    const { status, body } = await read(wire)
    expect([status, body.equals(image), (await wire.spooled()).length]).toEqual([200, true, 1])
  })

  test('can be fetched in parts that make the whole, and a broken fetch goes on', async () => {
    const wire = await startKeeping()
    const etag = (await read(wire, { range: 'bytes=0-0' })).headers.get('etag') ?? ''
    const parts = []
    for (let at = 0; at < image.length; at += MIB) {
      const part = await read(wire, { range: `bytes=${at}-${at + MIB - 1}`, 'if-range': etag })
      expect(part.status).toBe(206)
      parts.push(part.body)
    }
    expect(Buffer.concat(parts).equals(image)).toBe(true)
    expect((await read(wire, { range: 'bytes=5-', 'if-range': '"other"' })).body.length).toBe(image.length)
  })

  test('is followed by the next answer of its connection', async () => {
    const { port } = await startKeeping()
    const client = rawClient(port).send(
      head('GET', DATA, { Range: 'bytes=0-9' }),
      head('HEAD', DATA),
      head('GET', DATA, { Range: `bytes=${image.length}-` }),
      head('GET', DATA, { Range: 'bytes=-1' }),
    )
    const first = await client.answer()
    expect([first.status, first.headers.get('content-range')]).toEqual([206, `bytes 0-9/${image.length}`])
    // A HEAD tells how long the answer to a GET would be, and sends none of it.
    const whole = await client.answer({ isToHead: true })
    expect(whole.headers.get('content-length')).toBe(String(image.length))
    const beyond = await client.answer()
    expect([beyond.status, beyond.headers.get('content-range')]).toEqual([416, `bytes */${image.length}`])
    expect((await client.answer()).status).toBe(206)
  })

  test('is gone when it is removed, but not from under a reader', async () => {
    const wire = await startKeeping()
    const reader = rawClient(wire.port)
    reader.socket.pause()
    await reader.send(head('GET', DATA)).flushed()
    await expect.poll(() => reader.socket.readableLength).toBeGreaterThan(0)
    const headers = { authorization: basic('admin') }
    const { status } = await fetch(wire.url + uris.localImage('1'), { method: 'DELETE', headers })
    expect([status, (await read(wire)).status]).toEqual([204, 404])
    reader.socket.resume()
    const { body } = await reader.answer()
    expect(Buffer.from(body, 'latin1').equals(image)).toBe(true)
    await wire.spoolIsEmpty()
  })
})

describe('a reader that takes its time', () => {
  const CHUNK = Buffer.alloc(MIB)
  const CHUNKS = 512

  /** A service with an image of half a gibibyte that nobody ever has in memory, and how much of it was asked for. */
  async function startWithHugeImage() {
    const { app, bmc, send } = await startEmulator()
    const seen = { chunks: 0, discarded: 0 }
    const spooled = new Shares().add({
      append: () => Promise.resolve(),
      seal: () => Promise.resolve(),
      // eslint-disable-next-line @typescript-eslint/require-await -- as the port asks for it
      read: async function* () {
        for (; seen.chunks < CHUNKS; seen.chunks++) yield CHUNK
      },
      discard: () => Promise.resolve(void seen.discarded++),
      settle: () => Promise.resolve(),
      rest: () => Promise.resolve(),
    })
    const contents = { ok: false, problem: { kind: 'unknown-format' } } as const
    const huge: ReceivedImage = {
      fileName: 'huge.bin',
      sizeBytes: CHUNKS * MIB,
      sha256: '00',
      spooled,
      contents,
    }
    app.images.keep(bmc, huge)
    await spooled.discard()
    const url = await app.fastify.listen({ host: '127.0.0.1', port: 0 })
    const client = rawClient(Number(new URL(url).port))
    client.socket.pause()
    await client.send(head('GET', DATA)).flushed()
    // What the operating system holds for both ends, and little else.
    let before = -1
    await expect
      .poll(() => {
        const isStill = seen.chunks > 0 && seen.chunks === before
        before = seen.chunks
        return isStill
      })
      .toBe(true)
    return { seen, client, send }
  }

  test('keeps the rest of an image where it is', async () => {
    const { seen } = await startWithHugeImage()
    expect(seen.chunks).toBeLessThan(64)
  })

  test('and goes away lets go of the image', async () => {
    const { seen, client, send } = await startWithHugeImage()
    expect((await send(uris.localImage('1'), { method: 'DELETE' })).status).toBe(204)
    expect(seen.discarded).toBe(0)
    client.socket.destroy()
    await expect.poll(() => seen.discarded).toBe(1)
    expect(seen.chunks).toBeLessThan(CHUNKS)
  })
})
