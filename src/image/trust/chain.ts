import { type Crl, isCrlBy } from './crl.ts'
import { isIssuedBy, type KnownCertificate } from './known-certificate.ts'

/** Why a signer is not believed; where it is a certificate's, which one. */
export type ChainProblem =
  | { readonly kind: 'untrusted' }
  | { readonly kind: CertificateFault; readonly certificate: string }

export type CertificateFault = 'expired' | 'not-yet-valid' | 'revoked' | 'wrong-usage'

/** The certificates that a signature is judged by. */
export interface Pool {
  /** Those that lead to an anchor, whoever brought them. */
  readonly others: readonly KnownCertificate[]
  readonly anchors: readonly KnownCertificate[]
  readonly crls: readonly Crl[]
}

type Verdict =
  | { readonly ok: true; readonly path: readonly KnownCertificate[] }
  | { readonly ok: false; readonly problem: ChainProblem }

/** How many signatures of certificates are looked at: the one who signs chooses how tangled they are. Then nobody is believed. */
const MAX_CHECKS = 200

/** Judges signers by who vouches for them; what was found out for one is not looked at again for another. */
export class Chains {
  readonly #pool: Pool
  readonly #anchors: ReadonlySet<string>
  readonly #all: readonly KnownCertificate[]
  readonly #issuers = new Map<string, readonly KnownCertificate[]>()
  #checks = 0

  constructor(pool: Pool) {
    this.#pool = pool
    this.#anchors = new Set(pool.anchors.map(({ fingerprint }) => fingerprint))
    this.#all = distinct([...pool.anchors, ...pool.others])
  }

  /** The way from the signer to an anchor, at this time; or why there is none. */
  judge(signer: KnownCertificate, now: number): Verdict {
    const path = this.#path(signer, (one, below) => this.#faultOf(one, below, now) === undefined)
    // A list that was not asked may revoke any of them.
    if (this.#checks > MAX_CHECKS) return { ok: false, problem: { kind: 'untrusted' } }
    if (path !== undefined) return { ok: true, path }
    // Which would it be if nothing were wrong with any certificate?
    for (const [below, certificate] of (this.#path(signer, () => true) ?? []).entries()) {
      const kind = this.#faultOf(certificate, below, now)
      if (kind !== undefined) return { ok: false, problem: { kind, certificate: certificate.name } }
    }
    return { ok: false, problem: { kind: 'untrusted' } }
  }

  /** The shortest way over certificates that will do; `below` counts those between them and the signer, and that. */
  #path(
    signer: KnownCertificate,
    willDo: (one: KnownCertificate, below: number) => boolean,
  ): readonly KnownCertificate[] | undefined {
    const seen = new Set([signer.fingerprint])
    let paths: (readonly KnownCertificate[])[] = willDo(signer, 0) ? [[signer]] : []
    while (paths.length > 0) {
      const found = paths.find((path) => this.#anchors.has(path.at(-1)?.fingerprint ?? ''))
      if (found !== undefined) return found
      paths = paths.flatMap((path) =>
        this.#issuersOf(path.at(-1) ?? signer)
          .filter((issuer) => !seen.has(issuer.fingerprint) && willDo(issuer, path.length))
          .map((issuer) => {
            seen.add(issuer.fingerprint)
            return [...path, issuer]
          }),
      )
    }
    return undefined
  }

  #faultOf(one: KnownCertificate, below: number, now: number): CertificateFault | undefined {
    if (this.#isRevoked(one)) return 'revoked'
    if (below === 0 ? !one.maySignCode : !one.mayCertify || one.maxBelow < below - 1) return 'wrong-usage'
    if (now < one.notBefore) return 'not-yet-valid'
    // Not the other way round: what is no time at all is over.
    return now <= one.notAfter ? undefined : 'expired'
  }

  #isRevoked(one: KnownCertificate): boolean {
    return this.#pool.crls
      .filter(({ issuer, serialNumbers }) => issuer === one.issuer && serialNumbers.has(one.serialNumber))
      .some((crl) => this.#issuersOf(one).some((issuer) => isCrlBy(crl, issuer)))
  }

  #issuersOf(one: KnownCertificate): readonly KnownCertificate[] {
    const issuers = this.#issuers.get(one.fingerprint) ?? this.#findIssuers(one)
    this.#issuers.set(one.fingerprint, issuers)
    return issuers
  }

  #findIssuers(one: KnownCertificate): readonly KnownCertificate[] {
    return this.#all.filter(
      (other) => other.subject === one.issuer && this.#checks++ < MAX_CHECKS && isIssuedBy(one, other),
    )
  }
}

function distinct(all: readonly KnownCertificate[]): readonly KnownCertificate[] {
  return [...new Map(all.map((one) => [one.fingerprint, one])).values()]
}
