import { describe, expect, test } from 'vitest'
import type { ChainProblem } from '../../src/image/trust/chain.ts'
import { signCms } from '../../src/image/trust/sign.ts'
import type { Trust } from '../../src/image/trust/trust.ts'
import { verifySignature } from '../../src/image/trust/verify-signature.ts'
import {
  certify,
  CODE_SIGNING,
  createPki,
  makeKey,
  NOW,
  type Party,
  revoke,
  SERVER_AUTHENTICATION,
  trusting,
  unheardOf,
  usageOf,
} from '../support/pki.ts'

const YEAR_MS = 365 * 86_400_000
const { root, intermediate, signer } = createPki()
const authority = { isAuthority: true, usages: ['KeyCertSign', 'CRLSigning'] }

interface Case {
  readonly what: string
  /** The signer, and those whose certificates come with the signature. */
  readonly chain: readonly [Party, ...Party[]]
  readonly trust: Trust
}

/** What becomes of a signature that comes with these certificates. */
function verify({ chain, trust }: Case) {
  const content = Buffer.from('content')
  const certificates = chain.map(({ certificate }) => certificate)
  const bytes = signCms({ signed: { content }, key: chain[0].key, certificates, signingTime: NOW })
  return verifySignature({ form: 'cms', bytes, signed: { content } }, trust, NOW)
}

const byRoot = trusting([root])
const leaf = (more: Partial<Parameters<typeof certify>[0]>) =>
  certify({ name: 'Leaf', issuer: root, ...more })
const between = (more: Partial<Parameters<typeof certify>[0]>) => {
  const issuer = certify({ name: 'Between', issuer: root, ...authority, ...more })
  return [certify({ name: 'Leaf', issuer }), issuer] as const
}

describe('a signer is believed', () => {
  const lapsed = certify({ name: 'Between', issuer: root, ...authority, to: NOW - 1 })
  const renewed = certify({ name: 'Between', key: lapsed.key, issuer: root, ...authority })
  const self = certify({ name: 'Self' })

  test.each<Case>([
    { what: 'for the root', chain: [signer, intermediate], trust: byRoot },
    { what: 'where the root came, too', chain: [signer, intermediate, root], trust: byRoot },
    { what: 'for an authority between', chain: [signer], trust: trusting([intermediate]) },
    { what: 'for itself', chain: [signer], trust: trusting([signer]) },
    { what: 'for itself, signed by itself', chain: [self], trust: trusting([self]) },
    { what: 'for one anchor of several', chain: [signer, intermediate], trust: trusting([self, root]) },
    {
      what: 'for an authority between that the trust knows',
      chain: [signer],
      trust: trusting([root], { intermediates: [intermediate] }),
    },
    { what: 'whose certificate says nothing of usage', chain: [leaf({})], trust: byRoot },
    { what: 'for any purpose', chain: [leaf({ purposes: ['2.5.29.37.0'] })], trust: byRoot },
    {
      what: 'for one purpose of several',
      chain: [leaf({ purposes: [SERVER_AUTHENTICATION, CODE_SIGNING] })],
      trust: byRoot,
    },
    {
      what: 'for an authority that was renewed',
      chain: [certify({ name: 'Leaf', issuer: lapsed }), lapsed, renewed],
      trust: byRoot,
    },
    {
      what: 'for an RSA root',
      ...(() => {
        const rsaRoot = certify({ name: 'RSA root', key: makeKey('rsa'), ...authority })
        return { chain: [certify({ name: 'Leaf', issuer: rsaRoot })] as const, trust: trusting([rsaRoot]) }
      })(),
    },
    { what: 'until the last moment', chain: [leaf({ to: NOW })], trust: byRoot },
    { what: 'from the first moment', chain: [leaf({ from: NOW })], trust: byRoot },
    {
      what: 'although others are revoked',
      chain: [signer, intermediate],
      trust: trusting([root], { crls: [revoke(intermediate, [leaf({})]), revoke(root, [leaf({})])] }),
    },
    {
      what: 'although somebody else says that it is revoked',
      chain: [signer, intermediate],
      trust: trusting([root], { crls: [revoke(intermediate, [signer], { signer: leaf({}) })] }),
    },
    {
      what: 'although an authority says that it is revoked which may not',
      ...(() => {
        const [by, between_] = between({ usages: ['KeyCertSign'] })
        return { chain: [by, between_] as const, trust: trusting([root], { crls: [revoke(between_, [by])] }) }
      })(),
    },
  ])('$what', async (one) => {
    expect(await verify(one)).toMatchObject({ ok: true, value: { name: one.chain[0].name } })
  })
})

describe('a signer is not believed', () => {
  const stranger = certify({ name: 'Root', ...authority })
  const impostor = certify({ name: 'Intermediate', issuer: root, ...authority })
  const expired = leaf({ to: NOW - 1_000 })
  const early = leaf({ from: NOW + 1_000 })
  const oldRoot = certify({ name: 'Old root', ...authority, from: NOW - 2 * YEAR_MS, to: NOW - YEAR_MS })
  const second = certify({ name: 'Second', issuer: intermediate, ...authority })

  test.each<Case & { readonly problem: ChainProblem }>([
    {
      what: 'where nobody is',
      chain: [signer, intermediate, root],
      trust: trusting([]),
      problem: { kind: 'untrusted' },
    },
    {
      what: 'for another root of the same name',
      chain: [signer, intermediate, root],
      trust: trusting([stranger]),
      problem: { kind: 'untrusted' },
    },
    {
      what: 'for another authority of the same name',
      chain: [signer, impostor],
      trust: byRoot,
      problem: { kind: 'untrusted' },
    },
    {
      what: 'for what only the way is known of',
      chain: [signer],
      trust: trusting([], { intermediates: [intermediate, root] }),
      problem: { kind: 'untrusted' },
    },
    {
      what: 'where its authority did not come',
      chain: [signer],
      trust: byRoot,
      problem: { kind: 'untrusted' },
    },
    {
      what: 'whose certificate is signed by a broken digest',
      chain: [leaf({ isBroken: true })],
      trust: byRoot,
      problem: { kind: 'untrusted' },
    },
    {
      what: 'for an authority with a weak key',
      chain: between({ key: makeKey('rsa-1024') }),
      trust: byRoot,
      problem: { kind: 'untrusted' },
    },
    {
      what: 'that has expired',
      chain: [expired],
      trust: byRoot,
      problem: { kind: 'expired', certificate: 'Leaf' },
    },
    {
      what: 'that has expired and is an anchor',
      chain: [expired],
      trust: trusting([expired]),
      problem: { kind: 'expired', certificate: 'Leaf' },
    },
    {
      what: 'that is not valid yet',
      chain: [early],
      trust: byRoot,
      problem: { kind: 'not-yet-valid', certificate: 'Leaf' },
    },
    {
      what: 'for an authority that has expired',
      chain: between({ to: NOW - 1_000 }),
      trust: byRoot,
      problem: { kind: 'expired', certificate: 'Between' },
    },
    {
      what: 'for a root that has expired',
      chain: [certify({ name: 'Leaf', issuer: oldRoot })],
      trust: trusting([oldRoot]),
      problem: { kind: 'expired', certificate: 'Old root' },
    },
    {
      what: 'whose key is for something else',
      chain: [leaf({ usages: ['KeyEncipherment'] })],
      trust: byRoot,
      problem: { kind: 'wrong-usage', certificate: 'Leaf' },
    },
    {
      what: 'whose certificate is for something else',
      chain: [leaf({ purposes: [SERVER_AUTHENTICATION] })],
      trust: byRoot,
      problem: { kind: 'wrong-usage', certificate: 'Leaf' },
    },
    {
      what: 'with a critical extension that nobody heeds',
      chain: [leaf({ more: [unheardOf] })],
      trust: byRoot,
      problem: { kind: 'wrong-usage', certificate: 'Leaf' },
    },
    {
      what: 'whose certificate says the same twice',
      chain: [leaf({ usages: ['DigitalSignature'], more: [usageOf(['DigitalSignature'])] })],
      trust: byRoot,
      problem: { kind: 'wrong-usage', certificate: 'Leaf' },
    },
    {
      what: 'for an authority with such an extension',
      chain: between({ more: [unheardOf] }),
      trust: byRoot,
      problem: { kind: 'wrong-usage', certificate: 'Between' },
    },
    {
      what: 'for somebody who is no authority',
      chain: between({ isAuthority: false }),
      trust: byRoot,
      problem: { kind: 'wrong-usage', certificate: 'Between' },
    },
    {
      what: 'for an authority that may not certify',
      chain: between({ usages: ['DigitalSignature'] }),
      trust: byRoot,
      problem: { kind: 'wrong-usage', certificate: 'Between' },
    },
    {
      what: 'for an authority below one that may have none',
      chain: [certify({ name: 'Leaf', issuer: second }), second, intermediate],
      trust: byRoot,
      problem: { kind: 'wrong-usage', certificate: 'Intermediate' },
    },
    {
      what: 'that is revoked',
      chain: [signer, intermediate],
      trust: trusting([root], { crls: [revoke(intermediate, [signer])] }),
      problem: { kind: 'revoked', certificate: 'Signer' },
    },
    {
      what: 'that is revoked and an anchor',
      chain: [signer, intermediate],
      trust: trusting([signer], { crls: [revoke(intermediate, [signer])] }),
      problem: { kind: 'revoked', certificate: 'Signer' },
    },
    {
      what: 'that is revoked and has expired',
      chain: [expired],
      trust: trusting([root], { crls: [revoke(root, [expired])] }),
      problem: { kind: 'revoked', certificate: 'Leaf' },
    },
    {
      what: 'for an authority that is revoked',
      chain: [signer, intermediate],
      trust: trusting([root], { crls: [revoke(root, [intermediate])] }),
      problem: { kind: 'revoked', certificate: 'Intermediate' },
    },
  ])('$what', async ({ problem, ...one }) => {
    const verified = await verify(one)
    const { name } = one.chain[0]
    expect(verified).toEqual({
      ok: false,
      problem: { ...problem, signer: { name, fingerprint: expect.stringMatching(/^[0-9a-f]{64}$/) } },
    })
  })
})

test('certificates that vouch for each other in every way are given up, whether a way was found or not', async () => {
  const key = makeKey('P-256')
  const same = { name: 'Same', key, ...authority }
  const by = certify({ name: 'Leaf', issuer: same })
  const certified = certify({ ...same, issuer: root })
  const among = (count: number) => {
    const others = Array.from({ length: count }, () => certify(same))
    // What the trust knows is looked at last.
    const ways: readonly Case[] = [
      { what: 'last', chain: [by, ...others], trust: trusting([root], { intermediates: [certified] }) },
      { what: 'first', chain: [by, certified], trust: trusting([root], { intermediates: others }) },
    ]
    return Promise.all(ways.map(verify))
  }
  expect(await among(3)).toMatchObject([{ ok: true }, { ok: true }])
  const untrusted = { problem: { kind: 'untrusted' } }
  expect(await among(30)).toMatchObject([untrusted, untrusted])
})
