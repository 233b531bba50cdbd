import { X509Certificate } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { makeCertificate } from '../../src/http/certificate.ts'
import { VirtualClock } from '../../src/lib/clock.ts'
import type { JsonObject } from '../../src/redfish/resource.ts'
import { uris } from '../../src/redfish/uris.ts'
import { createAuthority, readRequest } from '../support/authority.ts'
import { startEmulator, type TestEmulator } from '../support/emulator.ts'
import { messageKeys } from '../support/multipart.ts'
import { validateBody } from '../support/schemas.ts'

const manager = uris.manager('1')
const text = (value: unknown): string => (typeof value === 'string' ? value : '')
const certificate = uris.httpsCertificate(manager)
const collection = uris.httpsCertificates(manager)
const action = (name: string): string => uris.action(uris.certificateService, `CertificateService.${name}`)

const generate = ({ send }: TestEmulator, parameters: JsonObject, user = 'admin') =>
  send(action('GenerateCSR'), {
    method: 'POST',
    user,
    body: { CertificateCollection: { '@odata.id': collection }, CommonName: 'bmc.example', ...parameters },
  })

const replace = ({ send }: TestEmulator, CertificateString: string, more: JsonObject = {}) =>
  send(action('ReplaceCertificate'), {
    method: 'POST',
    body: {
      CertificateUri: { '@odata.id': certificate },
      CertificateString,
      CertificateType: 'PEM',
      ...more,
    },
  })

const csrOf = ({ json }: { readonly json: JsonObject }): string => text(json['CSRString'])
const pemOf = async ({ get }: TestEmulator): Promise<string> =>
  text((await get(certificate))['CertificateString'])

describe('the HTTPS certificate', () => {
  test('is made when first asked for, and shown with everything but its key', async () => {
    const emulator = await startEmulator()
    const shown = await emulator.get(certificate)
    expect(validateBody(shown)).toEqual([])
    const x509 = new X509Certificate(await pemOf(emulator))
    expect(shown).toMatchObject({
      CertificateType: 'PEM',
      Subject: { CommonName: 'localhost', AlternativeNames: ['localhost'] },
      Issuer: { CommonName: 'localhost' },
      Fingerprint: x509.fingerprint256,
      KeyUsage: ['ServerAuthentication'],
    })
    expect(text(shown['SerialNumber']).replaceAll(':', '')).toBe(x509.serialNumber)
    expect(Date.parse(text(shown['ValidNotAfter']))).toBe(x509.validToDate.getTime())
    expect(JSON.stringify(shown)).not.toContain('PRIVATE')
    expect(await emulator.get(certificate)).toEqual(shown)
  })

  test.each([`${collection}?$expand=.`, `${uris.networkProtocol(manager)}?$expand=*($levels=2)`])(
    'is made when first shown within another resource: %s',
    async (url) => {
      const emulator = await startEmulator()
      const { status, text: shown } = await emulator.send(url)
      expect(status).toBe(200)
      expect(shown).toContain(JSON.stringify(await emulator.get(certificate)))
    },
  )

  test('is not made for somebody who looks at something else', async () => {
    const { send, bmc } = await startEmulator()
    await send(`${uris.root}?$expand=.($levels=2)`)
    expect(bmc.state.network.certificate).toBeUndefined()
  })

  test('is found from the service root, and is the only one', async () => {
    const { get } = await startEmulator()
    const root = await get(`${uris.root}/`)
    expect(root['CertificateService']).toEqual({ '@odata.id': uris.certificateService })
    expect(await get(uris.certificateLocations)).toMatchObject({
      Links: { Certificates: [{ '@odata.id': certificate }], 'Certificates@odata.count': 1 },
    })
    expect(await get(collection)).toMatchObject({ Members: [{ '@odata.id': certificate }] })
  })

  test('below another manager is not there', async () => {
    const { send } = await startEmulator({ machine: 'bladed' })
    expect((await send(uris.httpsCertificate(uris.manager('Blade1BMC')))).status).toBe(404)
  })
})

describe('GenerateCSR', () => {
  test('answers a request signed by a new key, with names and usages as asked for', async () => {
    const emulator = await startEmulator()
    const answer = await generate(emulator, {
      AlternativeNames: ['bmc', '192.0.2.7'],
      Organization: 'Example',
      OrganizationalUnit: 'Lab',
      City: 'Köln',
      State: 'NRW',
      Country: 'DE',
      Email: 'lab@example.com',
      KeyUsage: ['DigitalSignature', 'KeyCertSign', 'DecipherOnly', 'ServerAuthentication'],
      ChallengePassword: 'secret',
    })
    expect(answer.status).toBe(200)
    expect(answer.json['CertificateCollection']).toEqual({ '@odata.id': collection })
    expect(answer.text).not.toContain('PRIVATE')
    const authority = await createAuthority()
    expect((await replace(emulator, await authority.issue(csrOf(answer)))).status).toBe(204)
    expect(await emulator.get(certificate)).toMatchObject({
      Subject: {
        CommonName: 'bmc.example',
        Organization: 'Example',
        OrganizationalUnit: 'Lab',
        City: 'Köln',
        State: 'NRW',
        Country: 'DE',
        Email: 'lab@example.com',
        AlternativeNames: ['bmc.example', 'bmc', '192.0.2.7'],
      },
      Issuer: { CommonName: 'Test authority' },
      KeyUsage: ['ServerAuthentication'],
    })
  })

  test.each<[JsonObject, string, JsonObject]>([
    [{}, 'ec', { namedCurve: 'prime256v1' }],
    [
      { KeyPairAlgorithm: 'TPM_ALG_ECDSA', KeyCurveId: 'TPM_ECC_NIST_P384' },
      'ec',
      { namedCurve: 'secp384r1' },
    ],
    [{ KeyPairAlgorithm: 'TPM_ALG_RSA' }, 'rsa', { modulusLength: 2048 }],
    [{ KeyBitLength: 3072 }, 'rsa', { modulusLength: 3072 }],
  ])('makes the key that %j asks for', async (parameters, type, details) => {
    const emulator = await startEmulator()
    const authority = await createAuthority()
    const issued = await authority.issue(csrOf(await generate(emulator, parameters)))
    const { publicKey } = new X509Certificate(issued)
    expect(publicKey.asymmetricKeyType).toBe(type)
    expect(publicKey.asymmetricKeyDetails).toMatchObject(details)
    expect((await replace(emulator, issued)).status).toBe(204)
  })

  test.each<[string, JsonObject, string]>([
    ['no name', { CommonName: undefined }, 'ActionParameterMissing'],
    ['a country that is none', { Country: 'Germany' }, 'ActionParameterValueFormatError'],
    [
      'another collection',
      { CertificateCollection: { '@odata.id': uris.sessions } },
      'ActionParameterValueError',
    ],
    ['an unknown algorithm', { KeyPairAlgorithm: 'TPM_ALG_AES' }, 'ActionParameterValueNotInList'],
    [
      'a curve for RSA',
      { KeyPairAlgorithm: 'TPM_ALG_RSA', KeyCurveId: 'TPM_ECC_NIST_P256' },
      'ActionParameterValueError',
    ],
    [
      'a length for a curve',
      { KeyPairAlgorithm: 'TPM_ALG_ECDSA', KeyBitLength: 2048 },
      'ActionParameterValueError',
    ],
    ['a usage that is none', { KeyUsage: ['Everything'] }, 'ActionParameterValueNotInList'],
    ['what it does not know', { Colour: 'blue' }, 'ActionParameterUnknown'],
  ])('refuses %s', async (_what, parameters, key) => {
    const { status, json } = await generate(await startEmulator(), parameters)
    expect(status).toBe(400)
    expect(messageKeys(json)).toContain(key)
  })

  test('is for who configures the manager', async () => {
    expect((await generate(await startEmulator(), {}, 'reader')).status).toBe(403)
  })
})

describe('ReplaceCertificate', () => {
  test('takes a certificate with its key, and never shows the key', async () => {
    const emulator = await startEmulator()
    const { cert, key } = await makeCertificate(['other.example'], new VirtualClock())
    const answer = await replace(emulator, `${cert}${key}`)
    expect(answer.status).toBe(204)
    expect(answer.headers['location']).toBe(certificate)
    expect(new X509Certificate(await pemOf(emulator)).fingerprint256).toBe(
      new X509Certificate(cert).fingerprint256,
    )
    expect((await emulator.send(certificate)).text).not.toContain('PRIVATE')
  })

  test('takes a chain as a chain, in its order only', async () => {
    const emulator = await startEmulator()
    const authority = await createAuthority()
    const issued = await authority.issue(csrOf(await generate(emulator, {})))
    const chain = `${issued}${authority.certificate}`
    expect((await replace(emulator, chain)).status).toBe(400)
    const other = await createAuthority('Another')
    expect(
      (await replace(emulator, `${issued}${other.certificate}`, { CertificateType: 'PEMchain' })).status,
    ).toBe(400)
    expect((await replace(emulator, chain, { CertificateType: 'PEMchain' })).status).toBe(204)
    expect(await emulator.get(certificate)).toMatchObject({
      CertificateType: 'PEMchain',
      CertificateString: chain,
    })
  })

  test('refuses what has expired by the clock of the manager', async () => {
    const emulator = await startEmulator()
    const authority = await createAuthority()
    const csr = csrOf(await generate(emulator, {}))
    const yearsTo2026 = 6 * 365 + 2
    const expired = await replace(emulator, await authority.issue(csr, yearsTo2026))
    expect(expired.status).toBe(400)
    expect((await replace(emulator, await authority.issue(csr, yearsTo2026 + 1))).status).toBe(204)
  })

  test.each<[string, () => Promise<[string, JsonObject]>, string]>([
    ['no certificate', async () => ['hello', {}], 'ActionParameterValueFormatError'],
    [
      'what only looks like one',
      async () => ['-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----', {}],
      'ActionParameterValueFormatError',
    ],
    [
      'one without its key',
      async () => [(await makeCertificate(['x'], new VirtualClock())).cert, {}],
      'ActionParameterValueError',
    ],
    [
      'one with the key of another',
      async () => {
        const [one, other] = await Promise.all([1, 2].map(() => makeCertificate(['x'], new VirtualClock())))
        return [`${one?.cert}${other?.key}`, {}]
      },
      'ActionParameterValueError',
    ],
    ['another format', async () => ['hello', { CertificateType: 'PKCS12' }], 'ActionParameterValueNotInList'],
    [
      'another resource',
      async () => ['hello', { CertificateUri: { '@odata.id': uris.sessions } }],
      'ActionParameterValueError',
    ],
  ])('refuses %s, repeats none of it and keeps the old one', async (_what, make, key) => {
    const emulator = await startEmulator()
    const before = await pemOf(emulator)
    const [pem, more] = await make()
    const answer = await replace(emulator, pem, more)
    expect(answer.status).toBe(400)
    expect(messageKeys(answer.json)).toEqual([key])
    expect(answer.text).not.toContain('-----')
    expect(await pemOf(emulator)).toBe(before)
  })
})

describe('the present certificate', () => {
  const again = ({ send }: TestEmulator, name: string, body: JsonObject = {}) =>
    send(uris.action(certificate, `Certificate.${name}`), { method: 'POST', body })

  test('is renewed with its key', async () => {
    const emulator = await startEmulator()
    const old = new X509Certificate(await pemOf(emulator))
    const answer = await again(emulator, 'Renew')
    expect(answer.json['Certificate']).toEqual({ '@odata.id': certificate })
    const authority = await createAuthority()
    expect((await replace(emulator, await authority.issue(csrOf(answer)))).status).toBe(204)
    const renewed = new X509Certificate(await pemOf(emulator))
    expect(renewed.publicKey.equals(old.publicKey)).toBe(true)
    expect([renewed.subject, renewed.subjectAltName]).toEqual([old.subject, old.subjectAltName])
    expect(renewed.issuer).not.toBe(old.issuer)
  })

  test('is renewed with another key', async () => {
    const emulator = await startEmulator()
    const old = new X509Certificate(await pemOf(emulator))
    const answer = await again(emulator, 'Rekey', { KeyPairAlgorithm: 'TPM_ALG_RSA' })
    const authority = await createAuthority()
    expect((await replace(emulator, await authority.issue(csrOf(answer)))).status).toBe(204)
    const renewed = new X509Certificate(await pemOf(emulator))
    expect(renewed.publicKey.asymmetricKeyType).toBe('rsa')
    expect(renewed.subject).toBe(old.subject)
  })

  test('keeps the keys of the last eight requests', async () => {
    const emulator = await startEmulator()
    const requests: string[] = []
    for (let count = 0; count < 9; count++) requests.push(csrOf(await generate(emulator, {})))
    const [first = '', second = ''] = requests
    const authority = await createAuthority()
    expect(readRequest(first).subject.typesAndValues).toHaveLength(1)
    expect((await replace(emulator, await authority.issue(first))).status).toBe(400)
    expect((await replace(emulator, await authority.issue(second))).status).toBe(204)
  })
})
