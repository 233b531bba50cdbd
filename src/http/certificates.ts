import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import type { Bmc } from '../bmc/bmc.ts'
import { commit } from '../bmc/commit.ts'
import type { DistinguishedName, PublicCertificate } from '../bmc/network.ts'
import type { Clock } from '../lib/clock.ts'
import { fail, type Result, succeed } from '../lib/result.ts'
import type { KeyPair } from './certificate.ts'
import type { KeyKind, SigningSubject } from './signing-request.ts'

/** Keys of signing requests that are kept until their certificate comes; the oldest gives way. */
const MAX_WAITING_KEYS = 8

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g
const PRIVATE_KEY = /-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----[^-]+-----END (?:[A-Z]+ )?PRIVATE KEY-----/g

/** Why a certificate cannot be used. */
export interface CertificateProblem {
  readonly kind: 'unreadable' | 'chain' | 'key' | 'expired' | 'weak'
}

export interface CertificateOptions {
  readonly clock: Clock
  /** Whom a certificate that we make is for. */
  readonly names: readonly string[]
  /** Instead of one that we make. */
  readonly given?: KeyPair | undefined
}

interface Kept {
  pair: Promise<KeyPair>
  readonly waitingKeys: string[]
}

/**
 * The HTTPS certificates of all BMCs with their keys, which nobody but the server gets to see; what is public of them
 * is in their BMC's state. A certificate is made when somebody first needs it: most runs never load what makes it.
 */
export class Certificates {
  readonly #options: CertificateOptions
  readonly #kept = new WeakMap<Bmc, Kept>()
  readonly #watchers = new Set<(bmc: Bmc, pair: KeyPair) => void>()

  constructor(options: CertificateOptions) {
    this.#options = options
  }

  /** Told of every certificate that takes the place of another. */
  watch(replaced: (bmc: Bmc, pair: KeyPair) => void): void {
    this.#watchers.add(replaced)
  }

  keyPair(bmc: Bmc): Promise<KeyPair> {
    return this.#of(bmc).pair
  }

  /** A signing request for this subject; its new key is kept until the certificate comes. */
  async request(bmc: Bmc, subject: SigningSubject, kind: KeyKind): Promise<string> {
    const { makeKey, requestFor } = await import('./signing-request.ts')
    const key = await makeKey(kind)
    this.#keep(bmc, key)
    return requestFor(subject, key)
  }

  /** A signing request for a certificate like the present one: for its key, or for a new one of this kind. */
  async requestAgain(bmc: Bmc, kind: KeyKind | undefined, challenge: string | undefined): Promise<string> {
    const { makeKey, requestLike } = await import('./signing-request.ts')
    const { cert, key } = await this.keyPair(bmc)
    if (kind === undefined) return requestLike(cert, key, challenge)
    const next = await makeKey(kind)
    this.#keep(bmc, next)
    return requestLike(cert, next, challenge)
  }

  /**
   * Puts a certificate (PEM) in the place of the present one, with the chain that comes with it. Its key comes with it,
   * too, or belongs to a signing request, or stays the same.
   */
  async replace(bmc: Bmc, text: string): Promise<Result<PublicCertificate, CertificateProblem>> {
    const chain = text.match(CERTIFICATE) ?? []
    const keys = text.match(PRIVATE_KEY) ?? []
    const [leaf, ...issuers] = parseChain(chain)
    if (leaf === undefined || keys.length > 1) return fail({ kind: 'unreadable' })
    const above = [leaf, ...issuers]
    if (issuers.some((issuer, index) => above[index]?.checkIssued(issuer) !== true))
      return fail({ kind: 'chain' })
    if (leaf.validToDate.getTime() <= this.#options.clock.now()) return fail({ kind: 'expired' })
    const kept = this.#of(bmc)
    const present = await kept.pair
    const candidates = keys.length > 0 ? keys : [...kept.waitingKeys, present.key]
    const key = candidates.find((candidate) => isKeyOf(candidate, leaf))
    if (key === undefined) return fail({ kind: 'key' })
    const pair = { cert: `${chain.join('\n')}\n`, key }
    if (!(await isUsable(pair))) return fail({ kind: 'weak' })
    kept.pair = Promise.resolve(pair)
    const index = kept.waitingKeys.indexOf(key)
    if (index !== -1) kept.waitingKeys.splice(index, 1)
    const certificate = publicCertificate(pair.cert)
    commit(bmc, { network: { certificate } })
    for (const replaced of this.#watchers) replaced(bmc, pair)
    return succeed(certificate)
  }

  #keep(bmc: Bmc, key: string): void {
    const { waitingKeys } = this.#of(bmc)
    waitingKeys.push(key)
    if (waitingKeys.length > MAX_WAITING_KEYS) waitingKeys.shift()
  }

  #of(bmc: Bmc): Kept {
    const known = this.#kept.get(bmc) ?? { pair: this.#begin(bmc), waitingKeys: [] }
    this.#kept.set(bmc, known)
    return known
  }

  async #begin(bmc: Bmc): Promise<KeyPair> {
    const { clock, names, given } = this.#options
    const pair = given ?? (await (await import('./certificate.ts')).makeCertificate(names, clock))
    commit(bmc, { network: { certificate: publicCertificate(pair.cert) } })
    return pair
  }
}

/** What may be shown of a certificate chain (PEM). */
function publicCertificate(pem: string): PublicCertificate {
  const chain = pem.match(CERTIFICATE) ?? []
  const leaf = new X509Certificate(chain[0] ?? '')
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

function parseChain(chain: readonly string[]): X509Certificate[] {
  try {
    return chain.map((one) => new X509Certificate(one))
  } catch {
    return [] // no certificate at all, whatever stands between its lines
  }
}

function isKeyOf(key: string, certificate: X509Certificate): boolean {
  let parsed: KeyObject
  try {
    parsed = createPrivateKey(key)
  } catch {
    return false // encrypted, or no key
  }
  return certificate.checkPrivateKey(parsed)
}

/** Whether TLS takes it: OpenSSL refuses short keys and old digests. */
async function isUsable({ cert, key }: KeyPair): Promise<boolean> {
  const { createSecureContext } = await import('node:tls')
  try {
    createSecureContext({ cert, key })
    return true
  } catch {
    return false
  }
}

function nameOf(attributes: object): DistinguishedName {
  return new Map(Object.entries(attributes).map(([name, value]) => [name, [value].flat().map(String)]))
}

/** `DNS:localhost, IP Address:127.0.0.1`, as Node writes them, without what kind they are of. */
function alternativeNames(text: string | undefined): string[] {
  return text === undefined ? [] : text.split(', ').map((name) => name.replace(/^[^:]*:/, ''))
}
