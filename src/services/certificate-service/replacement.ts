import type { Bmc } from '../../bmc/bmc.ts'
import { commit } from '../../bmc/commit.ts'
import type { CertificateProblem, GivenCertificate } from '../../bmc/read-certificate.ts'
import type { Certificates } from '../../http/certificates.ts'
import { anchorOf } from '../../image/trust/trust.ts'
import { type Result, succeed } from '../../lib/result.ts'
import { lastSegment, uris } from '../../redfish/uris.ts'

type Put = (given: GivenCertificate) => Promise<Result<unknown, CertificateProblem>>

/** What puts another certificate in the place of the one at the URI; `undefined` where there is none. */
export function replacementOf(bmc: Bmc, uri: string, certificates: Certificates): Put | undefined {
  const id = lastSegment(uri)
  const { clientCertificates } = bmc.state
  switch (uri) {
    case uris.httpsCertificate(bmc.machine.manager):
      return (given) => certificates.replace(bmc, given)
    case uris.remoteServerCertificate(id):
      return trusting(bmc, 'trustedCertificates', id, succeed)
    case uris.trustAnchor(id):
      return trusting(bmc, 'trustAnchors', id, anchorOf)
    case uris.clientCertificate(id): {
      const present = clientCertificates.get(id)
      if (present === undefined) return undefined
      return async (given) => {
        const owned = await certificates.own(bmc, given, present.privateKey)
        // Meanwhile it may be gone.
        if (owned.ok && clientCertificates.has(id)) commit(bmc, { clientCertificates: [[id, owned.value]] })
        return owned
      }
    }
    default:
      return undefined
  }
}

/** Of those who are trusted no key is needed. */
function trusting(
  bmc: Bmc,
  map: 'trustedCertificates' | 'trustAnchors',
  id: string,
  accept: typeof anchorOf,
): Put | undefined {
  if (!bmc.state[map].has(id)) return undefined
  return async (given) => {
    const accepted = accept(given)
    if (accepted.ok) commit(bmc, { [map]: [[id, { certificate: accepted.value.certificate }]] })
    return accepted
  }
}
