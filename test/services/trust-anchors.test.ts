import { expect, test } from 'vitest'
import { loadMachine } from '../../src/bmc/mockup-folder.ts'
import { certificateOf } from '../../src/bmc/read-certificate.ts'
import { emptyTrustStore } from '../../src/bmc/trust-store.ts'
import { signCms } from '../../src/image/trust/sign.ts'
import { trustOf } from '../../src/image/trust/trust.ts'
import { verifySignature } from '../../src/image/trust/verify-signature.ts'
import { uris } from '../../src/redfish/uris.ts'
import { startEmulator, type TestEmulator } from '../support/emulator.ts'
import { messageKeys } from '../support/multipart.ts'
import { certify, createPki, derOf, makeKey, NOW, type Party } from '../support/pki.ts'

const { root, intermediate, signer } = createPki()
const content = Buffer.from('content')
const signing = { signed: { content }, signingTime: NOW }
const signedBy = ({ key, certificate }: Party) =>
  signCms({ ...signing, key, certificates: [certificate, intermediate.certificate] })
const judge = ({ bmc }: TestEmulator, bytes = signedBy(signer)) =>
  verifySignature({ form: 'cms', bytes, signed: { content } }, trustOf(bmc), NOW)
const untrusted = { ok: false, problem: { kind: 'untrusted' } }

test('a signer is trusted as long as its anchor is there', async () => {
  const emulator = await startEmulator()
  expect(await judge(emulator)).toMatchObject(untrusted)
  const body = { CertificateString: root.certificate, CertificateType: 'PEM' }
  const { headers } = await emulator.send(uris.trustAnchors, { method: 'POST', body })
  expect(await judge(emulator)).toMatchObject({ ok: true, value: { name: 'Signer' } })
  await emulator.send(String(headers['location']), { method: 'DELETE' })
  expect(await judge(emulator)).toMatchObject(untrusted)
})

test('the update service leads to its trust anchors, which begin with those that it was given', async () => {
  const anchors = [root, intermediate].map(({ certificate }) => certificateOf(certificate))
  const machine = { ...loadMachine('rackmount'), trustStore: { ...emptyTrustStore, anchors } }
  const emulator = await startEmulator({ machine })
  const members = [uris.trustAnchor('1'), uris.trustAnchor('2')].map((uri) => ({ '@odata.id': uri }))
  expect(await emulator.get(uris.updateService)).toMatchObject({
    Oem: { Redflash: { TrustAnchors: { '@odata.id': uris.trustAnchors } } },
  })
  expect(await emulator.get(uris.trustAnchors)).toMatchObject({ Members: members })
  const shown = await emulator.get(uris.trustAnchor('1'))
  expect(shown).toMatchObject({ CertificateString: root.certificate, Subject: { CommonName: 'Root' } })
  expect(shown).not.toHaveProperty('CertificateUsageTypes')

  expect((await emulator.send(uris.trustAnchor('1'), { method: 'DELETE' })).status).toBe(204)
  expect(await judge(emulator)).toMatchObject({ ok: true })
  await emulator.send(uris.trustAnchor('2'), { method: 'DELETE' })
  expect(await judge(emulator)).toMatchObject(untrusted)
})

const post = ({ send }: TestEmulator, CertificateString: string) =>
  send(uris.trustAnchors, { method: 'POST', body: { CertificateString, CertificateType: 'PEM' } })

test.each(['rsa', 'P-521', 'ed25519'] as const)('an anchor is shown whatever its key: %s', async (kind) => {
  const emulator = await startEmulator()
  const { certificate } = certify({ name: 'Anchor', key: makeKey(kind) })
  const { status, json } = await post(emulator, certificate)
  expect([status, json]).toMatchObject([201, { Subject: { CommonName: 'Anchor' } }])
})

test.each(['rsa-1024', 'secp256k1'] as const)(
  'a key that signs nothing is no anchor, and puts none out of its place: %s',
  async (kind) => {
    const emulator = await startEmulator()
    const { certificate } = certify({ name: 'Anchor', key: makeKey(kind) })
    const { status, json } = await post(emulator, certificate)
    expect([status, messageKeys(json)]).toEqual([400, ['PropertyValueError']])
    await post(emulator, root.certificate)
    const body = {
      CertificateString: certificate,
      CertificateType: 'PEM',
      CertificateUri: { '@odata.id': uris.trustAnchor('1') },
    }
    const replaced = await emulator.send(
      uris.action(uris.certificateService, 'CertificateService.ReplaceCertificate'),
      { method: 'POST', body },
    )
    expect([replaced.status, await judge(emulator)]).toMatchObject([400, { ok: true }])
  },
)

test('of a chain, only the first certificate is an anchor', async () => {
  const emulator = await startEmulator()
  const chain = [signer, intermediate, root].map(({ certificate }) => certificate)
  const body = { CertificateString: chain.join('\n'), CertificateType: 'PEMchain' }
  expect((await emulator.send(uris.trustAnchors, { method: 'POST', body })).status).toBe(201)
  expect(await judge(emulator)).toMatchObject({ ok: true, value: { name: 'Signer' } })
  const other = certify({ name: 'Other', issuer: intermediate })
  expect(await judge(emulator, signedBy(other))).toMatchObject(untrusted)

  // They still lead to an anchor.
  expect((await post(emulator, root.certificate)).status).toBe(201)
  const alone = signCms({ ...signing, key: other.key, certificates: [other.certificate] })
  expect(await judge(emulator, alone)).toMatchObject({ ok: true, value: { name: 'Other' } })
})

test.each(['A, B + O=C', ' a ', '#a', 'a\nO=b', 'a\\0A', 'ä€𝄞', 'a"<>;b', '\u0001'])(
  'an anchor is shown with its name: %j',
  async (name) => {
    const { json } = await post(await startEmulator(), certify({ name }).certificate)
    expect(json['Subject']).toEqual({ CommonName: name, DisplayString: expect.any(String) })
  },
)

test('what does not say when it is valid is no certificate', async () => {
  const emulator = await startEmulator()
  for (const date of ['250101000000Z', '350101000000Z']) {
    const der = derOf(root.certificate)
    der.write('259901', der.indexOf(date))
    const pem = `-----BEGIN CERTIFICATE-----\n${der.toString('base64')}\n-----END CERTIFICATE-----`
    const { status, json } = await post(emulator, pem)
    expect([status, messageKeys(json)]).toEqual([400, ['PropertyValueFormatError']])
  }
  expect(await emulator.get(uris.trustAnchors)).toMatchObject({ Members: [] })
})

test('what the machine and the folder say is revoked is revoked', async () => {
  const [one, other] = ['a'.repeat(64), 'b'.repeat(64)]
  const loaded = loadMachine('rackmount')
  const machine = {
    ...loaded,
    trust: { ...loaded.trust, revokedDigests: [one] },
    trustStore: { ...emptyTrustStore, revokedDigests: new Set([other]) },
  }
  const { bmc } = await startEmulator({ machine })
  expect(trustOf(bmc).revokedDigests).toEqual(new Set([one, other]))
})
