import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { dirname, join, relative, resolve } from 'node:path'
import { connect, type TLSSocket } from 'node:tls'
import { describe, expect, onTestFinished, test } from 'vitest'
import { makeCertificate } from '../../src/http/certificate.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { uris } from '../../src/redfish/uris.ts'
import { createAuthority } from '../support/authority.ts'
import { basic } from '../support/emulator.ts'
import { head, RawClient, startWire, temporaryFolder, type Wire } from '../support/wire.ts'

const certificate = uris.httpsCertificate(uris.manager('1'))

async function tls({ emulator }: Wire): Promise<TLSSocket> {
  const { port } = new URL(emulator.httpsUrl ?? '')
  const socket = connect({ host: '127.0.0.1', port: Number(port), rejectUnauthorized: false })
  onTestFinished(() => void socket.destroy())
  await once(socket, 'secureConnect')
  return socket
}

const fingerprint = (socket: TLSSocket): string | undefined => socket.getPeerX509Certificate()?.fingerprint256

const shownFingerprint = async ({ get }: Wire): Promise<unknown> =>
  (await get(certificate)).json['Fingerprint']

async function replaceWith({ url }: Wire, pem: string): Promise<number> {
  const target = uris.action(uris.certificateService, 'CertificateService.ReplaceCertificate')
  const body = {
    CertificateUri: { '@odata.id': certificate },
    CertificateString: pem,
    CertificateType: 'PEM',
  }
  const answer = await fetch(`${url}${target}`, {
    method: 'POST',
    headers: { authorization: basic('admin'), 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  return answer.status
}

describe('the certificate that TLS shows', () => {
  test('is the one of the resource, whoever asks first', async () => {
    const [one, other] = [await startWire({ https: true }), await startWire({ https: true })]
    expect(fingerprint(await tls(one))).toBe(await shownFingerprint(one))
    const before = await shownFingerprint(other)
    expect(before).toMatch(/^([0-9A-F]{2}:)+[0-9A-F]{2}$/)
    expect(fingerprint(await tls(other))).toBe(before)
  })

  test('is replaced for those who come, and nobody who is there is cut off', async () => {
    const wire = await startWire({ https: true })
    const early = new RawClient(await tls(wire))
    expect((await early.send(head('GET', uris.root)).answer()).status).toBe(200)
    const { cert, key } = await makeCertificate(['replaced.example'], systemClock)
    expect(await replaceWith(wire, `${cert}${key}`)).toBe(204)
    expect(fingerprint(await tls(wire))).toBe(new X509Certificate(cert).fingerprint256)
    expect(await shownFingerprint(wire)).toBe(new X509Certificate(cert).fingerprint256)
    expect((await early.send(head('GET', uris.root)).answer()).status).toBe(200)
  })

  test('may be replaced before anybody came by TLS', async () => {
    const wire = await startWire({ https: true })
    const { cert, key } = await makeCertificate(['replaced.example'], systemClock)
    expect(await replaceWith(wire, `${cert}${key}`)).toBe(204)
    expect(fingerprint(await tls(wire))).toBe(new X509Certificate(cert).fingerprint256)
  })

  test('is still the same after a restart when it is one that was made', async () => {
    const data = await temporaryFolder()
    const before = await startWire({ https: true, data })
    const visit = await tls(before)
    const shown = fingerprint(visit)
    visit.destroy()
    await before.emulator.close()
    const after = await startWire({ https: true, data })
    expect(fingerprint(await tls(after))).toBe(shown)
    expect(await shownFingerprint(after)).toBe(shown)
  })

  test('is the given one after a restart, whatever was made before', async () => {
    const [data, folder] = [await temporaryFolder(), await temporaryFolder()]
    const before = await startWire({ https: true, data })
    await shownFingerprint(before)
    await before.emulator.close()
    const { cert, key } = await makeCertificate(['given.example'], systemClock)
    const [tlsCert, tlsKey] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
    await Promise.all([writeFile(tlsCert, cert), writeFile(tlsKey, key)])
    const after = await startWire({ https: true, data, tlsCert, tlsKey })
    expect(fingerprint(await tls(after))).toBe(new X509Certificate(cert).fingerprint256)
  })

  test('is still the replaced one after a restart', async () => {
    const data = await temporaryFolder()
    const { cert, key } = await makeCertificate(['replaced.example'], systemClock)
    const before = await startWire({ https: true, data })
    expect(await replaceWith(before, `${cert}${key}`)).toBe(204)
    await before.emulator.close()
    const after = await startWire({ https: true, data })
    expect(fingerprint(await tls(after))).toBe(new X509Certificate(cert).fingerprint256)
    expect(await shownFingerprint(after)).toBe(new X509Certificate(cert).fingerprint256)
  })

  test.each([
    ['its present key', 'Renew'],
    ['a key of its own', 'Rekey'],
  ])('is replaced by what was asked for before a restart, for %s', async (_what, action) => {
    const data = await temporaryFolder()
    const before = await startWire({ https: true, data })
    await tls(before)
    const answer = await fetch(before.url + uris.action(certificate, `Certificate.${action}`), {
      method: 'POST',
      headers: { authorization: basic('admin'), 'content-type': 'application/json' },
      body: '{}',
    })
    const { CSRString } = (await answer.json()) as { readonly CSRString: string }
    await before.emulator.close()
    const after = await startWire({ https: true, data })
    const authority = await createAuthority()
    const cert = await authority.issue(CSRString)
    expect(await replaceWith(after, cert)).toBe(204)
    expect(fingerprint(await tls(after))).toBe(new X509Certificate(cert).fingerprint256)
  })

  test('stays TLS 1.2 and up after it was replaced', async () => {
    const wire = await startWire({ https: true })
    await tls(wire)
    const { cert, key } = await makeCertificate(['replaced.example'], systemClock)
    await replaceWith(wire, `${cert}${key}`)
    const { port } = new URL(wire.emulator.httpsUrl ?? '')
    const old = connect({
      host: '127.0.0.1',
      port: Number(port),
      rejectUnauthorized: false,
      minVersion: 'TLSv1',
      maxVersion: 'TLSv1.1',
      ciphers: 'DEFAULT@SECLEVEL=0', // this side would speak it
    })
    onTestFinished(() => void old.destroy())
    await expect(once(old, 'secureConnect')).rejects.toThrow(/alert protocol version|protocol version/i)
  })
})

test('what makes certificates, signs and verifies is loaded by nobody before it is needed', () => {
  const source = resolve(import.meta.dirname, '../../src')
  const reached = new Set<string>()
  const reach = (file: string): void => {
    if (reached.has(file)) return
    reached.add(file)
    const imports = readFileSync(file, 'utf8').matchAll(
      /^(?:import|export) (?!type )[^;']*?from '(\.[^']+\.ts)'/gms,
    )
    for (const [, path = ''] of imports) reach(resolve(dirname(file), path))
  }
  for (const entry of ['main.ts', 'cli/program.ts', 'app.ts']) reach(join(source, entry))
  const heavy = [...reached].filter((file) =>
    /^import (?!type )[^;']*'(pkijs|asn1js)'/m.test(readFileSync(file, 'utf8')),
  )
  expect(reached.size).toBeGreaterThan(200)
  expect(heavy.map((file) => relative(source, file))).toEqual([])
})

test('ManagerNetworkProtocol tells the ports as they are', async () => {
  const wire = await startWire({ https: true })
  const { json } = await wire.get(uris.networkProtocol(uris.manager('1')))
  expect(json).toMatchObject({
    HTTP: { ProtocolEnabled: true, Port: Number(new URL(wire.url).port) },
    HTTPS: { ProtocolEnabled: true, Port: Number(new URL(wire.emulator.httpsUrl ?? '').port) },
  })
  const plain = await startWire()
  expect((await plain.get(uris.networkProtocol(uris.manager('1')))).json).toMatchObject({
    HTTPS: { ProtocolEnabled: false, Port: null },
  })
})
