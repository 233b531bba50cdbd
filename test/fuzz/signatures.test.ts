import * as fc from 'fast-check'
import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { certificateView } from '../../src/bmc/certificate-view.ts'
import { readCertificate } from '../../src/bmc/read-certificate.ts'
import type { ImageSignature } from '../../src/image/image-format.ts'
import { readCrl } from '../../src/image/trust/crl.ts'
import { readKnown } from '../../src/image/trust/known-certificate.ts'
import { signCms } from '../../src/image/trust/sign.ts'
import { readTrustFiles } from '../../src/image/trust/trust-files.ts'
import { verifySignature } from '../../src/image/trust/verify-signature.ts'
import { timestamp } from '../../src/lib/clock.ts'
import { cases, CASES_MS, mutations, runs } from '../support/fuzz.ts'
import { createPki, derOf, NOW, publicKeyOf, revoke, trusting } from '../support/pki.ts'

const often = cases(2_000)
const LONG = { timeout: CASES_MS }

const content = Buffer.from('content')
const digest = { hash: 'sha256', digest: createHash('sha256').update(content).digest('hex') } as const
const { root, intermediate, signer } = createPki()
const certificates = [signer.certificate, intermediate.certificate]
const signing = { signed: { content }, key: signer.key, certificates, signingTime: NOW }
const genuine = [signCms(signing), signCms({ ...signing, attributes: 'none' })].map((bytes) =>
  Buffer.from(bytes),
)
const crl = Buffer.from(revoke(intermediate, [signer]))
const trust = trusting([root], {
  crls: [revoke(root, [])],
  keys: new Map([['key', publicKeyOf(signer.key)]]),
})

/** Tags, lengths and object identifiers that mean something where signatures are read. */
const snippets = [
  '3080',
  'a080',
  '0000',
  '30840fffffff',
  '0482ffff',
  '3100',
  '0500',
  '06092a864886f70d010702',
  '0300',
  '0201ff',
].map((hex) => Buffer.from(hex, 'hex').toString('latin1'))

/** An ASN.1 element, right or wrong, of others or of bytes. */
const elements = fc.letrec<{ element: Buffer; many: Buffer }>((tie) => ({
  element: fc
    .tuple(
      fc.oneof(
        fc.constantFrom(0x30, 0x31, 0xa0, 0xa1, 0x02, 0x03, 0x04, 0x05, 0x06, 0x13, 0x17),
        fc.nat(255),
      ),
      fc.oneof(
        { depthSize: 'small' },
        fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)),
        tie('many'),
      ),
      fc.oneof(
        { weight: 8, arbitrary: fc.constant(0) },
        { weight: 1, arbitrary: fc.integer({ min: -2, max: 200 }) },
      ),
    )
    .map(([tag, value, error]) => Buffer.concat([Buffer.from([tag]), lengthOf(value.length + error), value])),
  many: fc.array(tie('element'), { maxLength: 6 }).map((all) => Buffer.concat(all)),
})).element

function lengthOf(length: number): Buffer {
  const clipped = Math.max(0, length)
  return Buffer.from(clipped < 128 ? [clipped] : [0x82, (clipped >> 8) & 0xff, clipped & 0xff])
}

const mutated = fc
  .tuple(fc.constantFrom(...genuine), mutations(snippets))
  .map(([bytes, mutate]) => mutate(bytes))
const anything = fc.oneof(
  mutated,
  elements,
  fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
)

const verdicts = /^(Signer|invalid|untrusted|expired|not-yet-valid|revoked|wrong-usage)$/

test('a signature that was changed is judged, and is right only by whom it was made', LONG, async () => {
  const property = fc.asyncProperty(anything, fc.boolean(), async (bytes, isDigest) => {
    const signed = isDigest ? digest : { content }
    const judged = await verifySignature({ form: 'cms', bytes, signed }, trust, NOW)
    expect(judged.ok ? judged.value.name : judged.problem.kind).toMatch(verdicts)
  })
  await fc.assert(property, often)
})

test('no changed signature vouches for other content', LONG, async () => {
  const property = fc.asyncProperty(anything, async (bytes) => {
    const signed = { content: Buffer.from('other') }
    expect(await verifySignature({ form: 'cms', bytes, signed }, trust, NOW)).toMatchObject({ ok: false })
  })
  await fc.assert(property, often)
})

test('whatever bare signature comes, it is judged', async () => {
  const forms = fc.constantFrom<ImageSignature['form']>('rsa-pkcs1', 'rsa-pss', 'ecdsa', 'ed25519')
  const property = fc.asyncProperty(forms, fc.uint8Array({ maxLength: 600 }), async (form, bytes) => {
    for (const signed of [{ content }, digest]) {
      expect(await verifySignature({ form, bytes, signed }, trust, NOW)).toMatchObject({ ok: false })
    }
  })
  await fc.assert(property, runs(200))
})

test('whatever certificate comes, it is shown with its dates, or refused', LONG, () => {
  const certificate = fc.constantFrom(root, signer).map((party) => derOf(party.certificate))
  const bytes = fc.tuple(certificate, mutations(snippets)).map(([der, mutate]) => mutate(der))
  const property = fc.property(bytes, (der) => {
    const text = `-----BEGIN CERTIFICATE-----\n${der.toString('base64')}\n-----END CERTIFICATE-----`
    const given = readCertificate(text, 'PEM')
    const known = readKnown(der)
    const shown = given.ok ? [certificateView('/', '', given.value.certificate)] : []
    const dates = [
      ...shown.flatMap((one) => [one['ValidNotBefore'], one['ValidNotAfter']]),
      ...(known.ok ? [known.value.notBefore, known.value.notAfter].map(timestamp) : []),
    ]
    expect(dates.filter((date) => !/^"\d{4}-/.test(JSON.stringify(date)))).toEqual([])
  })
  fc.assert(property, often)
})

test('whatever stands in the files of a trust folder, it is read or told', () => {
  const files = fc.constantFrom('a.pem', 'a.der', 'a.crl', 'a.pub', 'revoked-digests.txt')
  const originals = fc.constantFrom(
    derOf(root.certificate),
    Buffer.from(root.certificate),
    crl,
    Buffer.from(publicKeyOf(root.key)),
  )
  const bytes = fc.tuple(originals, mutations(snippets)).map(([original, mutate]) => mutate(original))
  const property = fc.property(files, fc.oneof(bytes, elements), (name, content_) => {
    const read = readTrustFiles(new Map([[name, content_]]))
    expect(read.ok || read.problem.length > 0).toBe(true)
    expect(readCrl(content_)).toHaveProperty('ok')
  })
  fc.assert(property, runs(1_000))
})
