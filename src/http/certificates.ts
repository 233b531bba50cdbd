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
import type { Journal, JournalRecord } from '../journal/journal.ts'
import type { Clock } from '../lib/clock.ts'
import { fail, type Result, succeed } from '../lib/result.ts'
import type { Authority, KeyPair } from './certificate.ts'
import type { KeyKind, SigningSubject } from './signing-request.ts'

/** Where the journal has them: what a BMC shows, and the keys that wait. */
const TABLE = 'keyPairs'
const SHOWN = 'shown'
const WAITING = 'waiting'

/** Keys of signing requests that are kept until their certificate comes; the oldest gives way. */
const MAX_WAITING_KEYS = 8

export interface CertificateOptions {
  readonly clock: Clock
  /** Whom the certificate is for that we make for a BMC, or for all of them. */
  readonly names: (bmc: Bmc | undefined) => readonly string[]
  /** Instead of one that we make. */
  readonly given?: KeyPair | undefined
  /** Where what clients rely on outlives the process. */
  readonly journal?: Journal | undefined
  /** Whether there are many BMCs: one authority certifies them all, and they share a key. */
  readonly isFleet?: boolean
}

/**
 * The HTTPS certificates of all BMCs with their keys, which nobody but the server gets to see; what is public of them
 * is in their BMC's state. A certificate is made when somebody first needs it: most runs never load what makes it.
 * Keys of signing requests wait here, too, for whichever collection they were made.
 */
export class Certificates {
  readonly #options: CertificateOptions
  readonly #pairs = new WeakMap<Bmc, Promise<KeyPair>>()
  /** Of whoever comes for no BMC yet. */
  #ownPair: Promise<KeyPair> | undefined
  #authority: Promise<Authority> | undefined
  readonly #waitingKeys = new WeakMap<Bmc, readonly string[]>()

  constructor(options: CertificateOptions) {
    this.#options = options
  }

  /** What clients rely on since an earlier run of the service. */
  takeUp(bmc: Bmc, records: readonly JournalRecord[]): void {
    for (const { table, key, value } of records) {
      // What is read here is what `#write` wrote.
      if (table === TABLE && key === SHOWN) this.#pairs.set(bmc, Promise.resolve(value as KeyPair))
      if (table === TABLE && key === WAITING) this.#waitingKeys.set(bmc, value as readonly string[])
    }
  }

  /** The certificate and key of a BMC; without one, those that the service has for itself. */
  keyPair(bmc: Bmc | undefined): Promise<KeyPair> {
    if (bmc === undefined) return (this.#ownPair ??= this.#make(undefined))
    const known = this.#pairs.get(bmc) ?? this.#make(bmc)
    this.#pairs.set(bmc, known)
    return known
  }

  /** Makes the certificate of a BMC known to its clients. */
  async show(bmc: Bmc): Promise<void> {
    const { cert } = await this.keyPair(bmc)
    if (bmc.state.network.certificate !== undefined) return
    commit(bmc, { network: { certificate: certificateOf(cert) } })
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
    if (kind === undefined) {
      // One that is given comes with every start.
      if (this.#options.given === undefined) this.#write(bmc, SHOWN, { cert, key })
      return requestLike(cert, key, challenge)
    }
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
    this.#write(bmc, SHOWN, pair)
    commit(bmc, { network: { certificate } })
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
    const waitingKeys = [...(this.#waitingKeys.get(bmc) ?? []), key].slice(-MAX_WAITING_KEYS)
    this.#waitingKeys.set(bmc, waitingKeys)
    this.#write(bmc, WAITING, waitingKeys)
  }

  #write({ id: owner }: Bmc, key: string, value: KeyPair | readonly string[]): void {
    this.#options.journal?.write({ owner, table: TABLE, key, value })
  }

  async #make(bmc: Bmc | undefined): Promise<KeyPair> {
    const { clock, names, given, isFleet } = this.#options
    if (given !== undefined) return given
    const { issueCertificate, makeAuthority, makeCertificate } = await import('./certificate.ts')
    if (isFleet !== true) return makeCertificate(names(bmc), clock)
    this.#authority ??= makeAuthority(clock)
    return issueCertificate(await this.#authority, names(bmc), clock)
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
