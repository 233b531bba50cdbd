import type { Row } from '../../bmc/bmc.ts'
import { anchorOf } from '../../image/trust/trust.ts'
import { OEM } from '../../redfish/oem/types.ts'
import { type JsonObject, link, odataType } from '../../redfish/resource.ts'
import { uris } from '../../redfish/uris.ts'
import { certificateCollection } from './certificate-collection.ts'

/** Who signs images, or certifies those who do. */
export const trustAnchorRows: readonly Row[] = certificateCollection({
  map: 'trustAnchors',
  path: uris.trustAnchors,
  pathOf: uris.trustAnchor,
  names: ['Trust anchors of image signatures', 'Trust anchor of image signatures'],
  // None of the types that a Certificate can name.
  usage: [],
  accept: async (_bmc, given) => anchorOf(given),
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
