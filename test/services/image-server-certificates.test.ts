import { describe, expect, test } from 'vitest'
import type { JsonObject } from '../../src/redfish/resource.ts'
import { uris } from '../../src/redfish/uris.ts'
import { identityOf } from '../../src/update/identity.ts'
import { certificateFor, createAuthority } from '../support/authority.ts'
import { startEmulator, type TestEmulator } from '../support/emulator.ts'
import { messageKeys } from '../support/multipart.ts'
import { validateBody } from '../support/schemas.ts'

const text = (value: unknown): string => (typeof value === 'string' ? value : '')
const post = ({ send }: TestEmulator, url: string, body: JsonObject) => send(url, { method: 'POST', body })
const link = (uri: string) => ({ '@odata.id': uri })
const memberCount = async ({ get }: TestEmulator, uri: string) => (await get(uri))['Members@odata.count']

describe.each([
  { collection: uris.remoteServerCertificates, uriOf: uris.remoteServerCertificate },
  { collection: uris.clientCertificates, uriOf: uris.clientCertificate },
  { collection: uris.trustAnchors, uriOf: uris.trustAnchor },
])('$collection', ({ collection, uriOf }) => {
  const add = (emulator: TestEmulator, CertificateString: string, CertificateType = 'PEM') =>
    post(emulator, collection, { CertificateString, CertificateType })

  test('takes a certificate, shows everything but its key, and lists it where certificates are', async () => {
    const emulator = await startEmulator()
    const { certificate, privateKey } = await certificateFor(['images.example'])
    const answer = await add(emulator, `${certificate}${privateKey}`)
    expect(answer).toMatchObject({ status: 201, headers: { location: uriOf('1') } })
    const shown = await emulator.get(uriOf('1'))
    expect(validateBody(shown)).toEqual([])
    expect(shown).toMatchObject({
      ...answer.json,
      CertificateString: certificate,
      CertificateType: 'PEM',
      Subject: { CommonName: 'images.example' },
      Issuer: { CommonName: 'Test authority' },
    })
    expect(JSON.stringify(shown)).not.toContain('PRIVATE')
    expect(await emulator.get(collection)).toMatchObject({ Members: [link(uriOf('1'))] })
    const { Links: links } = await emulator.get(uris.certificateLocations)
    expect(links).toMatchObject({ Certificates: expect.arrayContaining([link(uriOf('1'))]) })

    expect((await emulator.send(uriOf('1'), { method: 'DELETE' })).status).toBe(204)
    expect((await emulator.send(uriOf('1'))).status).toBe(404)
    expect(await emulator.get(uris.certificateLocations)).toMatchObject({
      Links: { 'Certificates@odata.count': 1 },
    })
  })

  test('takes a chain as a chain, in its order only', async () => {
    const emulator = await startEmulator()
    const { certificate, privateKey, authority } = await certificateFor(['images.example'])
    const chain = `${certificate}${authority.certificate}`
    const other = await createAuthority('Another')
    for (const refused of [
      await add(emulator, `${chain}${privateKey}`),
      await add(emulator, `${certificate}${other.certificate}${privateKey}`, 'PEMchain'),
    ]) {
      expect(refused.status).toBe(400)
      expect(messageKeys(refused.json)).toEqual(['PropertyValueError'])
    }
    expect((await add(emulator, `${chain}${privateKey}`, 'PEMchain')).status).toBe(201)
    expect(await emulator.get(uriOf('1'))).toMatchObject({
      CertificateString: chain,
      CertificateType: 'PEMchain',
    })
  })

  test('refuses what it has already', async () => {
    const emulator = await startEmulator()
    const { certificate, privateKey } = await certificateFor(['images.example'])
    await add(emulator, `${certificate}${privateKey}`)
    const again = await add(emulator, `${certificate}${privateKey}`, 'PEMchain')
    expect(again.status).toBe(400)
    expect(messageKeys(again.json)).toEqual(['ResourceAlreadyExists'])
    expect(await memberCount(emulator, collection)).toBe(1)
  })

  test('holds 32 certificates', async () => {
    const emulator = await startEmulator()
    const authority = await createAuthority()
    const addAnother = async () => {
      const { certificate, privateKey } = await certificateFor(['images.example'], authority)
      return add(emulator, `${certificate}${privateKey}`)
    }
    for (let number = 1; number <= 32; number++) expect((await addAnother()).status).toBe(201)
    const full = await addAnother()
    expect(full.status).toBe(503)
    expect(messageKeys(full.json)).toEqual(['CreateLimitReachedForResource'])
  })

  test('tells all that is wrong with a request at once, and repeats no certificate', async () => {
    const emulator = await startEmulator()
    const wrong = await post(emulator, collection, {
      CertificateString: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----',
      CertificateType: 'PKCS12',
      Bogus: true,
    })
    expect(wrong.status).toBe(400)
    expect(messageKeys(wrong.json).toSorted()).toEqual([
      'PropertyUnknown',
      'PropertyValueFormatError',
      'PropertyValueNotInList',
    ])
    expect(wrong.text).not.toContain('-----')
    expect(messageKeys((await post(emulator, collection, {})).json)).toEqual([
      'PropertyMissing',
      'PropertyMissing',
    ])
  })

  test('lets ReplaceCertificate put another in the place of one', async () => {
    const emulator = await startEmulator()
    const [old, next] = await Promise.all(
      ['old.example', 'new.example'].map((name) => certificateFor([name])),
    )
    await add(emulator, `${old?.certificate}${old?.privateKey}`)
    const replace = (uri: string, CertificateString: string) =>
      post(emulator, uris.action(uris.certificateService, 'CertificateService.ReplaceCertificate'), {
        CertificateUri: link(uri),
        CertificateString,
        CertificateType: 'PEM',
      })
    const replaced = await replace(uriOf('1'), `${next?.certificate}${next?.privateKey}`)
    expect(replaced).toMatchObject({ status: 204, headers: { location: uriOf('1') } })
    expect(await emulator.get(uriOf('1'))).toMatchObject({ CertificateString: next?.certificate })
    expect(await memberCount(emulator, collection)).toBe(1)
    const missing = await replace(uriOf('2'), `${old?.certificate}${old?.privateKey}`)
    expect(messageKeys(missing.json)).toEqual(['ActionParameterValueError'])
  })
})

describe('client certificates', () => {
  const add = (emulator: TestEmulator, CertificateString: string) =>
    post(emulator, uris.clientCertificates, { CertificateString, CertificateType: 'PEM' })
  const request = (emulator: TestEmulator, collection: string) =>
    post(emulator, uris.action(uris.certificateService, 'CertificateService.GenerateCSR'), {
      CertificateCollection: link(collection),
      CommonName: 'bmc.example',
    })

  test.each<[string, () => Promise<string>]>([
    ['without its key', async () => (await certificateFor(['x'])).certificate],
    [
      'with the key of another',
      async () => {
        const [one, other] = await Promise.all([certificateFor(['x']), certificateFor(['x'])])
        return `${one.certificate}${other.privateKey}`
      },
    ],
    [
      'that has expired by the clock of the manager',
      async () => {
        const yearsTo2026 = 6 * 365 + 2
        const { certificate, privateKey } = await certificateFor(['x'], undefined, yearsTo2026)
        return `${certificate}${privateKey}`
      },
    ],
  ])('are refused %s', async (_what, make) => {
    const emulator = await startEmulator()
    const answer = await add(emulator, await make())
    expect(answer.status).toBe(400)
    expect(messageKeys(answer.json)).toEqual(['PropertyValueError'])
    expect(await memberCount(emulator, uris.clientCertificates)).toBe(0)
  })

  test('are made for signing requests, whose keys never leave', async () => {
    const emulator = await startEmulator()
    const { json } = await request(emulator, uris.clientCertificates)
    expect(json['CertificateCollection']).toEqual(link(uris.clientCertificates))
    const authority = await createAuthority()
    const issued = await authority.issue(text(json['CSRString']))
    expect((await add(emulator, issued)).status).toBe(201)
    expect(identityOf(emulator.bmc).clientCertificate?.certificate).toBe(issued)
    // A certificate of a server is that server's to ask for.
    const refused = await request(emulator, uris.remoteServerCertificates)
    expect(messageKeys(refused.json)).toEqual(['ActionParameterValueError'])
  })
})
