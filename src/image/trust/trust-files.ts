import { createPublicKey } from 'node:crypto'
import type { PublicCertificate } from '../../bmc/network.ts'
import { certificateOf } from '../../bmc/read-certificate.ts'
import type { TrustStore } from '../../bmc/trust-store.ts'
import { fail, type Result, succeed } from '../../lib/result.ts'
import { isCrlBy, readCrl } from './crl.ts'
import { type KnownCertificate, readKnown } from './known-certificate.ts'
import { formsOf } from './schemes.ts'

/** Where certificates are that nobody is to trust for themselves. */
export const INTERMEDIATES = 'intermediates/'
const REVOKED_DIGESTS = 'revoked-digests.txt'

const CERTIFICATE = /\.(pem|crt|cer|der)$/i
const PRIVATE_KEY = /-----BEGIN [A-Z ]*PRIVATE KEY-----/
const PUBLIC_KEY = /^\s*-----BEGIN PUBLIC KEY-----[^-]+-----END PUBLIC KEY-----\s*$/

/** What one file brings, or what is wrong with it. */
interface Brought {
  readonly anchors?: readonly Certified[]
  readonly intermediates?: readonly Certified[]
  readonly crls?: readonly Uint8Array[]
  readonly key?: readonly [name: string, pem: string]
  readonly revokedDigests?: readonly string[]
  readonly mistakes?: readonly string[]
}

interface Certified {
  readonly known: KnownCertificate
  readonly certificate: PublicCertificate
}

/** Reads a folder's files by their names: whom to trust, or all that is wrong with them. */
export function readTrustFiles(files: ReadonlyMap<string, Buffer>): Result<TrustStore, readonly string[]> {
  const brought = [...files].map(([name, bytes]) => ({ name, ...read(name, bytes) }))
  const anchors = distinct(brought.flatMap((one) => one.anchors ?? []))
  const intermediates = distinct(brought.flatMap((one) => one.intermediates ?? []))
  const certificates = [...anchors, ...intermediates].map(({ known }) => known)
  const keys = brought.flatMap(({ key }) => (key ? [key] : []))
  const names = keys.map(([name]) => name)
  const mistakes = [
    ...brought.flatMap((one) => (one.mistakes ?? []).map((mistake) => `${one.name}: ${mistake}`)),
    ...brought
      .filter(({ crls = [] }) => crls.some((der) => isForged(der, certificates)))
      .map(({ name }) => `${name}: it is not signed by whom it says that it is by`),
    ...[...new Set(names.filter((name, index) => names.indexOf(name) !== index))].map(
      (name) => `${name}: two keys have this name`,
    ),
  ]
  if (mistakes.length > 0) return fail(mistakes)
  return succeed({
    anchors: anchors.map(({ certificate }) => certificate),
    intermediates: intermediates.map(({ known }) => known.x509.toString()),
    crls: brought.flatMap(({ crls = [] }) => crls),
    keys: new Map(keys),
    revokedDigests: new Set(brought.flatMap(({ revokedDigests = [] }) => revokedDigests)),
  })
}

function read(path: string, bytes: Buffer): Brought {
  const text = bytes.toString('latin1')
  if (PRIVATE_KEY.test(text)) return wrong('it holds a private key, which does not belong here')
  const name = path.slice(path.lastIndexOf('/') + 1)
  if (CERTIFICATE.test(name)) {
    const certificates = readCertificates(bytes, text)
    if (!certificates.ok) return wrong(certificates.problem)
    return { [path.startsWith(INTERMEDIATES) ? 'intermediates' : 'anchors']: certificates.value }
  }
  if (name.endsWith('.crl')) return readLists(bytes, text)
  if (/\.(pub|key)$/.test(name)) return readKey(name.slice(0, name.lastIndexOf('.')), text)
  return name === REVOKED_DIGESTS ? readDigests(text) : wrong('its name does not say what it is')
}

function wrong(...mistakes: readonly string[]): Brought {
  return { mistakes }
}

function readCertificates(bytes: Buffer, text: string): Result<readonly Certified[], string> {
  const all = blocksOf(bytes, text, 'CERTIFICATE').map((der) => readKnown(der))
  const certified = all.flatMap((one) => (one.ok ? [one.value] : []))
  if (all.length === 0 || certified.length < all.length) return fail('it is no certificate')
  if (certified.some(({ key }) => formsOf(key).length === 0))
    return fail('its key is too weak, or of no kind that is known')
  return succeed(certified.map((known) => ({ known, certificate: certificateOf(known.x509.toString()) })))
}

function readLists(bytes: Buffer, text: string): Brought {
  const crls = blocksOf(bytes, text, 'X509 CRL')
  const mistakes = crls.map((der) => readCrl(der)).flatMap((one) => (one.ok ? [] : [one.problem]))
  if (crls.length === 0) return wrong('it is no list of revoked certificates')
  return mistakes.length > 0 ? { mistakes } : { crls }
}

function readKey(name: string, text: string): Brought {
  if (!PUBLIC_KEY.test(text)) return wrong('it is no public key (PEM, SPKI)')
  try {
    const isStrong = formsOf(createPublicKey(text)).length > 0
    return isStrong ? { key: [name, text] } : wrong('the key is too weak, or of no kind that is known')
  } catch {
    return wrong('it is no public key (PEM, SPKI)') // whatever stands between its lines
  }
}

function readDigests(text: string): Brought {
  const lines = text.split(/\r?\n/).map((line) => line.replace(/#.*/, '').trim().toLowerCase())
  const mistakes = lines.flatMap((line, index) =>
    line === '' || /^[0-9a-f]{64}$/.test(line) ? [] : [`line ${index + 1} is no SHA-256 digest`],
  )
  return mistakes.length > 0 ? { mistakes } : { revokedDigests: lines.filter((line) => line !== '') }
}

/** DER as it is, or each block of this label in PEM. */
function blocksOf(bytes: Buffer, text: string, label: string): Uint8Array[] {
  if (!text.includes('-----BEGIN ')) return bytes.length === 0 ? [] : [bytes]
  const blocks = text.matchAll(new RegExp(`-----BEGIN ${label}-----([^-]+)-----END ${label}-----`, 'g'))
  return [...blocks].map(([, base64 = '']) => Buffer.from(base64, 'base64'))
}

/** Whether a list says that it is by somebody who is here, and is not. */
function isForged(der: Uint8Array, certificates: readonly KnownCertificate[]): boolean {
  const crl = readCrl(der)
  const issuers = certificates.filter(({ subject }) => crl.ok && subject === crl.value.issuer)
  return issuers.length > 0 && !issuers.some((issuer) => crl.ok && isCrlBy(crl.value, issuer))
}

function distinct(all: readonly Certified[]): readonly Certified[] {
  return [...new Map(all.map((one) => [one.known.fingerprint, one])).values()]
}
