import type { Bmc } from '../bmc/bmc.ts'
import { commit } from '../bmc/commit.ts'
import type { ClientCertificate } from '../bmc/image-servers.ts'
import {
  type CertificateProblem,
  certificateOf,
  type GivenCertificate,
  isKeyOf,
  pemOf,
} from '../bmc/read-certificate.ts'
import type { Clock } from '../lib/clock.ts'
import { fail, type Result, succeed } from '../lib/result.ts'
import type { KeyPair } from './certificate.ts'
import type { KeyKind, SigningSubject } from './signing-request.ts'

/** Keys of signing requests that are kept until their certificate comes; the oldest gives way. */
const MAX_WAITING_KEYS = 8

export interface CertificateOptions {
  readonly clock: Clock
  /** Whom a certificate that we make is for. */
  readonly names: readonly string[]
  /** Instead of one that we make. */
  readonly given?: KeyPair | undefined
}

/**
 * The HTTPS certificates of all BMCs with their keys, which nobody but the server gets to see; what is public of them
 * is in their BMC's state. A certificate is made when somebody first needs it: most runs never load what makes it.
 * Keys of signing requests wait here, too, for whichever collection they were made.
 */
export class Certificates {
  readonly #options: CertificateOptions
  readonly #pairs = new WeakMap<Bmc, Promise<KeyPair>>()
  readonly #waitingKeys = new WeakMap<Bmc, readonly string[]>()
  readonly #watchers = new Set<(bmc: Bmc, pair: KeyPair) => void>()

  constructor(options: CertificateOptions) {
    this.#options = options
  }

  /** Told of every certificate that takes the place of another. */
  watch(replaced: (bmc: Bmc, pair: KeyPair) => void): void {
    this.#watchers.add(replaced)
  }

  keyPair(bmc: Bmc): Promise<KeyPair> {
    const known = this.#pairs.get(bmc) ?? this.#begin(bmc)
    this.#pairs.set(bmc, known)
    return known
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

  /** Puts a certificate in the place of the present one, whose key it may have. */
  async replace(bmc: Bmc, given: GivenCertificate): Promise<Result<undefined, CertificateProblem>> {
    const present = await this.keyPair(bmc)
    const owned = await this.own(bmc, given, present.key)
    if (!owned.ok) return owned
    const { certificate, privateKey } = owned.value
    const pair = { cert: pemOf(certificate), key: privateKey }
    this.#pairs.set(bmc, Promise.resolve(pair))
    commit(bmc, { network: { certificate } })
    for (const replaced of this.#watchers) replaced(bmc, pair)
    return succeed(undefined)
  }

  /** A certificate with its key: the one that came with it, or else that of a signing request, or of what it replaces. */
  async own(
    bmc: Bmc,
    { certificate, key }: GivenCertificate,
    present?: string,
  ): Promise<Result<ClientCertificate, CertificateProblem>> {
    if (certificate.validTo <= this.#options.clock.now()) return fail({ kind: 'expired' })
    const waitingKeys = this.#waitingKeys.get(bmc) ?? []
    const candidates =
      key === undefined ? [...waitingKeys, ...(present === undefined ? [] : [present])] : [key]
    const privateKey = candidates.find((candidate) => isKeyOf(candidate, certificate))
    if (privateKey === undefined) return fail({ kind: 'key' })
    if (!(await isUsable({ cert: pemOf(certificate), key: privateKey }))) return fail({ kind: 'weak' })
    return succeed({ certificate, privateKey })
  }

  #keep(bmc: Bmc, key: string): void {
    const waitingKeys = this.#waitingKeys.get(bmc) ?? []
    this.#waitingKeys.set(bmc, [...waitingKeys, key].slice(-MAX_WAITING_KEYS))
  }

  async #begin(bmc: Bmc): Promise<KeyPair> {
    const { clock, names, given } = this.#options
    const pair = given ?? (await (await import('./certificate.ts')).makeCertificate(names, clock))
    commit(bmc, { network: { certificate: certificateOf(pair.cert) } })
    return pair
  }
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
