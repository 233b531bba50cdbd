import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { millisecondsOf } from '../lib/clock.ts'
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
    const parsed = chain.map((one) => new X509Certificate(one))
    return parsed.every(isDated) ? parsed : []
  } catch {
    return [] // no certificate at all, whatever stands between its lines
  }
}

/**
 * Whether it says from when to when it is valid. Asked of the text: where the certificate says nonsense, Node's dates
 * are whatever was in memory.
 */
export function isDated({ validFrom, validTo }: X509Certificate): boolean {
  return [validFrom, validTo].every((text) => !Number.isNaN(millisecondsOf(text)))
}

/** What may be shown of a certificate. */
function publicCertificate(leaf: X509Certificate, chain: readonly string[]): PublicCertificate {
  return {
    chain,
    subject: nameOf(leaf.subject),
    issuer: nameOf(leaf.issuer),
    alternativeNames: alternativeNames(leaf.subjectAltName),
    serialNumber: (leaf.serialNumber.match(/../g) ?? []).join(':'),
    fingerprint: leaf.fingerprint256,
    validFrom: leaf.validFromDate.getTime(),
    validTo: leaf.validToDate.getTime(),
    signatureAlgorithm: leaf.signatureAlgorithm,
    usages: leaf.keyUsage ?? [],
  }
}

/**
 * `CN=localhost` and more such lines, as Node writes a name. toLegacyObject() has it in parts, but ends the process
 * where the key is on a curve that NIST has no name for, or is of an unknown kind.
 */
function nameOf(text: string | undefined): DistinguishedName {
  const name = new Map<string, string[]>()
  // In values, these are escaped.
  for (const part of (text ?? '').split(/\n| \+ /).filter((one) => one !== '')) {
    const [attribute = ''] = part.split('=', 1)
    const value = unescaped(part.slice(attribute.length + 1))
    name.set(attribute, [...(name.get(attribute) ?? []), value])
  }
  return name
}

/** A backslash, and what it takes its meaning from, or what cannot be seen in hexadecimal (RFC 4514 §2.4). */
function unescaped(text: string): string {
  return text.replaceAll(/\\(?:([0-9A-F]{2})|(.))/g, (_, hex: string | undefined, one: string) =>
    hex === undefined ? one : String.fromCodePoint(Number.parseInt(hex, 16)),
  )
}

/** `DNS:localhost, IP Address:127.0.0.1`, as Node writes them, without what kind they are of. */
function alternativeNames(text: string | undefined): string[] {
  return text === undefined ? [] : text.split(', ').map((name) => name.replace(/^[^:]*:/, ''))
}
