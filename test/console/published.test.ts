import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { expect, test } from 'vitest'
import { Published } from '../../src/console/published.ts'
import { startEmulator } from '../support/emulator.ts'

const bytes = Buffer.from('0123456789'.repeat(1_000))

async function publishOne() {
  const read: (readonly number[])[] = []
  const image = {
    sizeBytes: bytes.byteLength,
    sha256: createHash('sha256').update(bytes).digest('hex'),
    read: (start = 0, end = bytes.byteLength) => {
      read.push([start, end])
      return Readable.from([bytes.subarray(start, end)])
    },
  }
  const published = new Published(() => 'http://console.example:8000')
  const { send } = await startEmulator({ machine: 'console', methods: [], published })
  const { uri, done } = await published.publish(image)
  const get = async (headers: Readonly<Record<string, string>> = {}, path = new URL(uri).pathname) =>
    send(path, { user: null, headers })
  return { uri, done, get, read }
}

test('an image that is published is fetched by whoever knows where it is, until it is not needed any more', async () => {
  const { uri, get, done } = await publishOne()
  expect(uri).toMatch(/^http:\/\/console\.example:8000\/redflash\/images\/[\w-]{32}$/)
  expect(await get()).toMatchObject({ status: 200, text: bytes.toString() })
  done()
  expect(await get()).toMatchObject({ status: 404 })
})

test.each([
  ['bytes=5-9', [5, 10]],
  ['bytes=9990-', [9_990, 10_000]],
  ['bytes=-3', [9_997, 10_000]],
])('a part of it is fetched by its range, and nothing else is read: %s', async (range, [start, end]) => {
  const { get, read } = await publishOne()
  expect(await get({ range })).toMatchObject({ status: 206, text: bytes.toString('latin1', start, end) })
  expect(read).toEqual([[start, end]])
})

test('what nobody was given is not there', async () => {
  const { get } = await publishOne()
  expect(await get({}, '/redflash/images/guess')).toMatchObject({ status: 404 })
})
