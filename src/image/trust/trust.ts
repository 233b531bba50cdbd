import type { Bmc } from '../../bmc/bmc.ts'
import type { TrustStore } from '../../bmc/trust-store.ts'

/** Whose signatures count, and which of them do not any more. */
export interface Trust extends Omit<TrustStore, 'anchors'> {
  /** PEM. */
  readonly anchors: readonly string[]
}

/** Whom a BMC believes now: what it was given, with the anchors that clients made of it. */
export function trustOf({ machine, state }: Bmc): Trust {
  return {
    ...machine.trustStore,
    anchors: [...state.trustAnchors.values()].flatMap(({ certificate }) => certificate.chain),
    revokedDigests: new Set([...machine.trustStore.revokedDigests, ...machine.trust.revokedDigests]),
  }
}
