import { createHash, verify, X509Certificate } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { commit } from '../../src/bmc/commit.ts'
import { findComponent } from '../../src/bmc/bmc.ts'
import type { JsonObject } from '../../src/redfish/resource.ts'
import { uris } from '../../src/redfish/uris.ts'
import { startEmulator, type TestEmulator } from '../support/emulator.ts'
import { bundleOf } from '../support/images.ts'
import { messageKeys } from '../support/multipart.ts'
import { update } from '../support/updates.ts'

const NIC = uris.componentIntegrity('NIC-1')
const NIC_ROT = uris.trustedComponent(uris.chassisMember('1'), 'NIC-1-RoT')
const SIGNED = 'ComponentIntegrity.SPDMGetSignedMeasurements'
const NONCE = '00112233445566778899aabbccddeeff'.repeat(2)
const SIGNATURE_BYTES = 64
/** GET_VERSION to ALGORITHMS, which come before the first request for measurements. */
const VCA_BYTES = 4 + 8 + 20 + 20 + 32 + 36

function ask({ send }: TestEmulator, body: JsonObject = {}, uri = NIC) {
  return send(uris.action(uri, SIGNED), { method: 'POST', body })
}

async function talkOf(emulator: TestEmulator, body: JsonObject): Promise<Buffer> {
  const { status, json } = await ask(emulator, body)
  expect({ status, ...json }).toMatchObject({
    status: 200,
    Version: '1.2',
    HashingAlgorithm: 'TPM_ALG_SHA_256',
    SigningAlgorithm: 'TPM_ALG_ECDSA_ECC_NIST_P256',
    Certificate: { '@odata.id': uris.trustedCertificate(NIC_ROT) },
  })
  return Buffer.from(json['SignedMeasurements'] as string, 'base64')
}

/** As DSP0274 1.2 has it verified: with the certificate that is shown, over all that was said. */
async function isSigned({ get }: TestEmulator, talk: Buffer): Promise<boolean> {
  const { CertificateString } = await get(uris.trustedCertificate(NIC_ROT))
  const { publicKey } = new X509Certificate(CertificateString as string)
  const said = createHash('sha256').update(talk.subarray(0, -SIGNATURE_BYTES)).digest()
  const prefix = `${'dmtf-spdm-v1.2.*'.repeat(4)}\0\0\0\0\0\0responder-measurements signing`
  const data = Buffer.concat([Buffer.from(prefix), said])
  expect(prefix).toHaveLength(100)
  const key = { key: publicKey, dsaEncoding: 'ieee-p1363' } as const
  return verify('sha256', data, key, talk.subarray(-SIGNATURE_BYTES))
}

/** The requests for measurements and their responses, as bytes tell them. */
function exchanges(talk: Buffer) {
  const found: { asked: number; nonce: string | undefined; total: number; blocks: Map<number, Buffer> }[] = []
  let at = VCA_BYTES
  while (at < talk.length) {
    expect([talk[at], talk[at + 1]]).toEqual([0x12, 0xe0])
    const isLast = talk[at + 2] === 1
    const asked = talk[at + 3] ?? -1
    const nonce = isLast ? talk.subarray(at + 4, at + 36).toString('hex') : undefined
    at += isLast ? 37 : 4
    expect([talk[at], talk[at + 1]]).toEqual([0x12, 0x60])
    const [total = 0, count = 0] = [talk[at + 2], talk[at + 4]]
    const record = talk.subarray(at + 8, at + 8 + talk.readUIntLE(at + 5, 3))
    const blocks = new Map<number, Buffer>()
    for (let from = 0; from < record.length; from += 4 + record.readUInt16LE(from + 2))
      blocks.set(record[from] ?? -1, record.subarray(from + 7, from + 7 + record.readUInt16LE(from + 5)))
    expect(blocks.size).toBe(count)
    found.push({ asked, nonce, total, blocks })
    at += 8 + record.length + 32 + 2 + (isLast ? SIGNATURE_BYTES : 0)
  }
  expect(at).toBe(talk.length)
  return found
}

describe('signed measurements', () => {
  test('are signed by the key of the certificate that is shown, and by no other', async () => {
    const emulator = await startEmulator()
    const talk = await talkOf(emulator, { Nonce: NONCE })
    expect(await isSigned(emulator, talk)).toBe(true)
    for (const at of [0, VCA_BYTES + 4, talk.length - SIGNATURE_BYTES - 40]) {
      const other = Buffer.from(talk)
      other.writeUInt8((talk[at] ?? 0) ^ 1, at)
      expect(await isSigned(emulator, other)).toBe(false)
    }
  })

  test('hold all that is measured, and the nonce of the request', async () => {
    const emulator = await startEmulator()
    await update(emulator, await bundleOf({ 'NIC-1': '22.42.1' }))
    const [first, ...more] = exchanges(await talkOf(emulator, { Nonce: NONCE }))
    expect(more).toEqual([])
    expect({ asked: first?.asked, nonce: first?.nonce }).toEqual({ asked: 255, nonce: NONCE })
    const { sha256 = '' } = findComponent(emulator.bmc, 'NIC-1')?.now ?? {}
    expect([...(first?.blocks ?? [])].map(([index, value]) => [index, value.toString('hex')])).toEqual([
      [1, sha256],
      [2, Buffer.from('22.42.1').toString('hex')],
      [3, '0000000000000000'],
    ])
  })

  test('are asked for one by one, the last answer signed for all', async () => {
    const emulator = await startEmulator()
    const talk = await talkOf(emulator, { MeasurementIndices: [0, 2, 1], Nonce: NONCE })
    expect(await isSigned(emulator, talk)).toBe(true)
    expect(
      exchanges(talk).map(({ asked, nonce, total, blocks }) => ({
        asked,
        nonce,
        total,
        blocks: [...blocks.keys()],
      })),
    ).toEqual([
      { asked: 0, nonce: undefined, total: 3, blocks: [] },
      { asked: 2, nonce: undefined, total: 0, blocks: [2] },
      { asked: 1, nonce: NONCE, total: 0, blocks: [1] },
    ])
  })

  test('have a nonce of their own where the client gives none', async () => {
    const emulator = await startEmulator()
    const nonces: (string | undefined)[] = []
    for (let i = 0; i < 2; i++) nonces.push(exchanges(await talkOf(emulator, {}))[0]?.nonce)
    expect(new Set(nonces).size).toBe(2)
  })

  test('stay of one key, which others of the machine do not have', async () => {
    const emulator = await startEmulator()
    const nic = await emulator.get(uris.trustedCertificate(NIC_ROT))
    const bmc = uris.trustedComponent(uris.chassisMember('1'), 'BMC-RoT')
    await ask(emulator)
    expect((await emulator.get(uris.trustedCertificate(NIC_ROT)))['Fingerprint']).toBe(nic['Fingerprint'])
    const other = await emulator.get(uris.trustedCertificate(bmc))
    expect(other['Fingerprint']).not.toBe(nic['Fingerprint'])
    expect(nic).toMatchObject({ Subject: { CommonName: 'NIC-1' }, CertificateUsageTypes: ['Device'] })
    expect(JSON.stringify([nic, other])).not.toContain('PRIVATE KEY')
  })

  test.each<[string, JsonObject, string]>([
    ['an index that nothing is measured under', { MeasurementIndices: [4] }, 'ActionParameterValueNotInList'],
    ['all, and one of them', { MeasurementIndices: [255, 1] }, 'ActionParameterValueNotInList'],
    ['a slot without a certificate', { SlotId: 1 }, 'ActionParameterValueNotInList'],
    ['half a nonce', { Nonce: NONCE.slice(32) }, 'ActionParameterValueFormatError'],
  ])('are refused for %s', async (_what, body, key) => {
    const emulator = await startEmulator()
    const { status, json } = await ask(emulator, body)
    expect({ status, keys: messageKeys(json) }).toEqual({ status: 400, keys: [key] })
  })

  test.each<[string, (emulator: TestEmulator) => unknown]>([
    [
      'the protocol is forbidden',
      ({ send }) => send(NIC, { method: 'PATCH', body: { ComponentIntegrityEnabled: false } }),
    ],
    [
      'nothing runs that could answer',
      ({ bmc }) => {
        const component = findComponent(bmc, 'NIC-1')
        if (component) commit(bmc, { components: [['NIC-1', { ...component.now, health: 'Critical' }]] })
      },
    ],
  ])('are not offered where %s', async (_why, prepare) => {
    const emulator = await startEmulator()
    const offered = async () => Object.keys((await emulator.get(NIC))['Actions'] ?? {})
    expect(await offered()).toEqual([`#${SIGNED}`])
    await prepare(emulator)
    expect(await offered()).toEqual([])
    expect((await ask(emulator)).status).toBe(404)
  })

  test('are not for those who may only look', async () => {
    const { send } = await startEmulator()
    expect((await send(uris.action(NIC, SIGNED), { method: 'POST', body: {}, user: 'reader' })).status).toBe(
      403,
    )
  })
})
