import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { fail, type Result, succeed } from '../lib/result.ts'
import type { DistinguishedName, PublicCertificate } from './network.ts'

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g
const PRIVATE_KEY = /-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----[^-]+-----END (?:[A-Z]+ )?PRIVATE KEY-----/g

/** Formats that certificates come in (Certificate v1_11, CertificateType). */
export const certificateTypes = ['PEM', 'PEMchain'] as const
export type CertificateType = (typeof certificateTypes)[number]

/** Why a certificate cannot be used. */
export interface CertificateProblem {
  readonly kind: 'unreadable' | 'chain' | 'key' | 'expired' | 'weak'
}

/** What a client sent: a certificate with those that it was issued by, and its key where that came with it. */
export interface GivenCertificate {
  readonly certificate: PublicCertificate
  readonly key: string | undefined
}

export function readCertificate(
  text: string,
  type: CertificateType,
): Result<GivenCertificate, CertificateProblem> {
  const chain = text.match(CERTIFICATE) ?? []
  const keys = text.match(PRIVATE_KEY) ?? []
  const [leaf, ...issuers] = parseChain(chain)
  if (leaf === undefined || keys.length > 1) return fail({ kind: 'unreadable' })
  const above = [leaf, ...issuers]
  const isChain = issuers.every((issuer, index) => above[index]?.checkIssued(issuer) === true)
  if (!isChain || (type === 'PEM' && issuers.length > 0)) return fail({ kind: 'chain' })
  return succeed({ certificate: publicCertificate(leaf, chain), key: keys[0] })
}

/** A certificate of ours. Throws an Error where it is none. */
export function certificateOf(pem: string): PublicCertificate {
  const chain = pem.match(CERTIFICATE) ?? []
  return publicCertificate(new X509Certificate(chain[0] ?? ''), chain)
}

/** The certificate with those that it was issued by, as one text (PEM). */
export function pemOf({ chain }: PublicCertificate): string {
  return `${chain.join('\n')}\n`
}

/** Whether a private key (PEM) belongs to the certificate. */
export function isKeyOf(key: string, { chain: [leaf = ''] }: PublicCertificate): boolean {
  let parsed: KeyObject
  try {
    parsed = createPrivateKey(key)
  } catch {
    return false // encrypted, or no key
  }
  return new X509Certificate(leaf).checkPrivateKey(parsed)
}

function parseChain(chain: readonly string[]): X509Certificate[] {
  try {
    return chain.map((one) => new X509Certificate(one))
  } catch {
    return [] // no certificate at all, whatever stands between its lines
  }
}

/** What may be shown of a certificate. */
function publicCertificate(leaf: X509Certificate, chain: readonly string[]): PublicCertificate {
  const { subject, issuer } = leaf.toLegacyObject()
  return {
    chain,
    subject: nameOf(subject),
    issuer: nameOf(issuer),
    alternativeNames: alternativeNames(leaf.subjectAltName),
    serialNumber: (leaf.serialNumber.match(/../g) ?? []).join(':'),
    fingerprint: leaf.fingerprint256,
    validFrom: leaf.validFromDate.getTime(),
    validTo: leaf.validToDate.getTime(),
    signatureAlgorithm: leaf.signatureAlgorithm,
    usages: leaf.keyUsage ?? [],
  }
}

function nameOf(attributes: object): DistinguishedName {
  return new Map(Object.entries(attributes).map(([name, value]) => [name, [value].flat().map(String)]))
}

/** `DNS:localhost, IP Address:127.0.0.1`, as Node writes them, without what kind they are of. */
function alternativeNames(text: string | undefined): string[] {
  return text === undefined ? [] : text.split(', ').map((name) => name.replace(/^[^:]*:/, ''))
}
