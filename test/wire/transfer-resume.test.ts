import { randomBytes } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { describe, expect, test } from 'vitest'
import type { Clock } from '../../src/lib/clock.ts'
import { FetchError, type FetchProblem } from '../../src/transfer/fetcher.ts'
import { ask, given, problemIn, started } from '../contracts/fetcher.ts'
import { serveHttp } from '../support/image-server.ts'

const IMAGE = randomBytes(200_000)
const HALF = IMAGE.byteLength / 2
const ETAG = '"v1"'
const MODIFIED = 'Wed, 01 Jan 2025 00:00:00 GMT'

type Answer = (request: IncomingMessage, response: ServerResponse) => unknown

/** A server that says one thing after another, the last again and again. */
async function serve(...answers: readonly Answer[]) {
  const asked: IncomingMessage[] = []
  const server = await serveHttp((request, response) => {
    asked.push(request)
    return answers[Math.min(asked.length, answers.length) - 1]?.(request, response)
  })
  return { ...server, asked }
}

/** Sends half of the image and hangs up. */
const half =
  (headers: Readonly<Record<string, string>>): Answer =>
  (_request, response) => {
    response.writeHead(200, { 'content-length': IMAGE.byteLength, ...headers })
    response.write(IMAGE.subarray(0, HALF), () => response.destroy())
  }

/** Sends what a range asks for. */
const rest =
  (headers: Readonly<Record<string, string>> = {}): Answer =>
  ({ headers: { range = '' } }, response) => {
    const start = Number(/^bytes=(\d+)-$/.exec(range)?.[1])
    const total = IMAGE.byteLength
    response.writeHead(206, { 'content-range': `bytes ${start}-${total - 1}/${total}`, ...headers })
    response.end(IMAGE.subarray(start))
  }

const whole =
  (headers: Readonly<Record<string, string>> = {}): Answer =>
  (_request, response) =>
    response.writeHead(200, headers).end(IMAGE)

const hangUp: Answer = (_request, response) => response.destroy()

/** Fetches on a clock that nobody waits for: to what came, what was wrong, and how long it would have waited. */
async function fetchAll(server: Awaited<ReturnType<typeof serve>>) {
  const waits: number[] = []
  const clock: Clock = {
    now: () => 0,
    sleep: async (ms) => void waits.push(ms),
    schedule: () => () => {},
    io: (work) => work,
    breathe: () => undefined,
  }
  const { body } = given(await ask(server, {}, { clock }))
  const pieces: Uint8Array[] = []
  const read = async (): Promise<FetchProblem | undefined> => {
    try {
      for await (const piece of body) pieces.push(piece)
      return undefined
    } catch (error) {
      if (error instanceof FetchError) return error.problem
      throw error
    }
  }
  const problem = await read()
  const bytes = Buffer.concat(pieces)
  return {
    problem,
    isWhole: bytes.equals(IMAGE),
    isBegun: bytes.equals(IMAGE.subarray(0, bytes.length)),
    waits,
  }
}

describe('an image that is interrupted', () => {
  test.each<[string, Record<string, string>, string]>([
    ['a strong ETag', { 'accept-ranges': 'bytes', etag: ETAG, 'last-modified': MODIFIED }, ETAG],
    ['its date', { 'accept-ranges': 'bytes', etag: 'W/"v1"', 'last-modified': MODIFIED }, MODIFIED],
    ['a strong ETag, by a server that does not announce it', { etag: ETAG }, ETAG],
  ])('goes on where it ended, known by %s', async (_what, headers, validator) => {
    const server = await serve(half(headers), rest(headers))
    expect(await fetchAll(server)).toMatchObject({ problem: undefined, isWhole: true, waits: [1_000] })
    const [first, second] = server.asked.map(({ headers: { range, 'if-range': ifRange } }) => [
      range,
      ifRange,
    ])
    expect(first).toEqual([undefined, undefined])
    expect(second).toEqual([expect.stringMatching(/^bytes=[1-9]\d*-$/), validator])
  })

  test('goes on when its length was never announced', async () => {
    const cutShort: Answer = (_request, response) => {
      response.writeHead(200, { etag: ETAG })
      response.write(IMAGE.subarray(0, HALF), () => response.destroy())
    }
    expect(await fetchAll(await serve(cutShort, rest()))).toMatchObject({ problem: undefined, isWhole: true })
  })

  test('goes on again and again, while the server is away or not ready, five times', async () => {
    const unready: Answer = (_request, response) => response.writeHead(503).end()
    const server = await serve(half({ etag: ETAG }), hangUp, unready, hangUp, unready, rest())
    expect(await fetchAll(server)).toMatchObject({
      problem: undefined,
      isWhole: true,
      waits: [1_000, 2_000, 4_000, 8_000, 16_000],
    })
  })

  test('is given up after the fifth time', async () => {
    const server = await serve(half({ etag: ETAG }), hangUp)
    const fetched = await fetchAll(server)
    expect(fetched).toMatchObject({ problem: { kind: 'interrupted' }, isWhole: false, isBegun: true })
    expect(fetched.waits).toHaveLength(5)
    expect(server.asked).toHaveLength(6)
  })

  test.each<[string, Record<string, string>]>([
    ['known by nothing', { 'accept-ranges': 'bytes' }],
    ['known by a weak ETag', { 'accept-ranges': 'bytes', etag: 'W/"v1"' }],
    ['served as a whole only', { 'accept-ranges': 'none', etag: ETAG }],
  ])('is given up at once when it is %s', async (_what, headers) => {
    const server = await serve(half(headers), rest(headers))
    expect(await fetchAll(server)).toMatchObject({ problem: { kind: 'interrupted' }, waits: [] })
    expect(server.asked).toHaveLength(1)
  })

  const total = IMAGE.byteLength
  test.each<[string, Answer]>([
    ['begins again', whole({ etag: ETAG })],
    ['has changed and begins again', whole({ etag: '"v2"' })],
    ['begins again and says otherwise', whole({ 'content-range': `bytes ${HALF}-${total - 1}/${total}` })],
    ['goes on with another image', rest({ etag: '"v2"' })],
    ['goes on elsewhere', rest({ 'content-range': `bytes 7-${total - 1}/${total}` })],
    ['goes on with one of another length', rest({ 'content-range': `bytes ${HALF}-${total}/${total + 1}` })],
    ['does not say where it goes on', rest({ 'content-range': '' })],
  ])('is given up when the server %s', async (_what, answer) => {
    const server = await serve(half({ etag: ETAG }), answer)
    expect(await fetchAll(server)).toMatchObject({
      problem: { kind: 'interrupted' },
      isWhole: false,
      isBegun: true,
    })
    expect(server.asked).toHaveLength(2)
  })

  test('is given up with the reason when it has gone', async () => {
    const gone: Answer = (_request, response) => response.writeHead(410).end()
    const server = await serve(half({ etag: ETAG }), gone)
    expect(await fetchAll(server)).toMatchObject({ problem: { kind: 'missing' } })
  })

  test('can be cancelled while it waits for the next attempt', async () => {
    const server = await serve(half({ etag: ETAG }), rest())
    const { fetch, cancel } = await started(async () => server, 'serves')
    const failed = problemIn(given(await fetch({})))
    failed.catch(() => {}) // looked at below
    await expect.poll(server.connections).toBe(0)
    cancel.abort(new Error('enough'))
    await expect(failed).rejects.toThrow('enough')
    expect(server.asked).toHaveLength(1)
  })
})
