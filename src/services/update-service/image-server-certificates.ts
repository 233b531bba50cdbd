import type { Row } from '../../bmc/bmc.ts'
import type { Certificates } from '../../http/certificates.ts'
import { uris } from '../../redfish/uris.ts'
import { type CertificatePlace, certificateCollection, trusted } from './certificate-collection.ts'

/** Certificates of the image servers that are trusted, and those that the service presents to them. */
export function imageServerCertificateRows(certificates: Certificates): Row[] {
  const places: readonly CertificatePlace[] = [
    {
      map: 'trustedCertificates',
      path: uris.remoteServerCertificates,
      pathOf: uris.remoteServerCertificate,
      names: ['Certificates of image servers', 'Certificate of an image server'],
      accept: trusted,
    },
    {
      map: 'clientCertificates',
      path: uris.clientCertificates,
      pathOf: uris.clientCertificate,
      names: ['Client certificates', 'Client certificate'],
      accept: (bmc, given) => certificates.own(bmc, given),
    },
  ]
  return places.flatMap(certificateCollection)
}
