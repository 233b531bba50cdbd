import { X509Certificate } from 'node:crypto'
import type { Bmc } from '../../bmc/bmc.ts'
import type { TrustedCertificate } from '../../bmc/image-servers.ts'
import type { CertificateProblem, GivenCertificate } from '../../bmc/read-certificate.ts'
import type { TrustStore } from '../../bmc/trust-store.ts'
import { fail, type Result, succeed } from '../../lib/result.ts'
import { formsOf } from './schemes.ts'

/** Whose signatures count, and which of them do not any more. */
export interface Trust extends Omit<TrustStore, 'anchors'> {
  /** PEM. */
  readonly anchors: readonly string[]
}

/**
 * Whom a BMC believes now: what it was given, with the anchors that clients made of it. Of a chain only the first is
 * an anchor: those that issued it would vouch for others, too.
 */
export function trustOf({ machine, state }: Bmc): Trust {
  const chains = [...state.trustAnchors.values()].map(({ certificate }) => certificate.chain)
  return {
    ...machine.trustStore,
    anchors: chains.flatMap((chain) => chain.slice(0, 1)),
    intermediates: [...machine.trustStore.intermediates, ...chains.flatMap((chain) => chain.slice(1))],
    revokedDigests: new Set([...machine.trustStore.revokedDigests, ...machine.trust.revokedDigests]),
  }
}

/** What a client gives as an anchor: refused, as in a folder, where a key of it could sign nothing that counts. */
export function anchorOf({ certificate }: GivenCertificate): Result<TrustedCertificate, CertificateProblem> {
  return certificate.chain.every(hasFitKey) ? succeed({ certificate }) : fail({ kind: 'weak' })
}

function hasFitKey(pem: string): boolean {
  try {
    return formsOf(new X509Certificate(pem).publicKey).length > 0
  } catch {
    return false // of a kind that OpenSSL does not know
  }
}
