import type { KeyObject } from 'node:crypto'
import type { Socket } from 'node:net'
import type { Clock } from '../lib/clock.ts'
import type { Result } from '../lib/result.ts'

/** A way to fetch images from elsewhere. Every implementation passes `test/contracts/fetcher.ts`. */
export interface Fetcher {
  /**
   * Opens the image that the URI names, to be read as a stream. What is wrong with the source is told as a value; a
   * source that fails later ends its stream with a FetchError. When the signal is aborted, `open` or the stream rejects
   * at once with its reason, and nothing stays open. Whoever opens an image reads it, leaves its stream, or aborts.
   */
  open(request: FetchRequest): Promise<Result<RemoteImage, FetchProblem>>
}

/**
 * What every fetcher is made of. How long a source may say nothing, before and within the image, is watched by
 * `fetch.ts` for all of them: it aborts the signal.
 */
export interface TransferOptions {
  readonly clock: Clock
  readonly network: Network
  /** Folders that stand for what file servers share, by its URI: `nfs://server/export`, `smb://server/share`. */
  readonly folders: ReadonlyMap<string, string>
}

/**
 * The only way to other machines. A name is resolved once, every address is judged, and what is dialled is what was
 * judged: never hand a name to a library.
 */
export interface Network {
  /** The addresses of a name (or of an address, in brackets or not) that may be reached, IPv4 first; never none. */
  addressesOf(host: string, signal: AbortSignal): Promise<Result<Addresses, FetchProblem>>
  /** A TCP connection to the first of them that answers. */
  dial(target: DialTarget): Promise<Result<Socket, FetchProblem>>
}

export type Addresses = readonly [string, ...string[]]

export interface DialTarget {
  readonly host: string
  readonly port: number
  readonly signal: AbortSignal
}

export interface FetchRequest {
  readonly uri: URL
  readonly username: string | undefined
  readonly password: string | undefined
  readonly identity: Identity
  readonly signal: AbortSignal
}

/** How this service shows itself to image servers, and which of them it trusts (UpdateService v1_17). */
export interface Identity {
  /** VerifyRemoteServerCertificate: none but servers whose certificate is, or is signed by, one of these (PEM). */
  readonly trustedCertificates: readonly string[] | undefined
  /** What the service presents in TLS, with its key (PEM). */
  readonly clientCertificate: { readonly certificate: string; readonly privateKey: string } | undefined
  /** VerifyRemoteServerSSHKey: none but servers that have one of these keys (OpenSSH public key lines). */
  readonly trustedHostKeys: readonly TrustedHostKey[] | undefined
  /** The service's own SSH key, for servers that are given no password. */
  readonly sshKey: KeyObject | undefined
}

export interface TrustedHostKey {
  readonly publicKey: string
  /** The only server that the key counts for; any where absent. */
  readonly host: string | undefined
}

export interface RemoteImage {
  readonly fileName: string
  /** Where the source says it. */
  readonly sizeBytes: number | undefined
  readonly body: AsyncIterable<Uint8Array>
}

/** Why an image cannot be had; `detail` is for people. */
export type FetchProblem =
  | { readonly kind: 'missing' }
  | { readonly kind: 'unauthorized'; readonly detail: string }
  | { readonly kind: 'address-refused'; readonly address: string }
  | { readonly kind: 'name-not-resolved'; readonly host: string }
  | { readonly kind: 'no-connection'; readonly detail: string }
  | { readonly kind: 'untrusted'; readonly detail: string }
  | { readonly kind: 'wrong-protocol' }
  | { readonly kind: 'unsupported' }
  | { readonly kind: 'timeout' }
  /** This process has no file descriptor left. */
  | { readonly kind: 'exhausted' }
  | { readonly kind: 'http-failure'; readonly code: number }
  | { readonly kind: 'interrupted'; readonly detail: string }

/** Ends the stream of an image whose source failed under way. */
export class FetchError extends Error {
  readonly problem: FetchProblem

  constructor(problem: FetchProblem) {
    super(problem.kind)
    this.name = 'FetchError'
    this.problem = problem
  }
}
