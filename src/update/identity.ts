import { createPrivateKey } from 'node:crypto'
import type { Bmc } from '../bmc/bmc.ts'
import { pemOf } from '../bmc/read-certificate.ts'
import type { Identity } from '../transfer/fetcher.ts'

/** How a BMC's update service shows itself to image servers, and which of them it trusts. */
export function identityOf({ state }: Bmc): Identity {
  const { settings, trustedCertificates, clientCertificates, trustedKeys, identityKeys } = state
  // The newest: one that takes another's place is presented before that is removed.
  const client = [...clientCertificates.values()].at(-1)
  const [own] = identityKeys.values()
  return {
    trustedCertificates: settings.verifyRemoteServerCertificate
      ? [...trustedCertificates.values()].flatMap(({ certificate }) => certificate.chain)
      : undefined,
    clientCertificate: client && {
      certificate: pemOf(client.certificate),
      privateKey: client.privateKey,
    },
    trustedHostKeys: settings.verifyRemoteServerSshKey
      ? [...trustedKeys.values()].map(({ line, host }) => ({ publicKey: line, host }))
      : undefined,
    sshKey: own && createPrivateKey(own.privateKey),
  }
}
