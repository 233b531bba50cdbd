import { once } from 'node:events'
import { pino } from 'pino'
import { describe, expect, test } from 'vitest'
import { VirtualClock } from '../../src/lib/clock.ts'
import { uris } from '../../src/redfish/uris.ts'
import { bundleOf } from '../support/images.ts'
import { multipartBody, pushParts } from '../support/multipart.ts'
import { errorKeys, head, type RawClient, rawClient, startWire } from '../support/wire.ts'
import { chunked, contentType, expectPushWorks, nic, upload } from '../support/wire-push.ts'

/** Where an upload can stop: after so much of its body. */
const stops = [
  ['before its first byte', () => 0],
  ['in the preamble', () => 3],
  ['in the parameters', (body: Buffer) => body.indexOf('{') + 1],
  ['in the header of a part', (body: Buffer) => body.indexOf('filename')],
  ['in the image', (body: Buffer) => body.indexOf('manifest.json') + 2_000],
  ['before the final boundary', (body: Buffer) => body.lastIndexOf('\r\n--')],
  ['before its last byte', (body: Buffer) => body.length - 1],
] as const

describe('a client that stalls', () => {
  test.each(stops)('%s is told so and makes room', async (_name, stopAt) => {
    const wire = await startWire({ uploadTimeout: 0.3 })
    const { body } = multipartBody(pushParts(await bundleOf(nic)))
    const client = rawClient(wire.port).send(
      head('POST', uris.multipartPush, { 'Content-Type': contentType, 'Content-Length': body.length }),
      body.subarray(0, stopAt(body)),
    )
    const answer = await client.answer()
    expect(answer.status).toBe(408)
    expect(errorKeys(answer.body)).toContain('OperationTimeout')
    expect(await client.ended()).toBe('')
    await wire.spoolIsEmpty()
    await expectPushWorks(wire)
  })

  test('is waited for until the very end of its time, and no longer', async () => {
    const clock = new VirtualClock()
    const wire = await startWire({ clock, uploadTimeout: 60 })
    const { body } = multipartBody(pushParts(await bundleOf(nic)))
    const begin = async (): Promise<RawClient> => {
      const client = rawClient(wire.port).send(
        head('POST', uris.multipartPush, { 'Content-Type': contentType, 'Content-Length': body.length }),
        body.subarray(0, 30_000),
      )
      await expect.poll(wire.spooled).toHaveLength(1)
      return client
    }
    const slow = await begin()
    await clock.advance(59_999)
    expect((await slow.send(body.subarray(30_000)).answer()).status).toBe(202)
    await clock.advance(3_600_000)
    await wire.spoolIsEmpty()
    const stalled = await begin()
    await clock.advance(60_000)
    // No time passes from here on: the answer does not wait for more of the body.
    expect((await stalled.answer()).status).toBe(408)
    await wire.spoolIsEmpty()
  })

  test('in the middle of a chunk is told so too', async () => {
    const wire = await startWire({ uploadTimeout: 0.3 })
    const { body } = multipartBody(pushParts(await bundleOf(nic)))
    const client = rawClient(wire.port).send(
      head('POST', uris.multipartPush, { 'Content-Type': contentType, 'Transfer-Encoding': 'chunked' }),
      chunked(body).subarray(0, 10_000),
    )
    expect((await client.answer()).status).toBe(408)
    await wire.spoolIsEmpty()
    await expectPushWorks(wire)
  })

  test('after 100 Continue is told so too', async () => {
    const wire = await startWire({ uploadTimeout: 0.3 })
    const client = rawClient(wire.port).send(
      head('POST', uris.multipartPush, {
        'Content-Type': contentType,
        'Content-Length': 1_000,
        Expect: '100-continue',
      }),
    )
    expect((await client.answer()).status).toBe(100)
    expect((await client.answer()).status).toBe(408)
    await expectPushWorks(wire)
  })

  test('while it is refused hears the refusal', async () => {
    const wire = await startWire()
    const client = rawClient(wire.port).send(
      head('POST', uris.multipartPush, {
        'Content-Type': contentType,
        'Content-Length': 1_000_000,
        Authorization: 'Basic eDp4',
      }),
      Buffer.alloc(1_000),
    )
    expect((await client.answer()).status).toBe(401)
    expect(await client.ended()).toBe('')
  })
})

describe('a client that vanishes', () => {
  const leave = [
    ['by closing', (client: RawClient) => client.socket.destroy()],
    ['by a reset', (client: RawClient) => client.socket.resetAndDestroy()],
    ['by closing its sending side', (client: RawClient) => client.socket.end()],
  ] as const

  test.each(stops.flatMap(([where, stopAt]) => leave.map(([how, go]) => [where, how, stopAt, go] as const)))(
    '%s, %s, leaves nothing behind',
    async (_where, _how, stopAt, go) => {
      const wire = await startWire()
      const { body } = multipartBody(pushParts(await bundleOf(nic)))
      const client = rawClient(wire.port).send(
        head('POST', uris.multipartPush, {
          'Content-Type': contentType,
          'Content-Length': body.length,
          Expect: '100-continue',
        }),
      )
      expect((await client.answer()).status).toBe(100)
      await client.send(body.subarray(0, stopAt(body))).flushed()
      await expect.poll(wire.spooled).toHaveLength(1)
      go(client)
      await client.ended()
      // The service notices on its own time; until then the upload holds its place.
      await expect.poll(async () => (await upload(wire, multipartBody([]).body).answer()).status).toBe(400)
      await wire.spoolIsEmpty()
      await expectPushWorks(wire)
    },
  )

  // One turn of the event loop: when the service comes to look, nobody is there whose address it could ask for.
  test.each([
    ['but the last byte', -1],
    ['all', undefined],
  ])('before anybody looked, with %s of its push sent, leaves nothing behind', async (_what, end) => {
    const failures: string[] = []
    const logger = pino({ level: 'error' }, { write: (line: string) => void failures.push(line) })
    const wire = await startWire({ logger })
    const { body } = multipartBody(pushParts(await bundleOf(nic, { sizeBytes: 512 })))
    const ways = [
      { path: uris.multipartPush, type: contentType, sent: body },
      { path: uris.rawPush, type: 'application/octet-stream', sent: await bundleOf(nic, { sizeBytes: 512 }) },
    ]
    expect((await upload(wire, multipartBody([]).body).answer()).status).toBe(400)
    for (const { path, type, sent } of ways) {
      const client = rawClient(wire.port)
      await once(client.socket, 'connect')
      client.send(
        head('POST', path, { 'Content-Type': type, 'Content-Length': sent.length }),
        sent.subarray(0, end),
      )
      client.socket.resetAndDestroy()
      await expect.poll(async () => (await upload(wire, multipartBody([]).body).answer()).status).toBe(400)
      await wire.spoolIsEmpty()
    }
    expect(failures).toEqual([])
  })

  test('while it is refused does no harm', async () => {
    const wire = await startWire({ maxImageSize: '1KiB' })
    const client = rawClient(wire.port).send(
      head('POST', uris.multipartPush, { 'Content-Type': contentType, 'Content-Length': 2 ** 30 }),
      Buffer.alloc(2 ** 20),
    )
    await client.flushed()
    client.socket.resetAndDestroy()
    await client.ended()
    expect((await wire.get(uris.updateService)).status).toBe(200)
    await wire.spoolIsEmpty()
  })
})
