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

/** Where the journal has them: what a BMC shows because a client said so, or because we made it, and the keys that wait. */
const TABLE = 'keyPairs'
const SHOWN = 'shown'
const MADE = 'made'
const WAITING = 'waiting'
/** The service's own records: what it shows for no BMC, and who certifies its fleet. */
const SERVICE = ''
const AUTHORITY = 'authority'

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

/** What we made, and for whom: for others it is made anew. */
interface Made extends KeyPair {
  readonly names: readonly string[]
}

/**
 * The HTTPS certificates of all BMCs with their keys, which nobody but the server gets to see; what is public of them
 * is in their BMC's state. A certificate is made when somebody first needs it: most runs never load what makes it.
 * Keys of signing requests wait here, too, for whichever collection they were made.
 */
export class Certificates {
  readonly #options: CertificateOptions
  /** By their BMC; ourselves for those who come for none yet. */
  readonly #pairs = new WeakMap<Bmc | Certificates, Promise<KeyPair>>()
  #authority: Promise<Authority> | undefined
  /** Of an earlier run of the service. */
  readonly #made = new WeakMap<Bmc | Certificates, Made>()
  #keptAuthority: Authority | undefined
  readonly #waitingKeys = new WeakMap<Bmc, readonly string[]>()

  constructor(options: CertificateOptions) {
    this.#options = options
  }

  /** What clients rely on since an earlier run of the service. */
  takeUp(bmc: Bmc, records: readonly JournalRecord[]): void {
    for (const { table, key, value } of records) {
      // What is read here is what `#write` wrote.
      if (table === TABLE && key === SHOWN) this.#pairs.set(bmc, Promise.resolve(value as KeyPair))
      if (table === TABLE && key === MADE) this.#made.set(bmc, value as Made)
      if (table === TABLE && key === WAITING) this.#waitingKeys.set(bmc, value as readonly string[])
    }
  }

  /** The same for what is no BMC's, out of all that was kept. */
  takeUpOwn(records: Iterable<JournalRecord>): void {
    for (const { owner, table, key, value } of records) {
      if (owner !== SERVICE || table !== TABLE) continue
      if (key === MADE) this.#made.set(this, value as Made)
      if (key === AUTHORITY) this.#keptAuthority = value as Authority
    }
  }

  /** The certificate and key of a BMC; without one, those that the service has for itself. */
  keyPair(bmc: Bmc | undefined): Promise<KeyPair> {
    const owner = bmc ?? this
    const known = this.#pairs.get(owner)
    if (known !== undefined) return known
    const made = this.#make(bmc).catch((error: unknown) => {
      // Whoever comes next tries again.
      this.#pairs.delete(owner)
      throw error
    })
    this.#pairs.set(owner, made)
    return made
  }

  /** Whom clients can trust for all BMCs (PEM); nobody for one BMC, or where the certificate was given. */
  async authority(): Promise<string | undefined> {
    const { given, isFleet } = this.#options
    return isFleet === true && given === undefined ? (await this.#certifier()).cert : undefined
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

  #write(bmc: Bmc | undefined, key: string, value: KeyPair | readonly string[]): void {
    this.#options.journal?.write({ owner: bmc?.id ?? SERVICE, table: TABLE, key, value })
  }

  async #make(bmc: Bmc | undefined): Promise<KeyPair> {
    const { clock, given, isFleet, names: namesOf } = this.#options
    if (given !== undefined) return given
    const names = namesOf(bmc)
    const authority = isFleet === true ? await this.#certifier() : undefined
    const kept = this.#made.get(bmc ?? this)
    if (kept !== undefined && this.#isStillRight(kept, names, authority))
      return { cert: kept.cert, key: kept.key }
    const { issueCertificate, makeCertificate } = await import('./certificate.ts')
    const pair = await (authority ? issueCertificate(authority, names, clock) : makeCertificate(names, clock))
    const made: Made = { ...pair, names }
    this.#write(bmc, MADE, made)
    return pair
  }

  #isStillRight(kept: Made, names: readonly string[], authority: Authority | undefined): boolean {
    const isForThem = names.length === kept.names.length && names.every((name) => kept.names.includes(name))
    return isForThem && kept.cert.endsWith(authority?.cert ?? '') && this.#isValid(kept)
  }

  #isValid({ cert }: KeyPair): boolean {
    const { validFrom, validTo } = certificateOf(cert)
    const now = this.#options.clock.now()
    return validFrom <= now && now < validTo
  }

  #certifier(): Promise<Authority> {
    return (this.#authority ??= this.#makeAuthority().catch((error: unknown) => {
      this.#authority = undefined
      throw error
    }))
  }

  async #makeAuthority(): Promise<Authority> {
    const kept = this.#keptAuthority
    if (kept !== undefined && this.#isValid(kept)) return kept
    const { makeAuthority } = await import('./certificate.ts')
    const made = await makeAuthority(this.#options.clock)
    this.#write(undefined, AUTHORITY, made)
    return made
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
