import { type BaseBlock, Constructed, fromBER, OctetString } from 'asn1js'
import { hash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { extension } from '../../src/http/certificate.ts'
import type { HashName, ImageSignature } from '../../src/image/image-format.ts'
import { type CmsSigning, signCms } from '../../src/image/trust/sign.ts'
import type { Trust } from '../../src/image/trust/trust.ts'
import { verifySignature } from '../../src/image/trust/verify-signature.ts'
import {
  certify,
  createPki,
  derOf,
  fingerprintOf,
  type KeyKind,
  makeKey,
  NOW,
  type Party,
  trusting,
} from '../support/pki.ts'

const content = Buffer.from('{"bundle":1}')
const { root, intermediate, signer } = createPki()
const trust = trusting([root])
const digestOf = (name: HashName, bytes: Uint8Array = content) => ({
  hash: name,
  digest: hash(name, bytes, 'hex'),
})

/** A signature over the content by somebody, whose certificate comes with that of the intermediate authority. */
function signed(by: Party, more: Partial<CmsSigning> = {}): Uint8Array {
  const certificates = [by.certificate, intermediate.certificate]
  return signCms({ signed: { content }, key: by.key, certificates, signingTime: NOW, ...more })
}

function verify(bytes: Uint8Array, over: ImageSignature['signed'] = { content }, by: Trust = trust) {
  return verifySignature({ form: 'cms', bytes, signed: over }, by, NOW)
}

const invalid = (detail: string) => ({
  ok: false,
  problem: { kind: 'invalid', detail: expect.stringContaining(detail) },
})

test('a signer is named with all certificates up to the anchor', async () => {
  const verified = await verify(signed(signer))
  const path = [signer, intermediate, root]
  expect(verified).toMatchObject({ ok: true, value: { name: 'Signer', fingerprint: fingerprintOf(signer) } })
  const certificates = verified.ok ? (verified.value.certificates ?? []) : []
  expect(certificates.map(derOf)).toEqual(path.map(({ certificate }) => derOf(certificate)))
})

describe.each<KeyKind>(['rsa', 'P-256', 'P-384', 'P-521', 'ed25519'])('a key of the kind %s', (kind) => {
  const by = certify({ name: 'Signer', key: makeKey(kind), issuer: intermediate })
  const hashes: readonly HashName[] = ['sha256', 'sha384', 'sha512']

  test.each(hashes)('signs by %s, with attributes and without, content and digest', async (name) => {
    const full = signed(by, { hash: name })
    const bare = signed(by, { hash: name, attributes: 'none' })
    const ofDigest = signed(by, { signed: digestOf(name) })
    for (const bytes of [full, bare, ofDigest]) {
      expect(await verify(bytes)).toMatchObject({ ok: true, value: { fingerprint: fingerprintOf(by) } })
      expect(await verify(bytes, { content: Buffer.from('other') })).toEqual(invalid('bytes'))
    }
    for (const bytes of [full, ofDigest]) {
      expect(await verify(bytes, digestOf(name))).toMatchObject({ ok: true })
      expect(await verify(bytes, digestOf(name, Buffer.from('other')))).toEqual(invalid('other bytes'))
    }
    const overDigest = await verify(bare, digestOf(name))
    expect(overDigest).toMatchObject(kind === 'rsa' ? { ok: true } : invalid('needs the content'))
  })
})

test('a digest of another kind than the signature speaks of says nothing', async () => {
  expect(await verify(signed(signer), digestOf('sha512'))).toEqual(invalid('sha256'))
})

test('a signature that somebody changed is none', async () => {
  const bytes = signed(signer)
  const last = bytes.length - 1
  bytes.set([(bytes[last] ?? 0) ^ 1], last)
  expect(await verify(bytes)).toEqual(invalid('key of its certificate'))
})

test('all of several signers must be right, and the first one names it', async () => {
  const [second, stranger] = [certify({ name: 'Second', issuer: root }), certify({ name: 'Stranger' })]
  const both = together(signed(signer), signed(second))
  expect(await verify(both)).toMatchObject({ ok: true, value: { name: 'Signer' } })
  const withStranger = together(signed(signer), signed(stranger))
  expect(await verify(withStranger)).toMatchObject({
    problem: { kind: 'untrusted', signer: { name: 'Stranger' } },
  })
  // What nobody may overlook is told before what somebody may.
  const broken = together(withStranger, signed(second, { signed: { content: Buffer.from('other') } }))
  expect(await verify(broken)).toEqual(invalid('other bytes'))
})

test.each([
  ['nothing', Buffer.alloc(0)],
  ['text', Buffer.from('-----BEGIN PKCS7-----')],
  ['a certificate', derOf(signer.certificate)],
  ['bytes behind it', Buffer.concat([signed(signer), Buffer.from([0])])],
  ['no end', Buffer.from(signed(signer)).subarray(0, -1)],
  ['too much', Buffer.concat([signed(signer), Buffer.alloc(256 * 1_024)])],
  ['deep nests', Buffer.concat(Array.from({ length: 20_000 }, () => Buffer.from([0x30, 0x80])))],
  [
    'many parts',
    Buffer.concat([Buffer.from([0x30, 0x83, 0x01, 0x86, 0xa0]), Buffer.alloc(100_000, Buffer.from([5, 0]))]),
  ],
])('what is no signature is invalid: %s', async (_what, bytes) => {
  expect(await verify(bytes)).toMatchObject({ ok: false, problem: { kind: 'invalid' } })
})

test('content of another type than data is none that was signed', async () => {
  const renamed = (bytes: Uint8Array) => {
    const copy = Buffer.from(bytes)
    const data = Buffer.from('2a864886f70d010701', 'hex')
    copy.writeUInt8(5, copy.indexOf(data) + data.length - 1)
    return copy
  }
  expect(await verify(renamed(signed(signer)))).toEqual(invalid('types of content differ'))
  expect(await verify(renamed(signed(signer, { attributes: 'none' })))).toEqual(invalid('of what type'))
})

test.each([
  ['without a digest', '2a864886f70d010904', '2a864886f70d010963', 'signed attributes'],
  ['with two', '2a864886f70d010905', '2a864886f70d010904', 'signed attributes'],
  ['that name two kinds of digest', '608648016503040201', '608648016503040202', 'algorithm'],
])('attributes %s are none', async (_what, from, to, detail) => {
  const bytes = Buffer.from(signed(signer))
  bytes.write(to, bytes.lastIndexOf(Buffer.from(from, 'hex')), 'hex')
  expect(await verify(bytes)).toEqual(invalid(detail))
})

test.each([
  [1, { ok: true }],
  [8, { ok: true }],
  [0, invalid('0 signers')],
  [9, invalid('9 signers')],
])('%i signers are enough, or not, or too many', async (count, verdict) => {
  const bytes = edited(signed(signer), ([, , , , signers]) => {
    const [one] = partsOf(signers).splice(0)
    partsOf(signers).push(...Array.from({ length: count }, () => one).filter((copy) => copy !== undefined))
  })
  expect(await verify(bytes)).toMatchObject(verdict)
})

test('a signature of more than 256 KiB is not looked at', async () => {
  const large = (length: number) =>
    certify({
      name: 'Large',
      more: [extension('1.2.3.4', false, new OctetString({ valueHex: new Uint8Array(length) }))],
    })
  const withLarge = (length: number) =>
    verify(
      signed(signer, {
        certificates: [signer.certificate, intermediate.certificate, large(length).certificate],
      }),
    )
  expect(await withLarge(250 * 1_024)).toMatchObject({ ok: true })
  expect(await withLarge(256 * 1_024)).toEqual(invalid('262144 bytes'))
})

test('lengths may be open, as BER has them', async () => {
  const der = Buffer.from(signed(signer))
  const version = der.indexOf(Buffer.from([0x02, 0x01, 0x01]))
  const type = Buffer.from('06092a864886f70d010702', 'hex')
  const open = (tag: number) => Buffer.from([tag, 0x80])
  const closed = Buffer.alloc(6)
  const ber = Buffer.concat([open(0x30), type, open(0xa0), open(0x30), der.subarray(version), closed])
  expect(await verify(ber)).toMatchObject({ ok: true, value: { name: 'Signer' } })
  expect(await verify(ber.subarray(0, -1))).toMatchObject({ problem: { kind: 'invalid' } })
})

test('a SignedData is taken without what says that it is one', async () => {
  const whole = Buffer.from(signed(signer))
  const bare = whole.subarray(whole.indexOf(Buffer.from([0x02, 0x01, 0x01])) - 4)
  expect(await verify(bare)).toMatchObject({ ok: true, value: { name: 'Signer' } })
})

test('more than 32 certificates are too many', async () => {
  const others = Array.from({ length: 31 }, () => intermediate.certificate)
  const certificates = [signer.certificate, ...others]
  expect(await verify(signed(signer, { certificates }))).toMatchObject({ ok: true })
  expect(await verify(signed(signer, { certificates: [...certificates, root.certificate] }))).toEqual(
    invalid('32'),
  )
})

test('a signer whose certificate is nowhere is not trusted, and one that only the trust has is known', async () => {
  const bytes = Buffer.from(signed(signer, { certificates: [signer.certificate] }))
  expect(await verify(bytes)).toMatchObject({
    ok: false,
    problem: { kind: 'untrusted', signer: { name: 'Signer' } },
  })
  expect(await verify(bytes, { content }, trusting([root], { intermediates: [intermediate] }))).toMatchObject(
    { ok: true },
  )
})

/** A signature with the signers and the certificates of both. */
function together(one: Uint8Array, other: Uint8Array): Uint8Array {
  const from = signedData(fromBER(other).result)
  return edited(one, (into) => {
    for (const place of [3, 4]) partsOf(into[place]).push(...partsOf(from[place]))
  })
}

/** A signature whose SignedData was changed, part by part. */
function edited(bytes: Uint8Array, edit: (parts: BaseBlock[]) => void): Uint8Array {
  const cms = fromBER(bytes).result
  edit(signedData(cms))
  return new Uint8Array(cms.toBER())
}

function signedData(cms: BaseBlock): BaseBlock[] {
  return partsOf(partsOf(partsOf(cms)[1])[0])
}

function partsOf(block: BaseBlock | undefined): BaseBlock[] {
  return block instanceof Constructed ? block.valueBlock.value : []
}
