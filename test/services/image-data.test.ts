import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { uris } from '../../src/redfish/uris.ts'
import { basic, startEmulator, type TestEmulator, type TestOptions } from '../support/emulator.ts'
import { bundleOf } from '../support/images.ts'
import { messageKeys } from '../support/multipart.ts'
import { validateError } from '../support/schemas.ts'
import { update } from '../support/updates.ts'

const image = await bundleOf({ 'NIC-1': '22.42.1' })
const digest = createHash('sha256').update(image).digest('hex')
const DATA = uris.localImageData('1')

/** An emulator that keeps an image, and nothing else in its spool. */
async function startKeeping(options: TestOptions = {}): Promise<TestEmulator> {
  const emulator = await startEmulator(options)
  await update(emulator, image, { LocalImage: true })
  return emulator
}

const read = ({ app }: TestEmulator, headers: Readonly<Record<string, string>> = {}) =>
  app.fastify.inject({ url: DATA, headers: { authorization: basic('admin'), ...headers } })

test('the bytes of an image come whole, as what they are', async () => {
  const emulator = await startKeeping()
  const { statusCode, headers, rawPayload } = await read(emulator)
  expect(statusCode).toBe(200)
  expect(headers).toMatchObject({
    'content-type': 'application/octet-stream',
    'content-length': String(image.length),
    'accept-ranges': 'bytes',
    etag: `"${digest}"`,
    allow: 'GET, HEAD',
  })
  expect(headers).not.toHaveProperty('content-range')
  expect(rawPayload.equals(image)).toBe(true)
})

test.each([
  ['the first bytes', { range: 'bytes=0-99' }, 0, 100],
  ['the last bytes', { range: 'bytes=-10' }, -10, undefined],
  ['what is left', { range: `bytes=${image.length - 1}-` }, -1, undefined],
  ['a part of the state that there is', { range: 'bytes=5-9', 'if-range': `"${digest}"` }, 5, 10],
])('the bytes of an image come in parts: %s', async (_what, headers, start, end) => {
  const emulator = await startKeeping()
  const answer = await read(emulator, headers)
  const expected = image.subarray(start, end)
  expect(answer.statusCode).toBe(206)
  expect(answer.rawPayload.equals(expected)).toBe(true)
  const from = start < 0 ? image.length + start : start
  expect(answer.headers).toMatchObject({
    'content-range': `bytes ${from}-${from + expected.length - 1}/${image.length}`,
    'content-length': String(expected.length),
    etag: `"${digest}"`,
  })
})

test.each([
  ['another state', { range: 'bytes=5-9', 'if-range': '"other"' }],
  ['several parts', { range: 'bytes=5-9,20-30' }],
  ['another unit', { range: 'pages=5-9' }],
])('the bytes of an image come whole where a range is of %s', async (_what, headers) => {
  const emulator = await startKeeping()
  const answer = await read(emulator, headers)
  expect([answer.statusCode, answer.rawPayload.length]).toEqual([200, image.length])
})

test('the bytes of an image end where they end', async () => {
  const emulator = await startKeeping()
  const answer = await emulator.send(DATA, { headers: { range: `bytes=${image.length}-` } })
  expect([answer.status, messageKeys(answer.json)]).toEqual([416, ['HeaderInvalid']])
  expect(answer.headers['content-range']).toBe(`bytes */${image.length}`)
  expect(validateError(answer.json)).toEqual([])
})

test('the bytes of an image are not sent to whoever has them, nor in answer to a HEAD', async () => {
  const emulator = await startKeeping()
  const seen = await read(emulator, { 'if-none-match': `"${digest}"` })
  expect([seen.statusCode, seen.rawPayload.length]).toEqual([304, 0])
  const head = await emulator.send(DATA, { method: 'HEAD', headers: { range: 'bytes=0-9' } })
  expect([head.status, head.text, head.headers['content-length']]).toEqual([200, '', String(image.length)])
  expect(head.headers).toMatchObject({ 'accept-ranges': 'bytes', etag: `"${digest}"` })
  // Whoever asked has let go of them.
  await emulator.send(uris.localImage('1'), { method: 'DELETE' })
  expect(emulator.spool.entries.size).toBe(0)
})

test('the bytes of an image are let go of by whoever has read them, was refused or sent nothing', async () => {
  const emulator = await startKeeping()
  await read(emulator)
  await read(emulator, { range: 'bytes=0-9' })
  await read(emulator, { range: 'bytes=99999999-' })
  await emulator.send(uris.localImage('1'), { method: 'DELETE' })
  expect(emulator.spool.entries.size).toBe(0)
})

test.each([
  ['nobody', { user: null }, 401],
  ['a reader', { user: 'reader' }, 200],
  ['whoever takes only JSON', { headers: { accept: 'application/json' } }, 406],
  ['whoever asks for more', { method: 'POST' as const }, 405],
])('the bytes of an image are answered to %s with %j: %i', async (_who, request, status) => {
  const emulator = await startKeeping()
  expect((await emulator.send(DATA, request)).status).toBe(status)
})
