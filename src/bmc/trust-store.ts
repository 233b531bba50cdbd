import type { PublicCertificate } from './network.ts'

/** Whom a machine believes when an image is signed, as whoever runs it gives it. */
export interface TrustStore {
  /** Who signs images, or certifies those who do: the collection of trust anchors begins with them. */
  readonly anchors: readonly PublicCertificate[]
  /** PEM, of those between anchors and signers: they are believed only where an anchor vouches for them. */
  readonly intermediates: readonly string[]
  /** Lists of revoked certificates (RFC 5280 §5) in DER. */
  readonly crls: readonly Uint8Array[]
  /** Public keys (PEM, SPKI) by the names that signatures have for them. */
  readonly keys: ReadonlyMap<string, string>
  /** SHA-256 digests, in hexadecimal, of what is not to run any more. */
  readonly revokedDigests: ReadonlySet<string>
}

/** That of a machine that nobody gave one. */
export const emptyTrustStore: TrustStore = {
  anchors: [],
  intermediates: [],
  crls: [],
  keys: new Map(),
  revokedDigests: new Set(),
}
