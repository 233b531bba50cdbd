import { describe, expect, test } from 'vitest'
import type { EmulatorOptions } from '../../src/index.ts'
import { uris } from '../../src/redfish/uris.ts'
import { isInstalled, uploadClients } from '../support/clients.ts'
import { basic } from '../support/emulator.ts'
import { multipartBody, pushParts, type WrittenPart } from '../support/multipart.ts'
import { rotated, sample } from '../support/sample.ts'
import { head, rawClient, startWire, type Wire } from '../support/wire.ts'

const MIB = 2 ** 20
const image = Buffer.alloc(12 * MIB, 'firmware')
const parts = pushParts(image)
const [parameters, file] = parts

interface Refusal {
  readonly name: string
  readonly status: number
  readonly options?: EmulatorOptions
  readonly prepare?: (wire: Wire) => Promise<void>
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Buffer
  readonly isChunked?: boolean
}

const bodyOf = (all: readonly (WrittenPart | undefined)[], end?: string): Buffer =>
  multipartBody(
    all.filter((part) => part !== undefined),
    end,
  ).body

const refusals: readonly Refusal[] = [
  { name: 'no credentials', status: 401, headers: { authorization: '' } },
  { name: 'a wrong password', status: 401, headers: { authorization: basic('admin', 'wrong') } },
  {
    name: 'a missing privilege',
    status: 403,
    headers: { authorization: basic('reader') },
    prepare: ({ addReader }) => addReader(),
  },
  { name: 'a Content-Length too large', status: 413, options: { maxImageSize: '1MiB' } },
  { name: 'an image too large', status: 413, options: { maxImageSize: '11MiB' } },
  {
    name: 'an image too large, in chunks',
    status: 413,
    options: { maxImageSize: '1MiB' },
    isChunked: true,
  },
  { name: 'another media type', status: 415, headers: { 'content-type': 'application/octet-stream' } },
  { name: 'a disabled service', status: 503, prepare: disable },
  { name: 'another upload under way', status: 503, prepare: occupy },
  {
    name: 'an unknown property',
    status: 400,
    body: bodyOf(pushParts(image, { Bogus: 1 })),
  },
  { name: 'two files', status: 400, body: bodyOf([parameters, file, file]) },
  { name: 'no final boundary', status: 400, body: bodyOf(parts, '') },
  {
    name: 'parameters that are not JSON',
    status: 400,
    body: bodyOf([{ name: 'UpdateParameters', body: '{', type: 'application/json' }, file]),
  },
  { name: 'no parameters, in chunks', status: 400, body: bodyOf([file]), isChunked: true },
  { name: 'no room', status: 507, options: { spoolSize: '1MiB' } },
  { name: 'no room, in chunks', status: 507, options: { spoolSize: '1MiB' }, isChunked: true },
]

async function disable({ url }: Wire): Promise<void> {
  const answer = await fetch(url + uris.updateService, {
    method: 'PATCH',
    headers: { authorization: basic('admin'), 'content-type': 'application/json' },
    body: JSON.stringify({ ServiceEnabled: false }),
  })
  expect(answer.status).toBe(200)
}

/** The `100 Continue` tells that the other upload is being received from then on. */
async function occupy({ port }: Wire): Promise<void> {
  const headers = { ...multipartBody(parts).headers, 'Content-Length': 1_000, Expect: '100-continue' }
  const other = rawClient(port).send(head('POST', uris.multipartPush, headers))
  expect((await other.answer()).status).toBe(100)
}

/** What a client meets: whether the body was looked at, and how its end is known. */
const learning = sample(
  rotated(refusals, uploadClients).map(([refusal, client]) => ({ refusal, client })),
  ({ refusal: { name, body, isChunked = false }, client }) => [
    name,
    `${client.name} ${isChunked ? 'in chunks' : 'with a length'}, ${body ? 'by what it holds' : 'by what is said of it'}`,
  ],
)

test.for(learning)(
  '$client.name learns of $refusal.name ($refusal.status)',
  async ({ refusal, client }, { skip }) => {
    const { program, exchange } = client
    skip(program !== undefined && !isInstalled(program), `${program} is not installed`)
    const { status, options = {}, prepare, headers = {}, body = bodyOf(parts), isChunked = false } = refusal
    const wire = await startWire(options)
    await prepare?.(wire)
    const upload = {
      origin: wire.url,
      path: uris.multipartPush,
      nextPath: `${uris.root}/`,
      headers: { ...multipartBody([]).headers, authorization: basic('admin'), ...headers },
      body,
      isChunked,
    }
    const kept = await exchange({ ...upload, isKeptAlive: true })
    expect(kept.statuses).toEqual([status, 200])
    expect(kept.connections ?? 1).toBe(1)
    const closed = await exchange({ ...upload, isKeptAlive: false })
    expect(closed.statuses).toEqual([status, 200])
    expect(closed.connections ?? 2).toBe(2)
    if (prepare !== occupy) await wire.spoolIsEmpty()
  },
)

describe('a client that waits for 100 Continue', () => {
  const early: readonly Refusal[] = refusals.slice(0, 4).concat(refusals.slice(6, 9))

  test.each(early)('learns of $name ($status) without being asked for the body', async (refusal) => {
    const { status, options = {}, prepare, headers = {} } = refusal
    const wire = await startWire(options)
    await prepare?.(wire)
    const client = rawClient(wire.port).send(
      head('POST', uris.multipartPush, {
        'Content-Type': multipartBody([]).headers['content-type'],
        'Content-Length': 20 * MIB,
        Expect: '100-continue',
        ...(headers['authorization'] !== undefined && { Authorization: headers['authorization'] }),
        ...(headers['content-type'] !== undefined && { 'Content-Type': headers['content-type'] }),
      }),
    )
    const answer = await client.answer()
    expect(answer.status).toBe(status)
    // Whether the body follows is the client's choice: the connection cannot be used for anything else.
    expect(answer.headers.get('connection')).toBe('close')
    expect(await client.ended()).toBe('')
  })

  test('is not asked for a JSON body on the push URI either', async () => {
    const { port } = await startWire()
    const client = rawClient(port).send(
      head('POST', uris.multipartPush, {
        'Content-Type': 'application/json',
        'Content-Length': 10,
        Expect: '100-continue',
      }),
    )
    expect((await client.answer()).status).toBe(415)
  })

  test('and sends its body all the same reads the refusal', async () => {
    const { port } = await startWire()
    const body = bodyOf(parts)
    const client = rawClient(port)
    client.socket.pause() // it reads when it has written everything
    client.send(
      head('POST', uris.multipartPush, {
        Authorization: basic('admin', 'wrong'),
        'Content-Type': multipartBody([]).headers['content-type'],
        'Content-Length': body.length,
        Expect: '100-continue',
      }),
      body,
    )
    await client.flushed()
    client.socket.resume()
    expect((await client.answer()).status).toBe(401)
  })

  test('is asked for the body of an upload that is welcome', async () => {
    const { port, spoolIsEmpty } = await startWire()
    const { headers, body } = multipartBody(pushParts(Buffer.from('not a bundle')))
    const client = rawClient(port).send(
      head('POST', uris.multipartPush, {
        ...headers,
        'Content-Length': body.length,
        Expect: '100-continue',
      }),
    )
    expect((await client.answer()).status).toBe(100)
    expect((await client.send(body).answer()).status).toBe(202)
    await spoolIsEmpty()
  })
})
