import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { uris } from '../../src/redfish/uris.ts'
import { startEmulator } from '../support/emulator.ts'
import { inPieces, mutations, pieceLengths, runs } from '../support/fuzz.ts'
import { bundleOf } from '../support/images.ts'
import { multipartBody, push, pushParts } from '../support/multipart.ts'
import { head, rawClient, startWire } from '../support/wire.ts'

const image = await bundleOf({ 'NIC-1': '22.42.1000' }, { sizeBytes: 2_000 })
const { headers, body } = multipartBody(pushParts(image))
const contentType = headers['content-type']
const boundary = contentType.replace(/.*=/, '')
const LONG_MS = 24 * 3_600_000

const snippets = [
  `--${boundary}\r\n`,
  `\r\n--${boundary}`,
  `\r\n--${boundary}--`,
  `\r\n--${boundary}--\r\n`,
  '\r\n',
  '\r\n\r\n',
  '\n',
  '--',
  'Content-Disposition: form-data; name="UpdateFile"; filename="a"\r\n',
  'Content-Disposition: form-data; name="UpdateParameters"\r\n\r\n',
  'Content-Disposition: form-data; filename="nameless"\r\n\r\n',
  'Content-Disposition: form-data; name\r\n\r\n',
  "Content-Disposition: form-data; name*=x-none''%ff; filename*=utf-7''%00\r\n\r\n",
  'Content-Disposition: attachment\r\n\r\n',
  'Content-Type: text/plain; charset=nonsense\r\n',
  'Content-Transfer-Encoding: base64\r\n',
  '"',
  '\0',
  '{"Targets":[null]}',
  '{"__proto__":{"a":1}}',
]

/** The bodies: a good one changed here and there, parts in any number and order, and noise. */
const bodies = fc.oneof(
  { weight: 5, arbitrary: mutations(snippets).map((mutate) => mutate(body)) },
  {
    weight: 3,
    arbitrary: fc
      .array(
        fc.record({
          name: fc.oneof(
            fc.constantFrom('UpdateFile', 'UpdateParameters', 'OemParameters', '', 'constructor'),
            fc.string(),
          ),
          file: fc.string(),
          type: fc.oneof(fc.constantFrom('application/json', 'text/plain; charset=x'), fc.string()),
          body: fc.oneof(
            fc.constantFrom(image, Buffer.alloc(0), Buffer.from('{}')),
            fc.json().map((text) => Buffer.from(text)),
            fc.uint8Array().map((bytes) => Buffer.from(bytes)),
          ),
        }),
        { maxLength: 5 },
      )
      .map((parts) => multipartBody(parts).body),
  },
  {
    weight: 1,
    arbitrary: fc
      .array(fc.oneof(fc.constantFrom(...snippets), fc.string()), { maxLength: 30 })
      .map((texts) => Buffer.from(texts.join(''))),
  },
)

const contentTypes = fc.oneof(
  { weight: 6, arbitrary: fc.constant(contentType) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      'multipart/form-data',
      'multipart/form-data; boundary=',
      'multipart/form-data; boundary=""',
      'multipart/form-data; boundary="',
      `multipart/form-data; boundary="${boundary}"`,
      `multipart/form-data; boundary=${'x'.repeat(300)}`,
      `multipart/form-data; boundary*=utf-7''${boundary}`,
      `multipart/form-data-other; boundary=${boundary}`,
      `multipart/mixed; boundary=${boundary}`,
      `multipart/form-data, multipart/form-data; boundary=${boundary}`,
      'multipart',
      ';',
      '',
    ),
  },
  {
    weight: 1,
    arbitrary: fc.string({ unit: 'grapheme-ascii' }).map((text) => `multipart/form-data; boundary=${text}`),
  },
)

test('whatever comes to the push URI is accepted or refused, and leaves nothing in the spool', async () => {
  const emulator = await startEmulator({ speed: 'max' })
  const property = fc.asyncProperty(bodies, contentTypes, async (bytes, type) => {
    const { status, json } = await push(
      emulator,
      image,
      {},
      { headers: { 'content-type': type }, body: bytes },
    )
    expect([202, 400, 415]).toContain(status)
    expect(Object.keys(json)).toContain(status === 202 ? 'TaskState' : 'error')
    // Refused: at once. Accepted: when the task is done; a day later it is forgotten too.
    if (status === 202) await emulator.clock.advance(LONG_MS)
    expect(emulator.spool.entries.size).toBe(0)
  })
  await fc.assert(property, runs(100))
  const next = await push(emulator, image, { ForceUpdate: true })
  expect(next.status).toBe(202)
})

test('it is the same on a connection, however the bytes are cut up', async () => {
  const wire = await startWire()
  const property = fc.asyncProperty(bodies, fc.boolean(), pieceLengths, async (bytes, isChunked, lengths) => {
    const client = rawClient(wire.port)
    const framing = isChunked ? { 'Transfer-Encoding': 'chunked' } : { 'Content-Length': bytes.length }
    client.send(head('POST', uris.multipartPush, { ...framing, 'Content-Type': contentType }))
    for (const piece of inPieces(bytes, lengths)) {
      if (isChunked) client.send(`${piece.length.toString(16)}\r\n`, piece, '\r\n')
      else client.send(piece)
      await client.flushed()
    }
    if (isChunked) client.send('0\r\n\r\n')
    expect([202, 400]).toContain((await client.answer()).status)
    // The connection is as good as new.
    client.send(head('GET', uris.root))
    expect((await client.answer()).status).toBe(200)
    client.socket.destroy()
    await wire.spoolIsEmpty()
  })
  await fc.assert(property, runs(60))
}, 300_000)

test('a client may leave at any byte, and the next one finds everything in order', async () => {
  const wire = await startWire()
  const whole = Buffer.concat([
    Buffer.from(
      head('POST', uris.multipartPush, { 'Content-Type': contentType, 'Content-Length': body.length }),
    ),
    body,
  ])
  const property = fc.asyncProperty(
    fc.integer({ min: 0, max: whole.length - 1 }),
    fc.constantFrom('end', 'destroy', 'resetAndDestroy'),
    async (stopAt, leave) => {
      const client = rawClient(wire.port).send(whole.subarray(0, stopAt))
      await client.flushed()
      client.socket[leave]()
      await client.ended()
      client.socket.destroy()
      const status = async (): Promise<number> => {
        const next = rawClient(wire.port).send(
          head('POST', uris.multipartPush, { 'Content-Type': contentType, 'Content-Length': 2 }),
          '--',
        )
        const answer = await next.answer()
        next.socket.destroy()
        return answer.status
      }
      await expect.poll(status).toBe(400) // 503 for as long as the one who left has not been missed
      await wire.spoolIsEmpty()
    },
  )
  await fc.assert(property, runs(60))
  expect(wire.bmc.state.tasks.size).toBe(0)
}, 600_000)
