import { expect, test } from 'vitest'
import { loadMachine } from '../../src/bmc/mockup-folder.ts'
import { certificateOf } from '../../src/bmc/read-certificate.ts'
import { emptyTrustStore } from '../../src/bmc/trust-store.ts'
import { signCms } from '../../src/image/trust/sign.ts'
import { trustOf } from '../../src/image/trust/trust.ts'
import { verifySignature } from '../../src/image/trust/verify-signature.ts'
import { uris } from '../../src/redfish/uris.ts'
import { startEmulator, type TestEmulator } from '../support/emulator.ts'
import { createPki, NOW } from '../support/pki.ts'

const { root, intermediate, signer } = createPki()
const content = Buffer.from('content')
const bytes = signCms({
  signed: { content },
  key: signer.key,
  certificates: [signer.certificate, intermediate.certificate],
  signingTime: NOW,
})
const judge = ({ bmc }: TestEmulator) =>
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
