import { createPublicKey, hash, type KeyObject } from 'node:crypto'
import { fail, type Result, succeed } from '../../lib/result.ts'
import type { ImageSignature } from '../image-format.ts'
import { formsOf, hashNames, isSignatureOf, isSignatureOfDigest, type Scheme } from './schemes.ts'
import { invalid, type SignatureProblem, type Signed, type Signer } from './signer.ts'
import type { Trust } from './trust.ts'

/**
 * Judges a signature at a time, in milliseconds since the epoch. Never throws because of the bytes; loads what reads CMS when
 * it first needs it, so that under a clock that is moved by hand this counts as work outside.
 */
export async function verifySignature(
  signature: ImageSignature,
  trust: Trust,
  now: number,
): Promise<Result<Signer, SignatureProblem>> {
  const { form, bytes, signed } = signature
  if (form !== 'cms') return verifyByKey(form, signature, trust)
  const { verifyCms } = await import('./verify-cms.ts')
  return verifyCms(bytes, signed, { trust, now })
}

function verifyByKey(
  form: Scheme['form'],
  { bytes, signed, keyName }: ImageSignature,
  { keys }: Trust,
): Result<Signer, SignatureProblem> {
  if ('digest' in signed && form !== 'rsa-pkcs1') return invalid(`${form} needs the content, not its digest`)
  const candidates = [...keys]
    .filter(([name]) => keyName === undefined || name === keyName)
    .map(([name, pem]) => ({ name, key: createPublicKey(pem) }))
    .filter(({ key }) => formsOf(key).includes(form))
  if (candidates.length === 0) {
    return fail({ kind: 'untrusted', signer: { name: keyName ?? 'an unknown key', fingerprint: undefined } })
  }
  const right = candidates.find(({ key }) => isBareSignature(form, key, signed, bytes))
  if (right === undefined) return invalid('it was not made of these bytes by a key that is known')
  return succeed({ name: right.name, fingerprint: keyFingerprint(right.key) })
}

/** Nothing beside a bare signature says which digest it is of. */
function isBareSignature(form: Scheme['form'], key: KeyObject, signed: Signed, bytes: Uint8Array): boolean {
  if ('digest' in signed) return isSignatureOfDigest(key, signed.hash, signed.digest, bytes)
  return hashNames.some((name) => isSignatureOf(key, { form, hash: name }, signed.content, bytes))
}

function keyFingerprint(key: KeyObject): string {
  return hash('sha256', key.export({ type: 'spki', format: 'der' }), 'hex')
}
