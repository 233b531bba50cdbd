import { machineResource, type Row } from '../../bmc/bmc.ts'
import { protocolFeatures } from '../../redfish/query/parse.ts'
import { link, resource } from '../../redfish/resource.ts'
import { uris } from '../../redfish/uris.ts'

/** The newest protocol version whose rules this service follows. */
export const REDFISH_VERSION = '1.23.0'

/** The service root: the machine says who it is and what it has, we add our services. */
export const serviceRootRows: readonly Row[] = [
  {
    path: uris.root,
    type: 'ServiceRoot',
    view: (bmc) => ({
      ...machineResource(bmc, uris.root),
      ...resource('ServiceRoot', `${uris.root}/`, 'Root service', 'RootService'),
      RedfishVersion: REDFISH_VERSION,
      ProtocolFeaturesSupported: protocolFeatures,
      SessionService: link(uris.sessionService),
      AccountService: link(uris.accountService),
      UpdateService: link(uris.updateService),
      Tasks: link(uris.taskService),
      JobService: link(uris.jobService),
      EventService: link(uris.eventService),
      CertificateService: link(uris.certificateService),
      Registries: link(uris.registries),
      JsonSchemas: link(uris.jsonSchemas),
      Links: { ManagerProvidingService: link(bmc.machine.manager), Sessions: link(uris.sessions) },
    }),
  },
]
