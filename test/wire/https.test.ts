import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { request } from 'node:https'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { connect, type ConnectionOptions } from 'node:tls'
import type { IncomingMessage } from 'node:http'
import { describe, expect, onTestFinished, test } from 'vitest'
import { makeCertificate } from '../../src/http/certificate.ts'
import { createEmulator } from '../../src/index.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { uris } from '../../src/redfish/uris.ts'
import { basic } from '../support/emulator.ts'
import { bundleOf } from '../support/images.ts'
import { multipartBody, pushParts } from '../support/multipart.ts'
import { head, RawClient, startWire, temporaryFolder } from '../support/wire.ts'

const portOf = (url = ''): number => Number(new URL(url).port)

async function tlsClient(port: number, options: ConnectionOptions = {}): Promise<RawClient> {
  const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false, ...options })
  const client = new RawClient(socket)
  await once(socket, 'secureConnect')
  return client
}

async function certificateOf(port: number): Promise<X509Certificate> {
  const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false })
  await once(socket, 'secureConnect')
  const certificate = socket.getPeerX509Certificate()
  socket.destroy()
  if (certificate === undefined) throw new Error('no certificate')
  return certificate
}

async function pairFiles(names: readonly string[] = ['localhost']) {
  const { cert, key } = await makeCertificate(names, systemClock)
  const folder = await temporaryFolder()
  const [tlsCert, tlsKey] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
  await Promise.all([writeFile(tlsCert, cert), writeFile(tlsKey, key)])
  return { cert, key, tlsCert, tlsKey }
}

describe('HTTPS', () => {
  test('shows a certificate of its own: ECDSA P-256, for the names it is reached by, valid now', async () => {
    const { emulator } = await startWire({ https: true })
    const certificate = await certificateOf(portOf(emulator.httpsUrl))
    expect(certificate.publicKey.asymmetricKeyType).toBe('ec')
    expect(certificate.publicKey.asymmetricKeyDetails?.namedCurve).toBe('prime256v1')
    for (const name of ['localhost', hostname()]) expect(certificate.checkHost(name)).toBe(name)
    expect(certificate.checkIP('127.0.0.1')).toBe('127.0.0.1')
    expect(certificate.checkHost('example.com')).toBeUndefined()
    expect(certificate.verify(certificate.publicKey)).toBe(true)
    expect(certificate.ca).toBe(false)
    expect(certificate.validFromDate.getTime()).toBeLessThan(systemClock.now())
    expect(certificate.validToDate.getTime()).toBeGreaterThan(systemClock.now())
  })

  test('keeps its certificate for as long as it runs, and another run has another', async () => {
    const [one, other] = [await startWire({ https: true }), await startWire({ https: true })]
    const serial = async (url?: string): Promise<string> => (await certificateOf(portOf(url))).serialNumber
    const first = await serial(one.emulator.httpsUrl)
    expect(await serial(one.emulator.httpsUrl)).toBe(first)
    expect(await serial(other.emulator.httpsUrl)).not.toBe(first)
  })

  test.each(['localhost', '127.0.0.1'])('is trusted as %s by who trusts its certificate', async (host) => {
    const { emulator } = await startWire({ https: true })
    const port = portOf(emulator.httpsUrl)
    const ca = (await certificateOf(port)).toString()
    const asked = request({ host, port, path: uris.root, ca, family: 4 })
    const [answer] = (await once(asked.end(), 'response')) as [IncomingMessage]
    expect(answer.statusCode).toBe(200)
    expect(answer.headers['odata-version']).toBe('4.0')
    expect(JSON.parse(await text(answer))).toMatchObject({ '@odata.id': expect.stringContaining(uris.root) })
  })

  test('is not trusted without it', async () => {
    const { emulator } = await startWire({ https: true })
    await expect(fetch(`${emulator.httpsUrl}${uris.root}`)).rejects.toThrow('fetch failed')
  })

  test.each([
    ['TLSv1.2' as const, true],
    ['TLSv1.3' as const, true],
    ['TLSv1.1' as const, false],
    ['TLSv1' as const, false],
  ])('%s: %s', async (version, isSpoken) => {
    const { emulator } = await startWire({ https: true })
    const attempt = tlsClient(portOf(emulator.httpsUrl), {
      minVersion: version,
      maxVersion: version,
      ciphers: 'DEFAULT@SECLEVEL=0', // this side would speak it
    })
    const spoken = await attempt.then(
      () => true,
      () => false,
    )
    expect(spoken).toBe(isSpoken)
  })

  test('receives an upload, and answers whoever waits for 100 Continue', async () => {
    const { emulator, spoolIsEmpty } = await startWire({ https: true, http: false })
    expect(emulator.url).toBeUndefined()
    const { headers, body } = multipartBody(pushParts(await bundleOf({ 'NIC-1': '22.42.1000' })))
    const client = await tlsClient(portOf(emulator.httpsUrl))
    const length = { 'Content-Length': body.length, Expect: '100-continue' }
    client.send(head('POST', uris.multipartPush, { ...headers, ...length, Authorization: basic('x') }))
    expect((await client.answer()).status).toBe(401)
    const other = await tlsClient(portOf(emulator.httpsUrl))
    other.send(head('POST', uris.multipartPush, { ...headers, ...length }))
    expect((await other.answer()).status).toBe(100)
    expect((await other.send(body).answer()).status).toBe(202)
    await spoolIsEmpty()
  })

  test.each([
    ['an unknown method', head('BREW', uris.root), 501],
    ['garbage', 'this is not HTTP\r\n\r\n', 400],
  ])('answers %s as HTTP does', async (_name, bytes, status) => {
    const { emulator } = await startWire({ https: true })
    const client = await tlsClient(portOf(emulator.httpsUrl))
    expect((await client.send(bytes).answer()).status).toBe(status)
  })

  test('outlives a client that knows no TLS', async () => {
    const { emulator } = await startWire({ https: true })
    await expect(fetch(`http://127.0.0.1:${portOf(emulator.httpsUrl)}/`)).rejects.toThrow('fetch failed')
    expect((await certificateOf(portOf(emulator.httpsUrl))).checkHost('localhost')).toBe('localhost')
  })

  test('does not hold up the end with idle connections', async () => {
    const { emulator } = await startWire({ https: true })
    const idle = await tlsClient(portOf(emulator.httpsUrl))
    expect((await idle.send(head('GET', uris.root)).answer()).status).toBe(200)
    const busy = await tlsClient(portOf(emulator.httpsUrl))
    busy.send(head('POST', uris.sessions, { 'Content-Type': 'application/json', 'Content-Length': 2 }), '{')
    const closed = emulator.close()
    // The idle one is told at once; the busy one still gets its answer after that.
    expect(await idle.ended()).toBe('')
    expect((await busy.send('}').answer()).status).toBe(400)
    await closed
  })
})

describe('a certificate that is given', () => {
  test('is the one that is shown', async () => {
    const { cert, tlsCert, tlsKey } = await pairFiles()
    const { emulator } = await startWire({ https: true, tlsCert, tlsKey })
    const shown = await certificateOf(portOf(emulator.httpsUrl))
    expect(shown.fingerprint256).toBe(new X509Certificate(cert).fingerprint256)
  })

  const start = (options: { readonly tlsCert?: string; readonly tlsKey?: string }): Promise<unknown> =>
    createEmulator(options).then((emulator) => onTestFinished(() => emulator.close()))

  test('must go with its key', async () => {
    const [one, other] = [await pairFiles(), await pairFiles()]
    await expect(start({ tlsCert: one.tlsCert, tlsKey: other.tlsKey })).rejects.toThrow(other.tlsKey)
  })

  test('must have a key', async () => {
    const { tlsCert } = await pairFiles()
    await expect(start({ tlsCert })).rejects.toThrow('tlsKey')
  })

  test('must be one, and be there', async () => {
    const { tlsCert, tlsKey } = await pairFiles()
    await expect(start({ tlsCert: tlsKey, tlsKey })).rejects.toThrow(tlsKey)
    await expect(start({ tlsCert: `${tlsCert}.missing`, tlsKey })).rejects.toThrow(`${tlsCert}.missing`)
  })
})
