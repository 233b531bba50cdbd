import { createServer } from 'node:net'
import { describe, expect, test } from 'vitest'
import type { FetchProblem, Identity } from '../../src/transfer/fetcher.ts'
import { ask, bytesOf, noIdentity, started } from '../contracts/fetcher.ts'
import { certificateFor, createAuthority } from '../support/authority.ts'
import { listen, serveHttp } from '../support/image-server.ts'

const IMAGE = 'the image'
const trusting = (...trustedCertificates: string[]): Identity => ({ ...noIdentity, trustedCertificates })
type Pair = Awaited<ReturnType<typeof certificateFor>>

/** Serves an image with this certificate, and tells how many requests it saw. */
async function serveWith({ certificate, privateKey }: Pair, options: object = {}) {
  const seen = { requests: 0 }
  const tls = { cert: certificate, key: privateKey, ...options }
  const server = await serveHttp((_request, response) => {
    seen.requests++
    response.end(IMAGE)
  }, tls)
  return { ...server, seen }
}

describe('a server', () => {
  test.each<[string, (pair: Pair) => string[] | Promise<string[]>]>([
    ['whose certificate is signed by a trusted one', ({ authority }) => [authority.certificate]],
    ['whose certificate is trusted itself', ({ certificate }) => [certificate]],
    [
      'that is one of several',
      async ({ certificate }) => [(await createAuthority('Another')).certificate, certificate],
    ],
  ])('%s is asked', async (_what, trusted) => {
    const pair = await certificateFor(['127.0.0.1'])
    const server = await serveWith(pair)
    const opened = await ask(server, { identity: trusting(...(await trusted(pair))) })
    expect(String(await bytesOf(opened))).toBe(IMAGE)
  })

  test.each<[string, () => Promise<{ readonly pair: Pair; readonly trusted: string[] }>]>([
    [
      'of another authority',
      async () => ({
        pair: await certificateFor(['127.0.0.1']),
        trusted: [(await createAuthority()).certificate],
      }),
    ],
    ['where none is trusted', async () => ({ pair: await certificateFor(['127.0.0.1']), trusted: [] })],
    ['of another address', async () => signed(['127.0.0.2'])],
    ['of a name, asked by its address', async () => signed(['images.example'])],
    ['that has expired', async () => signed(['127.0.0.1'], 1)],
  ])('%s is not asked', async (_what, make) => {
    const { pair, trusted } = await make()
    const server = await serveWith(pair)
    expect(await ask(server, { identity: trusting(...trusted) })).toMatchObject({
      ok: false,
      problem: { kind: 'untrusted' },
    })
    expect(server.seen.requests).toBe(0)
    await expect.poll(server.connections).toBe(0)
  })

  test('is asked by the name of its certificate, and by no other', async () => {
    const { pair, trusted } = await signed(['images.example'])
    const names: string[] = []
    const server = await serveWith(pair, {
      SNICallback: (name: string, found: (error: null) => void) => {
        names.push(name)
        found(null)
      },
    })
    const lookup = async () => ['127.0.0.1']
    const asked = (host: string) =>
      ask(
        server,
        { uri: new URL(`https://${host}:${server.port}/`), identity: trusting(...trusted) },
        { lookup },
      )
    expect(String(await bytesOf(await asked('images.example')))).toBe(IMAGE)
    expect(await asked('other.example')).toMatchObject({ ok: false, problem: { kind: 'untrusted' } })
    expect(server.seen.requests).toBe(1)
    expect(names).toEqual(['images.example', 'other.example'])
  })

  test('that never finishes its handshake is left when the fetch is cancelled', async () => {
    const silent = await listen(createServer((socket) => socket.resume()))
    const uri = new URL(`https://127.0.0.1:${silent.port}/image.bin`)
    const { fetch, cancel } = await started(async () => ({ uri, ...silent }), 'serves')
    const opened = fetch({})
    await expect.poll(silent.connections).toBe(1)
    cancel.abort(new Error('enough'))
    await expect(opened).rejects.toThrow('enough')
    await expect.poll(silent.connections).toBe(0)
  })

  test('is not looked at closely where nobody said whom to trust', async () => {
    const server = await serveWith((await signed(['127.0.0.2'], 1)).pair)
    expect(String(await bytesOf(await ask(server)))).toBe(IMAGE)
  })

  test('that cannot show a certificate is not asked on behalf of one that could', async () => {
    const { pair, trusted } = await signed(['127.0.0.1'])
    const plain = await serveHttp((_request, response) => response.end(IMAGE))
    const server = await serveHttp(
      (_request, response) => response.writeHead(302, { location: plain.uri.href }).end(),
      { cert: pair.certificate, key: pair.privateKey },
    )
    expect(await ask(server, { identity: trusting(...trusted) })).toMatchObject({
      ok: false,
      problem: { kind: 'untrusted' },
    })
    expect(plain.accepted()).toBe(0)
    expect(String(await bytesOf(await ask(server)))).toBe(IMAGE)
  })
})

describe('a server that wants a certificate', () => {
  test.each(['TLSv1.2', 'TLSv1.3'])('is shown the one of this service, in %s', async (maxVersion) => {
    const client = await certificateFor(['redflash'])
    const server = await serveWith(await certificateFor(['127.0.0.1']), {
      requestCert: true,
      ca: client.authority.certificate,
      maxVersion,
    })
    const clientCertificate = { certificate: client.certificate, privateKey: client.privateKey }
    const opened = await ask(server, { identity: { ...noIdentity, clientCertificate } })
    expect(String(await bytesOf(opened))).toBe(IMAGE)
  })

  test('and gets none says so', async () => {
    const server = await serveWith(await certificateFor(['127.0.0.1']), { requestCert: true })
    expect(await ask(server)).toMatchObject({ ok: false, problem: { kind: 'unauthorized' } })
    expect(server.seen.requests).toBe(0)
    await expect.poll(server.connections).toBe(0)
  })
})

test.each<[string, string, boolean]>([
  ['TLS', 'a server of plain HTTP', false],
  ['plain HTTP', 'a server of TLS', true],
])('%s is the wrong protocol for %s', async (spoken, _server, isSecure) => {
  const pair = await certificateFor(['127.0.0.1'])
  const server = await serveHttp(
    (_request, response) => response.end(IMAGE),
    isSecure ? { cert: pair.certificate, key: pair.privateKey } : undefined,
  )
  const uri = new URL(`${spoken === 'TLS' ? 'https' : 'http'}://127.0.0.1:${server.port}/image.bin`)
  const problem: FetchProblem = { kind: 'wrong-protocol' }
  expect(await ask(server, { uri })).toEqual({ ok: false, problem })
})

async function signed(names: readonly [string, ...string[]], days?: number) {
  const pair = await certificateFor(names, undefined, days)
  return { pair, trusted: [pair.authority.certificate] }
}
