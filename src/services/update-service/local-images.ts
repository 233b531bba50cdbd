import type { Bmc, Row } from '../../bmc/bmc.ts'
import type { LocalImage } from '../../bmc/local-image.ts'
import type { ImageStore } from '../../image/store.ts'
import { collection, type JsonObject, link, type Resource, resource } from '../../redfish/resource.ts'
import { uris } from '../../redfish/uris.ts'

/** LocalImageStore: the images that the service keeps. Nothing runs them; another update can be made of them. */
export function localImageRows(images: ImageStore): Row[] {
  return [
    {
      path: uris.localImages,
      type: 'SoftwareInventoryCollection',
      view: ({ state }) =>
        collection(
          'SoftwareInventoryCollection',
          uris.localImages,
          'Local image store',
          [...state.localImages.keys()].map(uris.localImage),
        ),
    },
    {
      path: uris.localImage(':id'),
      type: 'SoftwareInventory',
      view: ({ state }, { id = '' }) => {
        const image = state.localImages.get(id)
        return image && imageView(image)
      },
      delete: async ({ bmc, params }) => {
        await images.remove(bmc, params['id'] ?? '')
        return { status: 204 }
      },
    },
  ]
}

/** What of the store stands in the UpdateService itself. */
export function storeMembers(bmc: Bmc, images: ImageStore): JsonObject {
  return {
    LocalImageStore: link(uris.localImages),
    LocalImageStoreTotalCapacityBytes: images.capacityBytes,
    LocalImageStoreAvailableCapacityBytes: images.availableBytes(bmc),
  }
}

function imageView({ id, name, sizeBytes, version, softwareId, releaseDate }: LocalImage): Resource {
  return {
    ...resource('SoftwareInventory', uris.localImage(id), name === '' ? `Image ${id}` : name),
    Status: { State: 'StandbyOffline', Health: 'OK' },
    Version: version,
    SoftwareId: softwareId,
    ReleaseDate: releaseDate,
    Updateable: false,
    SizeBytes: sizeBytes,
    ImageDataURI: uris.localImageData(id),
  }
}
