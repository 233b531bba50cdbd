import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { Published } from '../../src/console/published.ts'
import { startEmulator } from '../support/emulator.ts'

const bytes = Buffer.from('0123456789'.repeat(1_000))

/** In chunks that no range keeps to. */
async function* chunks(): AsyncIterable<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += 777) yield bytes.subarray(at, at + 777)
}

async function publishOne() {
  const published = new Published(() => 'http://console.example:8000')
  const { send } = await startEmulator({ machine: 'console', methods: [], published })
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  const image = { sizeBytes: bytes.byteLength, sha256, read: chunks }
  const { uri, done } = await published.publish(image)
  const get = async (headers: Readonly<Record<string, string>> = {}, path = new URL(uri).pathname) =>
    send(path, { user: null, headers })
  return { uri, done, get }
}

test('an image that is published is fetched by whoever knows where it is, until it is not needed any more', async () => {
  const { uri, get, done } = await publishOne()
  expect(uri).toMatch(/^http:\/\/console\.example:8000\/redflash\/images\/[\w-]{32}$/)
  expect(await get()).toMatchObject({ status: 200, text: bytes.toString() })
  done()
  expect(await get()).toMatchObject({ status: 404 })
})

test.each([
  ['bytes=5-9', '56789'],
  ['bytes=770-790', bytes.toString('latin1', 770, 791)],
  ['bytes=9990-', '0123456789'],
  ['bytes=-3', '789'],
])('a part of it is fetched by its range: %s', async (range, text) => {
  const { get } = await publishOne()
  expect(await get({ range })).toMatchObject({ status: 206, text })
})

test('what nobody was given is not there', async () => {
  const { get } = await publishOne()
  expect(await get({}, '/redflash/images/guess')).toMatchObject({ status: 404 })
})
