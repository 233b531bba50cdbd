import { constants, hash, sign } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import type { ImageSignature } from '../../src/image/image-format.ts'
import type { Scheme } from '../../src/image/trust/schemes.ts'
import { signWithKey } from '../../src/image/trust/sign.ts'
import { verifySignature } from '../../src/image/trust/verify-signature.ts'
import { derOf, type KeyKind, makeKey, NOW, publicKeyOf, trusting } from '../support/pki.ts'

const content = Buffer.from('MANIFEST')
const signed = { content }
const digest = { hash: 'sha512', digest: hash('sha512', content, 'hex') } as const

const kinds: readonly (readonly [Scheme['form'], KeyKind])[] = [
  ['rsa-pkcs1', 'rsa'],
  ['rsa-pss', 'rsa'],
  ['ecdsa', 'P-256'],
  ['ecdsa', 'P-384'],
  ['ecdsa', 'P-521'],
  ['ed25519', 'ed25519'],
]

describe.each(kinds)('a bare signature of the form %s with a key of the kind %s', (form, kind) => {
  const key = makeKey(kind)
  const others = { another: publicKeyOf(makeKey('P-256')), 'and another': publicKeyOf(makeKey('ed25519')) }
  const trust = trusting([], { keys: new Map([...Object.entries(others), ['maker', publicKeyOf(key)]]) })
  const verify = (more: Partial<ImageSignature>, by = trust) =>
    verifySignature({ form, bytes: signWithKey(form, { signed, key }), signed, ...more }, by, NOW)
  const maker = {
    ok: true,
    value: { name: 'maker', fingerprint: hash('sha256', derOf(publicKeyOf(key)), 'hex') },
  }

  test('is by the key that it names, or by any that fits where it names none', async () => {
    expect(await verify({ keyName: 'maker' })).toEqual(maker)
    expect(await verify({})).toEqual(maker)
    for (const name of ['sha256', 'sha384', 'sha512'] as const) {
      expect(await verify({ bytes: signWithKey(form, { signed, key, hash: name }) })).toEqual(maker)
    }
  })

  test('is nothing where bytes or key are others', async () => {
    const wrong = { ok: false, problem: { kind: 'invalid' } }
    expect(await verify({ signed: { content: Buffer.from('other') } })).toMatchObject(wrong)
    expect(await verify({ bytes: Buffer.alloc(0) })).toMatchObject(wrong)
    expect(await verify({ bytes: Buffer.alloc(256) })).toMatchObject(wrong)
    const stranger = kind === 'rsa' ? undefined : makeKey(kind)
    if (stranger === undefined) return
    expect(await verify({ bytes: signWithKey(form, { signed, key: stranger }) })).toMatchObject(wrong)
  })

  test('by a key that is not known is not trusted', async () => {
    expect(await verify({ keyName: 'stranger' })).toEqual({
      ok: false,
      problem: { kind: 'untrusted', signer: { name: 'stranger', fingerprint: undefined } },
    })
    expect(await verify({}, trusting([]))).toMatchObject({ problem: { kind: 'untrusted' } })
  })
})

test('RSA PKCS#1 v1.5 is judged and made by the digest alone', async () => {
  const key = makeKey('rsa')
  const trust = trusting([], { keys: new Map([['maker', publicKeyOf(key)]]) })
  const bytes = signWithKey('rsa-pkcs1', { signed, key, hash: 'sha512' })
  expect(signWithKey('rsa-pkcs1', { signed: digest, key })).toEqual(bytes)
  const verify = (of: ImageSignature['signed']) =>
    verifySignature({ form: 'rsa-pkcs1', bytes, signed: of }, trust, NOW)
  expect(await verify(digest)).toMatchObject({ ok: true, value: { name: 'maker' } })
  const wrong = { problem: { kind: 'invalid' } }
  expect(await verify({ hash: 'sha512', digest: hash('sha512', 'other', 'hex') })).toMatchObject(wrong)
  // The same bytes, called something else.
  expect(await verify({ hash: 'sha256', digest: digest.digest.slice(0, 64) })).toMatchObject(wrong)
})

test.each([0, 20, 32, constants.RSA_PSS_SALTLEN_MAX_SIGN])(
  'RSA-PSS is taken whatever the length of its salt: %s',
  async (saltLength) => {
    const key = makeKey('rsa')
    const trust = trusting([], { keys: new Map([['maker', publicKeyOf(key)]]) })
    const bytes = sign('sha256', content, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength })
    const verify = (of: ImageSignature['signed']) =>
      verifySignature({ form: 'rsa-pss', bytes, signed: of }, trust, NOW)
    expect(await verify(signed)).toMatchObject({ ok: true, value: { name: 'maker' } })
    expect(await verify({ content: Buffer.from('other') })).toMatchObject({ problem: { kind: 'invalid' } })
  },
)

test.each(kinds.filter(([form]) => form !== 'rsa-pkcs1'))(
  '%s with %s needs the content',
  async (form, kind) => {
    const key = makeKey(kind)
    const trust = trusting([], { keys: new Map([['maker', publicKeyOf(key)]]) })
    const bytes = signWithKey(form, { signed, key, hash: 'sha512' })
    expect(await verifySignature({ form, bytes, signed: digest }, trust, NOW)).toMatchObject({
      problem: { kind: 'invalid', detail: expect.stringContaining('content') },
    })
    expect(() => signWithKey(form, { signed: digest, key })).toThrow('digest')
  },
)

test.each<readonly [KeyKind, Scheme['form']]>([
  ['rsa-1024', 'rsa-pkcs1'],
  ['secp256k1', 'ecdsa'],
])('a key of the kind %s signs nothing', async (kind, form) => {
  const key = makeKey(kind)
  expect(() => signWithKey(form, { signed, key })).toThrow(form)
  const trust = trusting([], { keys: new Map([['weak', publicKeyOf(key)]]) })
  const bytes = sign('sha256', content, key)
  expect(await verifySignature({ form, bytes, signed, keyName: 'weak' }, trust, NOW)).toMatchObject({
    problem: { kind: 'untrusted', signer: { name: 'weak' } },
  })
})
