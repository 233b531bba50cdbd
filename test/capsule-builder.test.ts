import { hash } from 'node:crypto'
import { buffer } from 'node:stream/consumers'
import { describe, expect, test } from 'vitest'
import type { ComponentOrder, ImageOrder } from '../src/image/build/builder.ts'
import { capsuleDefects } from '../src/image/build/capsule-defects.ts'
import { capsuleBuilder } from '../src/image/build/capsule.ts'
import { capsule } from '../src/image/formats/capsule.ts'
import type { HashName, ImageContents } from '../src/image/image-format.ts'
import { signCms } from '../src/image/trust/sign.ts'
import { verifySignature } from '../src/image/trust/verify-signature.ts'
import { type VersionFormat, versionNumber, versionText } from '../src/image/layouts/version-number.ts'
import { open, pattern, readAll } from './contracts/image-format.ts'
import { authenticated, capsuleOf, imageOf, itemsOf } from './support/capsules.ts'
import { createPki, NOW, trusting } from './support/pki.ts'
import { signAs } from './support/signed-images.ts'

const BIOS = '836316da-220a-5e17-a67a-81e88c36b2e6'
const NIC = '00063bf5-2250-5d9b-977d-59cf8e4b9bb0'
const firmware = pattern(40_000, 5)

describe('the signature of an image', () => {
  const { root, signer, intermediate } = createPki()
  const sign = (name: HashName, content: Buffer): Buffer =>
    Buffer.from(
      signCms({
        signed: { hash: name, digest: hash(name, content) },
        key: signer.key,
        certificates: [signer.certificate, intermediate.certificate],
        signingTime: NOW,
      }),
    )
  const count = Buffer.from('0700000000000000', 'hex')

  test.each<[HashName, number, bigint]>([
    ['sha256', 1, 0n],
    ['sha256', 2, 0n],
    ['sha256', 3, 1n],
    ['sha384', 3, 1n],
    ['sha512', 3, 1n],
  ])('by %s covers it and its count, in a header of version %d', async (name, version, support) => {
    const cms = sign(name, Buffer.concat([firmware, count]))
    const whole = authenticated(firmware, cms, { count: 7n })
    const { signatures, components } = await read(
      capsuleOf(itemsOf([imageOf(BIOS, whole, { version, support })])),
    )
    const digest = hash(name, Buffer.concat([firmware, count]))
    expect(signatures).toMatchObject([
      { form: 'cms', signed: { hash: name, digest }, component: `FMP ${BIOS}` },
    ])
    // The device is given the signature, too.
    expect(components).toMatchObject([{ sha256: hash('sha256', whole), sizeBytes: whole.length }])
    const verdicts = signatures.map((one) => verifySignature(one, trusting([root]), NOW))
    expect(await Promise.all(verdicts)).toMatchObject([{ ok: true, value: { name: 'Signer' } }])
  })

  test('that names no digest is held against SHA-256', async () => {
    const { signatures } = await read(capsuleOf(itemsOf([imageOf(BIOS, authenticated(firmware, count))])))
    expect(signatures).toMatchObject([{ signed: { hash: 'sha256' } }])
  })

  test('is of its image, and of no other in the capsule', async () => {
    const whole = authenticated(firmware, sign('sha256', Buffer.concat([firmware, count])))
    const { signatures, components } = await read(
      capsuleOf(itemsOf([imageOf(NIC, firmware), imageOf(BIOS, whole)])),
    )
    expect(components).toHaveLength(2)
    expect(signatures.map(({ component }) => component)).toEqual([`FMP ${BIOS}`])
  })

  const orders: readonly ComponentOrder[] = [order('BIOS', BIOS), order('NIC-1', NIC)]
  const builderSign = signAs(signer, intermediate)

  test.each(['1', '2', '3'])('made by the builder is right, in headers of version %s', async (version) => {
    const made = await build({
      components: orders,
      sign: builderSign,
      options: { 'header-version': version, 'monotonic-count': '18446744073709551' },
    })
    const { signatures } = await read(made)
    const verdicts = signatures.map((one) => verifySignature(one, trusting([root]), NOW))
    expect(await Promise.all(verdicts)).toMatchObject([{ ok: true }, { ok: true }])
  })

  /** What becomes of a capsule, in the words of the messages that its update tells. */
  async function fate(made: Buffer): Promise<string> {
    const result = await readAll(open(capsule), made)
    if (!result.ok) return result.problem.kind === 'unreadable' ? 'Redflash.ImageMalformed' : 'other'
    const { components, signatures } = result.value
    if (!components.some(({ name }) => name === `FMP ${BIOS}`)) return 'Update.NoTargetsDetermined'
    const verdicts = signatures.map((one) => verifySignature(one, trusting([root]), NOW))
    const problems = (await Promise.all(verdicts)).flatMap((one) => (one.ok ? [] : [one.problem.kind]))
    return problems.join() === 'invalid' ? 'Redflash.SignatureInvalid' : problems.join()
  }

  test('without a defect, nothing is wrong with a capsule', async () => {
    expect(await fate(await build({ components: orders, sign: builderSign }))).toBe('')
  })

  test.each(Object.entries(capsuleDefects))('with the defect %s', async (defect, { messages }) => {
    expect(messages).toContain(await fate(await build({ components: orders, sign: builderSign, defect })))
  })
})

test.each<[string, VersionFormat, number | undefined, string?]>([
  ['1.2.3.255', 'quad', 0x0102_03ff],
  ['1.2', 'quad', 0x0102_0000, '1.2.0.0'],
  ['1.2.3.256', 'quad', undefined],
  ['1.2.3.4.5', 'quad', undefined],
  ['1.255.65535', 'triplet', 0x01ff_ffff],
  ['1.2.3.0', 'triplet', undefined],
  ['65535.1', 'pair', 0xffff_0001],
  ['4294967295', 'plain', 0xffff_ffff],
  ['4294967296', 'plain', undefined],
  ['1.x', 'quad', undefined],
  ['', 'plain', undefined],
])('the version %s as a %s is the number %s', (text, format, value, back = text) => {
  expect(versionNumber(text, format)).toBe(value)
  expect(value === undefined ? back : versionText(value, format)).toBe(back)
})

describe('the builder of capsules', () => {
  test('makes the same bytes every time, which the reader gives back', async () => {
    const components = [
      {
        ...order('BIOS', BIOS),
        version: '1.9.300',
        lowestVersion: '1.8.0',
        activation: 'system-reboot' as const,
      },
      { ...order('NIC-1', NIC, 3), version: '1.2' },
    ]
    const [first, again] = [await build({ components }), await build({ components })]
    expect(first.equals(again)).toBe(true)
    expect(await read(first)).toMatchObject({
      format: 'UEFICapsule',
      components: [
        {
          version: '1.9.1.44',
          lowestVersion: '1.8.0.0',
          fits: { imageTypeId: BIOS },
          activation: 'system-reboot',
        },
        { version: '1.2.0.0', lowestVersion: '0.0.0.0', fits: { imageTypeId: NIC, hardwareInstance: 3n } },
      ],
      signatures: [],
    })
  })

  test('puts in the bytes that it is given', async () => {
    const bytes = () => [firmware.subarray(0, 7), firmware.subarray(7)]
    const components = [{ ...order('BIOS', BIOS), bytes, sizeBytes: firmware.length }]
    const options = { 'payload-header': 'no' }
    const { components: found } = await read(await build({ components, options }))
    expect(found).toMatchObject([{ sha256: hash('sha256', firmware), version: 'unknown' }])
  })

  test.each<[string, Partial<ImageOrder>, string]>([
    ['a defect that it does not know', { defect: 'checksum' }, 'there is no defect checksum here'],
    ['a defect of signatures in a capsule without', { defect: 'signature' }, 'signed'],
    ['no component', { components: [] }, '1 to 256'],
    [
      'a component that takes no capsules',
      { components: [{ ...order('PSU-1', BIOS), identity: {} }] },
      'PSU-1',
    ],
    ['a version of letters', { components: [{ ...order('BIOS', BIOS), version: 'GXA7402Q' }] }, 'GXA7402Q'],
    ['a version too large', { components: [{ ...order('BIOS', BIOS), version: '1.256.1' }] }, '1.256.1'],
    ['an option that it does not know', { options: { color: 'red' } }, 'no option color'],
    ['a header of version 4', { options: { 'header-version': '4' } }, 'header-version'],
    ['a signature by a bare key', { key: { name: 'key', pem: '' } }, 'certificate'],
  ])('refuses %s', (_what, more, said) => {
    expect(() => capsuleBuilder.build({ components: [order('BIOS', BIOS)], ...more })).toThrow(said)
  })
})

function order(name: string, imageTypeId: string, hardwareInstance?: number): ComponentOrder {
  const instance = hardwareInstance === undefined ? {} : { hardwareInstance }
  const format = imageTypeId === BIOS ? { versionFormat: 'triplet' as const } : {}
  const identity = { capsule: { imageTypeId, ...instance, ...format } }
  return { name, version: '1.2.3', softwareId: name, identity, sizeBytes: 300_000 }
}

function build(wanted: ImageOrder): Promise<Buffer> {
  return buffer(capsuleBuilder.build(wanted))
}

async function read(made: Buffer): Promise<ImageContents> {
  const result = await readAll(open(capsule), made, 1_000)
  if (!result.ok) throw new Error(JSON.stringify(result.problem))
  return result.value
}
