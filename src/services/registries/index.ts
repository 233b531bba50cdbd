import type { Row } from '../../bmc/bmc.ts'
import { registries, registryName } from '../../redfish/messages/message.ts'
import { collection, type JsonObject, odataType, resource } from '../../redfish/resource.ts'
import { uris } from '../../redfish/uris.ts'

const byName = new Map(registries.map((registry) => [registryName(registry), registry]))

/** The message registries, each as a file resource and as the registry itself. */
export const registryRows: readonly Row[] = [
  {
    path: uris.registries,
    type: 'MessageRegistryFileCollection',
    view: () =>
      collection(
        'MessageRegistryFileCollection',
        uris.registries,
        'Registries',
        [...byName.keys()].map(uris.registryFile),
      ),
  },
  {
    path: uris.registryFile(':id'),
    type: 'MessageRegistryFile',
    view: (_bmc, { id = '' }) => {
      const registry = byName.get(id)
      return (
        registry && {
          ...resource('MessageRegistryFile', uris.registryFile(id), registry.Name),
          Languages: [registry.Language],
          Registry: id,
          Location: [{ Language: registry.Language, Uri: uris.registry(id) }],
        }
      )
    },
  },
  {
    path: `${uris.registryFile(':id')}/:file`,
    type: 'MessageRegistry',
    view: (_bmc, { id = '', file }) => {
      const registry = byName.get(id)
      if (registry === undefined || file !== id) return undefined
      // A registry is a document rather than a resource of this service: DMTF gives it its own Id.
      const document = registry as unknown as JsonObject // JSON as it was generated
      return { ...document, '@odata.id': uris.registry(id), '@odata.type': odataType('MessageRegistry') }
    },
  },
]
