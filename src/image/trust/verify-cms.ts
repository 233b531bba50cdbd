import { X509Certificate } from 'node:crypto'
import { fail, type Result, succeed } from '../../lib/result.ts'
import { Chains } from './chain.ts'
import { type CmsSigner, readCms, type SignerId } from './cms.ts'
import { readableCrls } from './crl.ts'
import { type KnownCertificate, readKnown } from './known-certificate.ts'
import { digestOf, isSignatureOf, isSignatureOfDigest } from './schemes.ts'
import { invalid, type SignatureProblem, type Signed, type Signer } from './signer.ts'
import type { Trust } from './trust.ts'

interface Circumstances {
  readonly trust: Trust
  readonly now: number
}

/** Judges a CMS signature: all of its signers must be right, and the first one names it. */
export function verifyCms(
  bytes: Uint8Array,
  signed: Signed,
  { trust, now }: Circumstances,
): Result<Signer, SignatureProblem> {
  const cms = readCms(bytes)
  if (!cms.ok) return invalid(cms.problem)
  const anchors = readable(trust.anchors.map(derOf))
  const others = readable([...cms.value.certificates, ...trust.intermediates.map(derOf)])
  const certificates = [...others, ...anchors]
  const chains = new Chains({ others, anchors, crls: readableCrls(trust.crls) })
  const judge = (signer: CmsSigner): Result<Signer, SignatureProblem> => {
    const candidates = certificates.filter((one) => isOf(one, signer.by))
    if (candidates.length === 0) return fail({ kind: 'untrusted', signer: absent(signer.by) })
    const mistake = digestMistake(signer, signed)
    if (mistake !== undefined) return invalid(mistake)
    const by = candidates.find(({ key }) => isSignedBy(signer, key, signed))
    if (by === undefined) return invalid('it was not made of these bytes by the key of its certificate')
    const { name, fingerprint } = by
    const verdict = chains.judge(by, now)
    if (!verdict.ok) return fail({ ...verdict.problem, signer: { name, fingerprint } })
    return succeed({ name, fingerprint, certificates: verdict.path.map(({ x509 }) => x509.toString()) })
  }
  const judged = cms.value.signers.map(judge)
  return worstOf(judged) ?? judged[0] ?? invalid('nobody signed it')
}

/** From what nobody may overlook to what somebody may. */
const severities: readonly SignatureProblem['kind'][] = [
  'invalid',
  'revoked',
  'wrong-usage',
  'expired',
  'not-yet-valid',
  'untrusted',
]

function worstOf(judged: readonly Result<Signer, SignatureProblem>[]) {
  const problems = judged.flatMap((one) => (one.ok ? [] : [one]))
  return severities.flatMap((kind) => problems.filter(({ problem }) => problem.kind === kind))[0]
}

function derOf(pem: string): Uint8Array {
  return new X509Certificate(pem).raw
}

/** Those that cannot be read vouch for nobody. */
function readable(certificates: readonly Uint8Array[]): KnownCertificate[] {
  return certificates.flatMap((der) => {
    const read = readKnown(der)
    return read.ok ? [read.value] : []
  })
}

function isOf(one: KnownCertificate, by: SignerId): boolean {
  if (by.kind === 'key-id') return one.keyId === by.keyId
  return one.issuer === by.issuer && one.serialNumber === by.serialNumber
}

/** A signer whose certificate did not come and is not known. */
function absent(by: SignerId): Signer {
  const name = by.kind === 'key-id' ? `the key ${by.keyId}` : `the certificate ${by.serialNumber}`
  return { name, fingerprint: undefined }
}

/** What is wrong with the digest that a signer speaks of. */
function digestMistake({ hash, scheme, attributes }: CmsSigner, signed: Signed): string | undefined {
  const isAtHand = 'content' in signed
  if (!isAtHand && signed.hash !== hash)
    return `it is of a ${hash} digest, and there is one by ${signed.hash}`
  if (attributes === undefined) {
    const isEnough = isAtHand || scheme.form === 'rsa-pkcs1'
    return isEnough ? undefined : `${scheme.form} without signed attributes needs the content, not its digest`
  }
  const digest = isAtHand ? digestOf(hash, signed.content) : signed.digest.toLowerCase()
  return attributes.digest === digest ? undefined : 'it is of other bytes'
}

function isSignedBy(
  { scheme, attributes, signature }: CmsSigner,
  key: KnownCertificate['key'],
  signed: Signed,
): boolean {
  if (attributes) return isSignatureOf(key, scheme, attributes.signed, signature)
  if ('content' in signed) return isSignatureOf(key, scheme, signed.content, signature)
  return isSignatureOfDigest(key, signed.hash, signed.digest, signature)
}
