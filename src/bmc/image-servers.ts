import type { PublicCertificate } from './network.ts'

// What the UpdateService shows of itself to image servers, and which of them it trusts.

/** A public SSH key, without a secret. */
export interface SshPublicKey {
  /** As OpenSSH writes it: type, base64 and, where there is one, a comment. */
  readonly line: string
  /** `SHA256:…`, as OpenSSH writes it. */
  readonly fingerprint: string
  readonly comment: string | undefined
}

/** The key of an SSH server. */
export interface TrustedKey extends SshPublicKey {
  /** The only server that it counts for; any where absent. */
  readonly host: string | undefined
  /** What a client says of it. */
  readonly description: string | null
}

/** The service's own SSH key. */
export interface IdentityKey extends SshPublicKey {
  /** PKCS #8, PEM: shown to nobody. */
  readonly privateKey: string
}

/** The certificate of an HTTPS server, or of who signs those; or of who signs images. */
export interface TrustedCertificate {
  readonly certificate: PublicCertificate
}

/** What the service presents in TLS. */
export interface ClientCertificate {
  readonly certificate: PublicCertificate
  /** PEM: shown to nobody. */
  readonly privateKey: string
}
