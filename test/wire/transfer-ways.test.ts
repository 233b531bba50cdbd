import { describe, expect, test, vi } from 'vitest'
import { ask, bytesOf, started } from '../contracts/fetcher.ts'
import { basicUserOf, serveHttp } from '../support/image-server.ts'

const IMAGE = 'the image'
const user = { username: 'user', password: 'secret' }

describe('a redirect', () => {
  /** Redirects `/n` to `/n-1`, and has the image at `/0`. */
  const countdown = () =>
    serveHttp(({ url = '' }, response) => {
      const left = Number(url.slice(1))
      if (left === 0) return response.end(IMAGE)
      return response.writeHead(307, { location: String(left - 1) }).end('elsewhere')
    })

  test('is followed five times, and not a sixth', async () => {
    const server = await countdown()
    const from = (path: string) => ask(server, { uri: new URL(path, server.origin) })
    expect(String(await bytesOf(await from('/5')))).toBe(IMAGE)
    expect(await from('/6')).toEqual({ ok: false, problem: { kind: 'http-failure', code: 307 } })
  })

  test('in a circle ends', async () => {
    let requests = 0
    const server = await serveHttp((_request, response) => {
      requests++
      response.writeHead(302, { location: '/image.bin' }).end()
    })
    expect(await ask(server)).toEqual({ ok: false, problem: { kind: 'http-failure', code: 302 } })
    expect(requests).toBe(6)
  })

  test('takes credentials along within an origin', async () => {
    const server = await serveHttp((request, response) => {
      if (request.url !== '/inner') return response.writeHead(301, { location: '/inner' }).end()
      return basicUserOf(request) === 'user:secret'
        ? response.end(IMAGE)
        : response.writeHead(401, { 'www-authenticate': 'Basic realm="inner"' }).end()
    })
    expect(String(await bytesOf(await ask(server, user)))).toBe(IMAGE)
  })

  test('leaves credentials behind at another origin, and on the way back', async () => {
    const seen: (string | undefined)[] = []
    const first = await serveHttp((request, response) => {
      seen.push(request.headers.authorization)
      if (request.url === '/back') return response.writeHead(401, { 'www-authenticate': 'Basic' }).end()
      return request.headers.authorization === undefined
        ? response.writeHead(401, { 'www-authenticate': 'Basic realm="first"' }).end()
        : response.writeHead(302, { location: `${other.origin}/image.bin` }).end()
    })
    const other = await serveHttp((request, response) => {
      seen.push(request.headers.authorization)
      return request.url === '/image.bin'
        ? response.writeHead(302, { location: `${first.origin}/back` }).end()
        : response.end()
    })
    expect(await ask(first, user)).toMatchObject({ ok: false, problem: { kind: 'unauthorized' } })
    expect(seen).toEqual([undefined, expect.stringMatching(/^Basic /), undefined, undefined])
  })

  test.each([
    ['a refused address', 'http://127.0.0.2/', { kind: 'address-refused', address: '127.0.0.2' }],
    ['another protocol', 'ftp://127.0.0.1/image.bin', { kind: 'unsupported' }],
    ['nowhere', 'http://', { kind: 'http-failure', code: 308 }],
  ])('to %s is not followed', async (_what, location, problem) => {
    const server = await serveHttp((_request, response) => response.writeHead(308, { location }).end())
    const policy = (address: string) => address === '127.0.0.1'
    expect(await ask(server, {}, { policy })).toEqual({ ok: false, problem })
  })
})

describe('the way there', () => {
  test('leads to the very address that was judged, however the name answers next', async () => {
    const server = await serveHttp((_request, response) => response.end(IMAGE))
    const answers = [['127.0.0.1'], ['127.0.0.2']]
    const judged: string[] = []
    const uri = new URL(`http://images.example:${server.port}/image.bin`)
    const opened = await ask(
      server,
      { uri },
      {
        lookup: async () => answers.shift() ?? [],
        policy: (address, host) => judged.push(`${host} ${address}`) > 0,
      },
    )
    expect(String(await bytesOf(opened))).toBe(IMAGE)
    expect(judged).toEqual(['images.example 127.0.0.1'])
  })

  test('is another address of the name where one does not answer, and never one that is refused', async () => {
    const server = await serveHttp((_request, response) => response.end(IMAGE))
    const uri = new URL(`http://images.example:${server.port}/image.bin`)
    const lookup = async () => ['127.0.0.3', '127.0.0.2', '127.0.0.1']
    const policy = (address: string) => address !== '127.0.0.3'
    expect(String(await bytesOf(await ask(server, { uri }, { lookup, policy })))).toBe(IMAGE)
    const nowhere = await ask(server, { uri }, { lookup, policy: (address) => address === '127.0.0.2' })
    expect(nowhere).toMatchObject({ ok: false, problem: { kind: 'no-connection' } })
  })

  test.each(['ENOTFOUND', 'EAI_AGAIN'])('is not found where the name is not: %s', async (code) => {
    const server = await serveHttp(() => {})
    const uri = new URL('http://nobody.example/image.bin')
    const lookup = () => Promise.reject(Object.assign(new Error('no name'), { code }))
    expect(await ask(server, { uri }, { lookup })).toEqual({
      ok: false,
      problem: { kind: 'name-not-resolved', host: 'nobody.example' },
    })
  })

  test.each(['http', 'https', 'ftp', 'sftp', 'scp', 'tftp'])(
    'is not waited for by %s when the fetch is cancelled while the name is looked up',
    async (scheme) => {
      const server = await serveHttp(() => {})
      const looking = Promise.withResolvers<void>()
      const lookup = (): Promise<string[]> => {
        looking.resolve()
        return new Promise(() => {})
      }
      const { fetch, cancel } = await started(async () => server, 'serves', { lookup })
      const opened = fetch({ uri: new URL(`${scheme}://slow.example/image.bin`) })
      await looking.promise
      cancel.abort(new Error('enough'))
      await expect(opened).rejects.toThrow('enough')
    },
  )

  test('passes by no proxy, whatever the environment says', async () => {
    for (const name of ['http_proxy', 'HTTP_PROXY', 'NODE_USE_ENV_PROXY'])
      vi.stubEnv(name, 'http://127.0.0.1:1')
    const server = await serveHttp((_request, response) => response.end(IMAGE))
    expect(String(await bytesOf(await ask(server)))).toBe(IMAGE)
    vi.unstubAllEnvs()
  })
})

test('a scheme that nobody speaks is not supported', async () => {
  const server = await serveHttp(() => {})
  const opened = await ask(server, { uri: new URL('gopher://127.0.0.1/image.bin') })
  expect(opened).toEqual({ ok: false, problem: { kind: 'unsupported' } })
})
