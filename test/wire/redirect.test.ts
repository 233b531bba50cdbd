import { once } from 'node:events'
import { Agent, request } from 'node:https'
import type { IncomingMessage } from 'node:http'
import { type AddressInfo, connect, createServer } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { describe, expect, onTestFinished, test } from 'vitest'
import { isStrict } from '../../src/config.ts'
import { makeCertificate } from '../../src/http/certificate.ts'
import { Doors } from '../../src/http/doors.ts'
import { reachOfOne } from '../../src/http/reach.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { uris } from '../../src/redfish/uris.ts'
import { basic, startEmulator } from '../support/emulator.ts'
import { head, RawClient, rawClient, startWire } from '../support/wire.ts'

const portOf = (url = ''): number => Number(new URL(url).port)

/** A GET over TLS that trusts whatever it is shown. */
async function getSecurely(url: URL | string, headers = {}): Promise<IncomingMessage> {
  const asked = request(url, { rejectUnauthorized: false, agent: new Agent(), headers })
  const [answer] = (await once(asked.end(), 'response')) as [IncomingMessage]
  answer.resume()
  return answer
}

describe('plain HTTP at the HTTPS port', () => {
  test('is sent to HTTPS, to do the same there, where its privileges are asked for', async () => {
    const { emulator } = await startWire({ https: true })
    const { httpsUrl = '' } = emulator
    const plain = await fetch(`${httpsUrl.replace('https', 'http')}${uris.sessions}?only`, {
      redirect: 'manual',
    })
    expect(plain.status).toBe(308)
    expect(plain.headers.get('location')).toBe(`${httpsUrl}${uris.sessions}?only`)
    expect((await getSecurely(plain.headers.get('location') ?? '')).statusCode).toBe(401)
  })

  test('is answered however slowly it comes, whatever its method, with a body too', async () => {
    const { emulator } = await startWire({ https: true })
    const client = rawClient(portOf(emulator.httpsUrl))
    const [first = '', ...rest] = head('POST', uris.multipartPush, {
      Host: 'bmc.example:8443',
      'Content-Length': 100_000,
    })
    await client.send(first).flushed()
    client.send(rest.join(''), 'x'.repeat(100_000))
    const { status, headers } = await client.answer()
    expect(status).toBe(308)
    expect(headers.get('location')).toBe(`https://bmc.example:8443${uris.multipartPush}`)
    expect(headers.get('connection')).toBe('close')
    await client.ended()
  })

  test('does not get its upload asked for', async () => {
    const { emulator } = await startWire({ https: true })
    const client = rawClient(portOf(emulator.httpsUrl))
    client.send(
      head('POST', uris.multipartPush, { Host: 'bmc', 'Content-Length': 9, Expect: '100-continue' }),
    )
    expect((await client.answer()).status).toBe(308)
  })

  test.each([
    ['no host', 'GET / HTTP/1.0\r\n\r\n', 400],
    ['a host that is another URL', 'GET / HTTP/1.1\r\nHost: a/b?c@d\r\n\r\n', 400],
    ['no HTTP', 'what is this\r\n\r\n', 400],
  ])('with %s is refused', async (_what, bytes, status) => {
    const { emulator } = await startWire({ https: true })
    expect((await rawClient(portOf(emulator.httpsUrl)).send(bytes).answer()).status).toBe(status)
  })

  test('leaves no doubt about the path: a whole URL keeps its path only', async () => {
    const { emulator } = await startWire({ https: true })
    const client = rawClient(portOf(emulator.httpsUrl))
    client.send('GET http://evil.example/x HTTP/1.1\r\nHost: bmc:1\r\n\r\n')
    expect((await client.answer()).headers.get('location')).toBe('https://bmc:1/x')
  })

  test('and who says nothing at all do not hold up the end', async () => {
    const { emulator } = await startWire({ https: true })
    const silent = connect({ host: '127.0.0.1', port: portOf(emulator.httpsUrl) })
    onTestFinished(() => void silent.destroy())
    await once(silent, 'connect')
    const { port } = new URL(emulator.httpsUrl ?? '')
    const secure = connectTls({ host: '127.0.0.1', port: Number(port), rejectUnauthorized: false })
    await once(secure, 'secureConnect')
    const busy = new RawClient(secure)
    busy.send(head('POST', uris.sessions, { 'Content-Type': 'application/json', 'Content-Length': 2 }), '{')
    const gone = once(silent, 'close')
    const closed = emulator.close()
    // The silent one is told at once; the busy one still gets its answer after that.
    await gone
    expect((await busy.send('}').answer()).status).toBe(400)
    await closed
  })
})

describe('TLS', () => {
  test('is known by its first byte, though the rest of its first message comes later', async () => {
    const { emulator } = await startWire({ https: true })
    const slow = createServer((near) => {
      const far = connect({ host: '127.0.0.1', port: portOf(emulator.httpsUrl), noDelay: true })
      near.once('data', (hello) => {
        near.pause()
        far.write(hello.subarray(0, 1), () => {
          far.write(hello.subarray(1))
          near.pipe(far).pipe(near)
        })
      })
      onTestFinished(() => void far.destroy())
    })
    onTestFinished(() => void slow.close())
    await once(slow.listen(0, '127.0.0.1'), 'listening')
    const { port } = slow.address() as AddressInfo
    const secure = connectTls({ host: '127.0.0.1', port, rejectUnauthorized: false })
    onTestFinished(() => void secure.destroy())
    await once(secure, 'secureConnect')
    expect(secure.getProtocol()).toBe('TLSv1.3')
  })
})

describe('the HTTP port', () => {
  test('serves by itself', async () => {
    const { url } = await startWire({ https: true })
    expect((await fetch(`${url}${uris.root}`, { redirect: 'manual' })).status).toBe(200)
  })

  test('redirects to the HTTPS port when told to', async () => {
    const { emulator, url } = await startWire({ https: true, httpMode: 'redirect' })
    const answer = await fetch(`${url}${uris.root}`, {
      redirect: 'manual',
      headers: { authorization: basic('admin') },
    })
    expect(answer.status).toBe(308)
    expect(answer.headers.get('location')).toBe(`${emulator.httpsUrl}${uris.root}`)
    expect((await getSecurely(answer.headers.get('location') ?? '')).statusCode).toBe(200)
  })
})

describe('Strict-Transport-Security', () => {
  test.each([
    ['HTTPS alone, for everybody', { http: false, https: true, host: '192.0.2.1' }, true],
    ['HTTPS alone, on loopback', { http: false, https: true, host: '127.0.0.1' }, false],
    ['HTTPS beside HTTP', { http: true, https: true, host: '192.0.2.1' }, false],
  ])('%s: %s', (_what, config, expected) => {
    expect(isStrict(config)).toBe(expected)
  })

  test.each([true, false])('is told over TLS when asked for: %s', async (isAsked) => {
    const doors = new Doors(
      {
        host: '127.0.0.1',
        port: undefined,
        httpsPort: 0,
        reach: reachOfOne((await startEmulator()).bmc),
        failed: () => {},
        keyPair: () => makeCertificate(['localhost'], systemClock),
        isStrict: isAsked,
      },
      (_request, response) => response.end(),
    )
    onTestFinished(() => doors.close(0))
    await doors.open()
    const answer = await getSecurely(`https://127.0.0.1:${doors.ports.httpsPort}/`)
    expect(answer.headers['strict-transport-security']).toBe(isAsked ? 'max-age=31536000' : undefined)
  })

  test('is not told by a service on loopback', async () => {
    const { emulator } = await startWire({ https: true, http: false })
    const answer = await getSecurely(`${emulator.httpsUrl}${uris.root}`)
    expect(answer.statusCode).toBe(200)
    expect(answer.headers['strict-transport-security']).toBeUndefined()
  })
})
