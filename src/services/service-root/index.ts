import type { Row } from '../../bmc/bmc.ts'
import { link, resource } from '../../redfish/resource.ts'
import { open } from '../../redfish/resource-table.ts'
import { uris } from '../../redfish/uris.ts'

/** The newest protocol version whose rules this service follows. */
const REDFISH_VERSION = '1.23.0'

/** The service root: the machine says who it is and what it has, we add our services. */
export const serviceRootRows: readonly Row[] = [
  {
    path: uris.root,
    type: 'ServiceRoot',
    privileges: open,
    view: ({ machine }) => ({
      ...machine.resources.get(uris.root),
      ...resource('ServiceRoot', `${uris.root}/`, 'Root service', 'RootService'),
      RedfishVersion: REDFISH_VERSION,
      SessionService: link(uris.sessionService),
      UpdateService: link(uris.updateService),
      Tasks: link(uris.taskService),
      Registries: link(uris.registries),
      Links: { ManagerProvidingService: link(machine.manager), Sessions: link(uris.sessions) },
    }),
  },
]
