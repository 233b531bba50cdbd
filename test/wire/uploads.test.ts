import { describe, expect, test } from 'vitest'
import { uris } from '../../src/redfish/uris.ts'
import { bundleOf } from '../support/images.ts'
import { multipartBody, pushParts } from '../support/multipart.ts'
import { errorKeys, head, lastTask, rawClient, startWire } from '../support/wire.ts'
import { contentType, expectNicUpdated, nic, upload, uploadChunked } from '../support/wire-push.ts'

const OVERHEAD_BYTES = 2 * 2 ** 20
const boundary = contentType.replace(/.*=/, '')

describe('an image at the limit', () => {
  const senders = [
    { name: 'with a length', send: upload },
    { name: 'in chunks', send: uploadChunked },
  ]

  test.each(senders)('is accepted $name, and refused with one byte more', async ({ send }) => {
    const image = await bundleOf(nic)
    const { body } = multipartBody(pushParts(image))

    const exact = await startWire({ maxImageSize: String(image.length) })
    expect((await send(exact, body).answer()).status).toBe(202)
    await expectNicUpdated(exact)

    const short = await startWire({ maxImageSize: String(image.length - 1) })
    const refusal = await send(short, body).answer()
    expect(refusal.status).toBe(413)
    expect(errorKeys(refusal.body)).toEqual(['PayloadTooLarge'])
    await short.spoolIsEmpty()
  })

  test.each(senders)('may have other parts beside it $name, within limits of their own', async ({ send }) => {
    const image = await bundleOf(nic)
    const limit = image.length + OVERHEAD_BYTES
    const bodyOf = (sizeBytes: number): Buffer => {
      const parts = (padding: number) => [
        { name: 'OemPadding', body: Buffer.alloc(padding) },
        ...pushParts(image),
      ]
      const missing = sizeBytes - multipartBody(parts(0)).body.length
      return multipartBody(parts(missing)).body
    }
    const wire = await startWire({ maxImageSize: String(image.length) })
    expect((await send(wire, bodyOf(limit)).answer()).status).toBe(202)
    await expectNicUpdated(wire)
    expect((await send(wire, bodyOf(limit + 1)).answer()).status).toBe(413)
    await wire.spoolIsEmpty()
  })
})

describe('an upload', () => {
  test('may come byte by byte', async () => {
    const wire = await startWire()
    const { body } = multipartBody(pushParts(await bundleOf(nic, { sizeBytes: 512 })))
    const client = rawClient(wire.port).send(
      head('POST', uris.multipartPush, { 'Content-Type': contentType, 'Content-Length': body.length }),
    )
    for (const byte of body) await client.send(Uint8Array.of(byte)).flushed()
    expect((await client.answer()).status).toBe(202)
    await expectNicUpdated(wire)
  })

  test('may come in chunks of one byte', async () => {
    const wire = await startWire()
    const { body } = multipartBody(pushParts(await bundleOf(nic, { sizeBytes: 512 })))
    expect((await uploadChunked(wire, body, 1).answer()).status).toBe(202)
    await expectNicUpdated(wire)
  })

  test.each([
    ['a quoted boundary', `multipart/form-data; boundary="${boundary}"`],
    ['more parameters', `multipart/form-data; charset=utf-8; boundary=${boundary}`],
    ['capital letters', `Multipart/Form-Data; BOUNDARY=${boundary}`],
  ])('may be announced with %s', async (_name, type) => {
    const wire = await startWire()
    const { body } = multipartBody(pushParts(await bundleOf(nic)))
    expect((await upload(wire, body, { 'Content-Type': type }).answer()).status).toBe(202)
    await expectNicUpdated(wire)
  })

  test('may have a boundary that needs quotes', async () => {
    const wire = await startWire()
    const other = 'odd: (boundary)=?'
    const { body } = multipartBody(pushParts(await bundleOf(nic)))
    const renamed = Buffer.from(body.toString('latin1').replaceAll(boundary, other), 'latin1')
    const type = `multipart/form-data; boundary="${other}"`
    expect((await upload(wire, renamed, { 'Content-Type': type }).answer()).status).toBe(202)
    await expectNicUpdated(wire)
  })

  test.each([
    ['an empty line before the first boundary', '\r\n', ''],
    ['a preamble', 'This is a multi-part message.\r\n', ''],
    ['a preamble with bare line feeds', 'one\ntwo\n\r\n', ''],
    ['an epilogue', '', 'That was a multi-part message.\r\n'],
    ['an epilogue that looks like a part', '', `--${boundary}\r\n\r\nnothing`],
  ])('may have %s (RFC 2046)', async (_name, preamble, epilogue) => {
    const wire = await startWire()
    const { body } = multipartBody(pushParts(await bundleOf(nic)))
    const whole = Buffer.concat([Buffer.from(preamble), body, Buffer.from(epilogue)])
    expect((await upload(wire, whole).answer()).status).toBe(202)
    await expectNicUpdated(wire)
  })

  test('may hold lines that look like its boundary', async () => {
    const wire = await startWire()
    const image = Buffer.from(
      `firmware--${boundary}\r\n\n--${boundary}\n--${boundary.slice(0, -1)}\r\n\r\n--\r\n`,
    )
    const { body } = multipartBody(pushParts(image))
    expect((await upload(wire, body).answer()).status).toBe(202)
    // The image itself is none, which is for its task to find out.
    expect(await lastTask(wire, wire.bmc)).toMatchObject({ TaskState: 'Exception' })
    await wire.spoolIsEmpty()
  })

  test.each([
    ['a part without a name', 'form-data; filename="nameless"'],
    ['a part without a name or a file name', 'form-data'],
    ['a name without a value', 'form-data; name'],
    ['a part that is no form data', 'attachment; name="UpdateParameters"'],
  ])('with %s in place of its parameters is refused', async (_name, disposition) => {
    const wire = await startWire()
    const { body } = multipartBody(pushParts(Buffer.from('firmware')))
    const spoilt = body.toString('latin1').replace('form-data; name="UpdateParameters"', disposition)
    const answer = await upload(wire, Buffer.from(spoilt, 'latin1')).answer()
    expect(answer.status).toBe(400)
    expect(errorKeys(answer.body)).toEqual(['MissingOrMalformedPart'])
    await wire.spoolIsEmpty()
  })

  test('with line feeds for line ends has no parts', async () => {
    const wire = await startWire()
    const body = multipartBody(pushParts(Buffer.from('firmware')))
      .body.toString()
      .replaceAll('\r', '')
    const answer = await upload(wire, Buffer.from(body)).answer()
    expect(answer.status).toBe(400)
    expect(errorKeys(answer.body)).toEqual(['MissingOrMalformedPart'])
  })

  test('may be pipelined between other requests', async () => {
    const wire = await startWire()
    const { headers, body } = multipartBody(pushParts(await bundleOf(nic)))
    const client = rawClient(wire.port).send(
      head('GET', uris.updateService),
      head('POST', uris.multipartPush, { ...headers, 'Content-Length': body.length }),
      body,
      head('GET', uris.tasks),
    )
    expect((await client.answer()).status).toBe(200)
    expect((await client.answer()).status).toBe(202)
    expect((await client.answer()).status).toBe(200)
    await expectNicUpdated(wire)
  })
})
