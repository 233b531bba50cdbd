import { type Bmc, findComponent, type Row } from '../../bmc/bmc.ts'
import { MAX_HISTORY } from '../../bmc/history.ts'
import { isThere } from '../../bmc/presence.ts'
import type { HistoryEntry } from '../../bmc/state.ts'
import { timestamp } from '../../lib/clock.ts'
import { type JsonObject, link, resource } from '../../redfish/resource.ts'
import { uris } from '../../redfish/uris.ts'

/** The versions that ran on a component, and who brought them. */
export const historyRow: Row = {
  path: uris.firmwareHistory(':id'),
  type: 'RedflashSoftwareHistory',
  view: (bmc, { id = '' }) => {
    const component = findComponent(bmc, id)
    if (component === undefined) return undefined
    const { version, releaseDate } = component.factory
    const entries = bmc.state.history.get(id) ?? []
    const isComplete = entries.length < MAX_HISTORY
    // What a device is seen to run is not what it ran before it was updated.
    const first = entries[0]?.replaced ?? version
    return {
      ...resource('RedflashSoftwareHistory', uris.firmwareHistory(id), `Versions of ${id}`),
      Versions: [
        ...(isComplete ? [{ Version: first, ReleaseDate: first === version ? releaseDate : undefined }] : []),
        ...entries.map((entry) => versionView(bmc, entry)),
      ],
    }
  },
}

function versionView(bmc: Bmc, entry: HistoryEntry): JsonObject {
  const { version, releaseDate, activatedAt, image, sha256, signer, cause } = entry
  const items = (cause?.related ?? []).filter((one) => isThere(bmc, one))
  return {
    Version: version,
    ReleaseDate: releaseDate,
    ActivatedTime: timestamp(activatedAt),
    ImageName: image,
    ImageSHA256: sha256,
    Signer: signer,
    Username: cause?.actor?.username,
    OriginAddress: cause?.actor?.address,
    ...(items.length > 0 && { RelatedItem: items.map(link), 'RelatedItem@odata.count': items.length }),
  }
}
