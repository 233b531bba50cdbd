import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import type { Machine } from '../../src/bmc/machine.ts'
import { emptyTrustStore } from '../../src/bmc/trust-store.ts'
import { uris } from '../../src/redfish/uris.ts'
import { startEmulator, type TestEmulator } from '../support/emulator.ts'
import { bundleOf } from '../support/images.ts'
import { certify, createPki, makeKey, publicKeyOf } from '../support/pki.ts'
import { messageKeys } from '../support/multipart.ts'
import { imageOf, signAs } from '../support/signed-images.ts'
import { LONG_MS, messageArgs, reset, untilInstalled, update } from '../support/updates.ts'

const NIC_1 = uris.firmware('NIC-1')
const nic = { 'NIC-1': '22.42.1' }
const { root, intermediate, signer } = createPki()
const stranger = certify({ name: 'Stranger' })
const sign = signAs(signer, intermediate)
const trust = (unsigned: Machine['trust']['unsigned']) => ({ trust: { unsigned, revokedDigests: [] } })
const refused = ['UpdateInProgress', 'VerificationFailed']
const done = [...untilInstalled.slice(3), 'ApplyingOnComponent', 'UpdateSuccessful']

async function anchor({ send }: TestEmulator, { certificate }: typeof root): Promise<string> {
  const answer = await send(uris.trustAnchors, {
    method: 'POST',
    body: { CertificateString: certificate, CertificateType: 'PEM' },
  })
  expect(answer.status).toBe(201)
  return answer.headers['location'] as string
}

describe('an image that nobody signed', () => {
  test.each([
    ['refuse', [...refused, 'ImageNotSigned'], 'Exception', 'Critical', '22.41.1000'],
    [
      'warn',
      ['UpdateInProgress', 'ImageNotSigned', 'TargetDetermined', 'AllTargetsDetermined', ...done],
      'Completed',
      'Warning',
      '22.42.1',
    ],
    [
      'accept',
      ['UpdateInProgress', 'TargetDetermined', 'AllTargetsDetermined', ...done],
      'Completed',
      'OK',
      '22.42.1',
    ],
  ] as const)('under the policy to %s', async (...row) => {
    const [unsigned, expected, TaskState, TaskStatus, Version] = row
    const emulator = await startEmulator({ adapted: trust(unsigned) })
    const { task, keys } = await update(emulator, await bundleOf(nic), { ForceUpdate: true })
    expect(keys).toEqual(expected)
    expect(task).toMatchObject({ TaskState, TaskStatus })
    expect(await emulator.get(NIC_1)).toMatchObject({ Version })
  })
})

describe('an image that is signed', () => {
  test('by somebody whom an anchor vouches for is installed, and its signer is remembered', async () => {
    const emulator = await startEmulator({ adapted: trust('refuse') })
    await anchor(emulator, root)
    const { task, keys } = await update(emulator, await imageOf(nic, { sign }))
    expect(keys).toContain('UpdateSuccessful')
    expect(messageArgs(task, 'ImageSigned')).toEqual(['update.tar', 'Signer'])
    expect(await emulator.get(NIC_1)).toMatchObject({ Version: '22.42.1' })
    const { Versions } = await emulator.get(uris.firmwareHistory('NIC-1'))
    expect(Versions).toMatchObject([{}, { Version: '22.42.1', Signer: 'Signer' }])
  })

  test('is refused once its anchor is gone', async () => {
    const emulator = await startEmulator()
    const location = await anchor(emulator, root)
    await emulator.send(location, { method: 'DELETE' })
    const { task, keys } = await update(emulator, await imageOf(nic, { sign }))
    expect(keys).toEqual([...refused, 'SignerNotTrusted'])
    expect(messageArgs(task, 'SignerNotTrusted')?.slice(0, 2)).toEqual(['update.tar', 'Signer'])
  })

  test('by a stranger is refused whatever the policy is about those that are not signed', async () => {
    const emulator = await startEmulator({ adapted: trust('accept') })
    await anchor(emulator, root)
    const { keys, monitor } = await update(emulator, await imageOf(nic, { sign: signAs(stranger) }), {
      ForceUpdate: true,
    })
    expect({ keys, monitor }).toEqual({ keys: [...refused, 'SignerNotTrusted'], monitor: 400 })
    expect(await emulator.get(NIC_1)).toMatchObject({ Version: '22.41.1000' })
  })

  test('in two ways is refused for the first that is wrong: the other is not looked at', async () => {
    const emulator = await startEmulator()
    const key = { name: 'nobody', pem: makeKey('ed25519') }
    const { keys } = await update(emulator, await imageOf(nic, { sign: signAs(stranger), key }))
    expect(keys).toEqual([...refused, 'SignerNotTrusted'])
  })

  test('and was changed afterwards is refused', async () => {
    const emulator = await startEmulator()
    await anchor(emulator, root)
    const { keys } = await update(emulator, await imageOf(nic, { sign, defect: 'signature' }))
    expect(keys).toEqual([...refused, 'SignatureInvalid'])
  })

  test('by a key that is known by its name is installed', async () => {
    const pem = makeKey('ed25519')
    const keys = new Map([['release', publicKeyOf(pem)]])
    const trustStore = { ...emptyTrustStore, keys }
    const emulator = await startEmulator({ adapted: { ...trust('refuse'), trustStore } })
    const image = await imageOf(nic, { key: { name: 'release', pem } })
    const { task } = await update(emulator, image)
    expect(messageArgs(task, 'ImageSigned')).toEqual(['update.tar', 'release'])
    expect(await emulator.get(NIC_1)).toMatchObject({ Version: '22.42.1' })
    const other = await imageOf({ 'NIC-1': '22.43.0' }, { key: { name: 'release', pem: makeKey('ed25519') } })
    expect((await update(emulator, other)).keys).toEqual([...refused, 'SignatureInvalid'])
  })
})

describe('a digest that was revoked', () => {
  const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')

  test('of a whole image, or of a component in it, keeps that from being installed', async () => {
    const image = await bundleOf(nic)
    const component = await startEmulator().then(async (emulator) => {
      await update(emulator, image)
      return emulator.bmc.state.history.get('NIC-1')?.at(-1)?.sha256 ?? ''
    })
    for (const digest of [sha256(image), component]) {
      const emulator = await startEmulator({
        adapted: { trust: { unsigned: 'accept', revokedDigests: [digest] } },
      })
      const { keys } = await update(emulator, image, { ForceUpdate: true })
      expect(keys).toEqual([...refused, 'ImageRevoked'])
      expect((await update(emulator, await bundleOf({ 'NIC-1': '22.43.0' }))).keys).toContain(
        'UpdateSuccessful',
      )
    }
  })
})

describe('a security version', () => {
  const secured = (version: string, securityVersion?: number) =>
    bundleOf({ 'NIC-1': version }, { ...(securityVersion !== undefined && { securityVersion }) })

  test('never goes back, not even by force and not after a roll-back', async () => {
    const emulator = await startEmulator()
    await update(emulator, await secured('22.43.0', 3))
    for (const [version, number] of [
      ['22.42.0', 2],
      ['22.44.0', 2],
      ['22.44.0', undefined],
    ] as const) {
      const { task, keys } = await update(emulator, await secured(version, number), { ForceUpdate: true })
      expect(keys).toContain('UpdateSkippedVersionTooLow')
      expect(messageArgs(task, 'SecurityVersionTooLow')?.slice(2)).toEqual([String(number ?? 'none'), '3'])
    }
    const { keys } = await update(emulator, await secured('22.42.0', 3), { ForceUpdate: true })
    expect(keys).toContain('UpdateSuccessful')
  })

  test('keeps the image of the second bank from coming back that is below it', async () => {
    const emulator = await startEmulator({ speed: 'max' })
    const bios = async (version: string, securityVersion: number): Promise<void> => {
      await update(emulator, await bundleOf({ BIOS: version }, { securityVersion }))
      await reset(emulator, uris.system('1'), 'ForceRestart')
      await emulator.clock.advance(LONG_MS)
    }
    const activate = async (version: string) => {
      const item = uris.firmware(`BIOS-${version}`)
      return emulator.send(uris.action(item, 'SoftwareInventory.Activate'), { method: 'POST', body: {} })
    }
    await bios('1.9.0', 1)
    const below = await activate('1.8.0')
    expect(below.status).toBe(400)
    expect(messageKeys(below.json)).toEqual(['UpdateSkippedVersionTooLow'])
    await bios('1.10.0', 1)
    expect((await activate('1.9.0')).status).toBe(202)
  })
})

describe('a digest that the client announced', () => {
  const announce = (ImageSHA256: string) => ({ Oem: { Redflash: { ImageSHA256 } } })
  const digestOf = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')

  test('lets the image pass that has it, however it is written', async () => {
    const image = await bundleOf(nic)
    const emulator = await startEmulator()
    const { keys } = await update(emulator, image, announce(digestOf(image).toUpperCase()))
    expect(keys).toContain('UpdateSuccessful')
  })

  test('keeps any other from being looked at', async () => {
    const image = await bundleOf(nic)
    const emulator = await startEmulator()
    const wrong = digestOf(Buffer.from('another'))
    const { task, keys, monitor } = await update(emulator, image, announce(wrong))
    expect({ keys, monitor }).toEqual({ keys: [...refused, 'AnnouncedDigestMismatch'], monitor: 400 })
    expect(messageArgs(task, 'AnnouncedDigestMismatch')).toEqual(['update.tar', 'ImageSHA256'])
  })

  test.each([
    ['no digest', { ImageSHA256: 'abc' }, 'PropertyValueFormatError'],
    ['a number', { ImageSHA256: 1 }, 'PropertyValueTypeError'],
    ['a member that nobody knows', { ImageMD5: 'abc' }, 'PropertyUnknown'],
  ])('is refused with the request where it is %s', async (_what, Redflash, key) => {
    const emulator = await startEmulator()
    await expect(update(emulator, await bundleOf(nic), { Oem: { Redflash } })).rejects.toThrow(key)
  })

  test('leaves alone what other vendors have to say', async () => {
    const emulator = await startEmulator()
    const { keys } = await update(emulator, await bundleOf(nic), { Oem: { Contoso: { ImageSHA256: 1 } } })
    expect(keys).toContain('UpdateSuccessful')
  })
})
