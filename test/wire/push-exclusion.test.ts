import { expect, test } from 'vitest'
import { uris } from '../../src/redfish/uris.ts'
import { multipartBody, pushParts } from '../support/multipart.ts'
import { errorKeys, head, type RawClient, rawClient, startWire, type Wire } from '../support/wire.ts'

const { headers, body: multipart } = multipartBody(pushParts(Buffer.from('no image')))
const ways = {
  raw: { path: uris.rawPush, type: 'application/octet-stream', body: Buffer.from('no image') },
  multipart: { path: uris.multipartPush, type: headers['content-type'], body: multipart },
}
type Way = keyof typeof ways

/** A push that waits to be asked for its body, and what it is told. */
async function ask({ port }: Wire, way: Way) {
  const { path, type, body } = ways[way]
  const client = rawClient(port).send(
    head('POST', path, { 'Content-Type': type, 'Content-Length': body.length, Expect: '100-continue' }),
  )
  return { client, answer: await client.answer() }
}

/** Begins a push that is received from then on. */
async function begin(wire: Wire, way: Way): Promise<RawClient> {
  const { client, answer } = await ask(wire, way)
  expect(answer.status).toBe(100)
  return client
}

async function finish(client: RawClient, way: Way): Promise<void> {
  expect((await client.send(ways[way].body).answer()).status).toBe(202)
}

/** How a push is refused, shortly. */
async function refusalOf(wire: Wire, way: Way): Promise<string> {
  const { answer } = await ask(wire, way)
  return `${answer.status} ${errorKeys(answer.body).join()} ${answer.headers.get('retry-after')}`
}
const busy = '503 ServiceTemporarilyUnavailable 5'

// S1-08: multipart push is refused while an unstructured push runs, and vice versa.
test.each<[Way, Way]>([
  ['raw', 'multipart'],
  ['multipart', 'raw'],
])(
  'while a %s push is received, a %s push is refused, and taken when that is over',
  async (first, second) => {
    const wire = await startWire({ machine: 'bladed' })
    const running = await begin(wire, first)
    expect(await refusalOf(wire, second)).toBe(busy)
    await finish(running, first)
    await finish(await begin(wire, second), second)
    await wire.spoolIsEmpty()
  },
)

test('a multipart push that failed keeps no raw push out', async () => {
  const wire = await startWire()
  const running = await begin(wire, 'multipart')
  running.socket.resetAndDestroy()
  await expect.poll(async () => (await ask(wire, 'raw')).answer.status).toBe(100)
})

test('a machine takes as many multipart pushes at once as its data says, and one raw push', async () => {
  const wire = await startWire({ machine: 'bladed' })
  const first = await begin(wire, 'multipart')
  const second = await begin(wire, 'multipart')
  expect(await refusalOf(wire, 'multipart')).toBe(busy)
  expect(await refusalOf(wire, 'raw')).toBe(busy)
  await finish(first, 'multipart')
  // One is left.
  expect(await refusalOf(wire, 'raw')).toBe(busy)
  await finish(second, 'multipart')
  const raw = await begin(wire, 'raw')
  expect(await refusalOf(wire, 'raw')).toBe(busy)
  await finish(raw, 'raw')
})

test('who has no right to push does not hear whether somebody does', async () => {
  const wire = await startWire()
  await wire.addReader()
  await begin(wire, 'raw')
  const { status } = await fetch(wire.url + uris.multipartPush, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from('reader:redflash').toString('base64')}` },
  })
  expect(status).toBe(403)
})
