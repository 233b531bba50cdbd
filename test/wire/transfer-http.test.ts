import { createServer } from 'node:net'
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { ask, bytesOf, given, problemIn, started } from '../contracts/fetcher.ts'
import { listen, serveHttp } from '../support/image-server.ts'

const IMAGE = 'the image'
const user = { username: 'user', password: 'secret' }

describe('an answer', () => {
  test.each([
    [404, { kind: 'missing' }],
    [410, { kind: 'missing' }],
    [401, { kind: 'unauthorized', detail: '401 Unauthorized: not you, friend' }],
    [403, { kind: 'unauthorized', detail: '403 Forbidden: not you, friend' }],
    [407, { kind: 'unauthorized', detail: '407 Proxy Authentication Required: not you, friend' }],
    [400, { kind: 'http-failure', code: 400 }],
    [500, { kind: 'http-failure', code: 500 }],
    [503, { kind: 'http-failure', code: 503 }],
    [204, { kind: 'http-failure', code: 204 }],
    [304, { kind: 'http-failure', code: 304 }],
    [206, { kind: 'http-failure', code: 206 }], // of a range that nobody asked for
    [302, { kind: 'http-failure', code: 302 }], // to nowhere
  ])('of %s is told as %j', async (status, problem) => {
    const server = await serveHttp((_request, response) =>
      response.writeHead(status, { 'content-type': 'text/plain' }).end('not you,\r\nfriend'),
    )
    expect(await ask(server, user)).toEqual({ ok: false, problem })
    await expect.poll(server.connections).toBe(0)
  })

  test('that refuses is repeated only to its beginning', async () => {
    const server = await serveHttp((_request, response) =>
      response.writeHead(403, { 'content-type': 'text/plain' }).end('x'.repeat(1_000_000)),
    )
    const detail = `403 Forbidden: ${'x'.repeat(200)}`
    expect(await ask(server)).toEqual({ ok: false, problem: { kind: 'unauthorized', detail } })
  })

  test.each([
    ['garbage', '\u0000\u0001garbage\r\n\r\n'],
    ['another protocol', 'SSH-2.0-OpenSSH_9.6\r\n'],
    ['nothing', ''],
  ])('that is %s is no HTTP', async (_what, said) => {
    const server = await listen(createServer((socket) => socket.once('data', () => socket.end(said))))
    const uri = new URL(`http://127.0.0.1:${server.port}/image.bin`)
    expect(await ask({ uri, ...server })).toEqual({ ok: false, problem: { kind: 'wrong-protocol' } })
  })

  test('with more bytes than it announced is not believed', async () => {
    const server = await listen(
      createServer((socket) =>
        socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n12345678')),
      ),
    )
    const uri = new URL(`http://127.0.0.1:${server.port}/image.bin`)
    const opened = await ask({ uri, ...server })
    expect(await problemIn(given(opened))).toMatchObject({ kind: 'interrupted' })
  })

  test.each([
    ['announced', 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n12345'],
    [
      'announced, by a server that closes',
      'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 9\r\n\r\n12345',
    ],
    ['its chunks need', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n'],
  ])('with fewer bytes than it %s is not believed', async (_what, said) => {
    const server = await listen(createServer((socket) => socket.once('data', () => socket.end(said))))
    const uri = new URL(`http://127.0.0.1:${server.port}/image.bin`)
    const opened = await ask({ uri, ...server })
    expect(await problemIn(given(opened))).toMatchObject({ kind: 'interrupted' })
  })

  test('is whole however early the server hangs up after it', async () => {
    const said = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n12345'
    const server = await listen(createServer((socket) => socket.once('data', () => socket.end(said))))
    const opened = await ask({ uri: new URL(`http://127.0.0.1:${server.port}/image.bin`), ...server })
    await expect.poll(server.connections).toBe(0)
    expect(String(await bytesOf(opened))).toBe('12345')
  })

  test('may take longer than a stall, as long as something comes', async () => {
    const pieces = ['one ', 'two ', 'three']
    let say = (_text: string): void => {}
    const server = await serveHttp((_request, response) => {
      say = (text) => response.write(text)
      response.flushHeaders()
    })
    const { fetch, clock } = await started(async () => server, 'serves')
    const body = given(await fetch({})).body[Symbol.asyncIterator]()
    const heard: string[] = []
    for (const piece of pieces) {
      const next = body.next()
      await clock.advance(59_000)
      say(piece)
      heard.push(Buffer.from((await next).value ?? '').toString())
    }
    expect(heard).toEqual(pieces)
    const silence = body.next()
    silence.catch(() => {}) // looked at below, when the clock has moved
    await clock.advance(60_000)
    await expect(silence).rejects.toMatchObject({ problem: { kind: 'timeout' } })
  })

  test('is taken as it is: identity is asked for, and nothing is unpacked', async () => {
    const packed = gzipSync(IMAGE)
    let asked: string | undefined
    const server = await serveHttp(({ headers }, response) => {
      asked = headers['accept-encoding']
      response.writeHead(200, { 'content-encoding': 'gzip', 'content-length': packed.length }).end(packed)
    })
    expect((await bytesOf(await ask(server))).equals(packed)).toBe(true)
    expect(asked).toBe('identity')
  })

  test.each([
    ['/a/firmware%20v2.bin?x=/y', undefined, 'firmware v2.bin'],
    ['/a/', undefined, 'image'],
    ['/%zz.bin', undefined, '%zz.bin'],
    ['/a/..%2f..%2fpasswd', undefined, 'passwd'],
    ['/download', 'attachment; filename=bios.bin', 'bios.bin'],
    ['/download', 'attachment; filename="bios; \\"v2\\".bin"', 'bios; "v2".bin'],
    ['/download', 'attachment; filename="a.bin"; filename*=UTF-8\'\'%e2%82%ac.bin', '€.bin'],
    ['/download', 'attachment; filename="../../etc/passwd"', 'passwd'],
    ['/download', 'attachment; filename="C:\\\\images\\\\bmc.bin"', 'bmc.bin'],
    ['/download', 'attachment; filename=".."', 'image'],
    ['/download', 'inline', 'download'],
  ])('to %s with Content-Disposition %s is called %s', async (path, disposition, name) => {
    const server = await serveHttp((_request, response) =>
      response
        .writeHead(200, disposition === undefined ? {} : { 'content-disposition': disposition })
        .end(IMAGE),
    )
    expect(given(await ask(server, { uri: new URL(path, server.origin) })).fileName).toBe(name)
  })
})
