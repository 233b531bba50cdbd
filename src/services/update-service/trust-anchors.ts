import type { Row } from '../../bmc/bmc.ts'
import { OEM } from '../../redfish/oem/types.ts'
import { type JsonObject, link, odataType } from '../../redfish/resource.ts'
import { uris } from '../../redfish/uris.ts'
import { certificateCollection, trusted } from './certificate-collection.ts'

/** Who signs images, or certifies those who do. */
export const trustAnchorRows: readonly Row[] = certificateCollection({
  map: 'trustAnchors',
  path: uris.trustAnchors,
  pathOf: uris.trustAnchor,
  names: ['Trust anchors of image signatures', 'Trust anchor of image signatures'],
  // None of the types that a Certificate can name.
  usage: [],
  accept: trusted,
})

/** What stands of it in the UpdateService itself. */
export function trustMembers(): JsonObject {
  return {
    Oem: {
      [OEM]: {
        '@odata.type': odataType('RedflashUpdateService'),
        TrustAnchors: link(uris.trustAnchors),
      },
    },
  }
}
