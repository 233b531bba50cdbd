import { type Static, Type } from '../../lib/schema.ts'
import type { Bmc, Row } from '../../bmc/bmc.ts'
import { commit } from '../../bmc/commit.ts'
import { formats } from '../../image/inspect.ts'
import { link, resource } from '../../redfish/resource.ts'
import { type Call } from '../../redfish/resource-table.ts'
import { uris } from '../../redfish/uris.ts'
import { inventoryRows } from './inventory.ts'
import { applyTimes } from './parameters.ts'

const ServicePatch = Type.Object(
  { ServiceEnabled: Type.Optional(Type.Boolean()) },
  { additionalProperties: false },
)

/** UpdateService and its inventories: it shows what works, and an absent action means that it does not. */
export function updateRows(maxImageBytes: number): Row[] {
  return [
    {
      path: uris.updateService,
      type: 'UpdateService',
      view: ({ state: { settings } }) => ({
        ...resource('UpdateService', uris.updateService, 'Update service'),
        ServiceEnabled: settings.updateServiceEnabled,
        Status: { State: settings.updateServiceEnabled ? 'Enabled' : 'Disabled', Health: 'OK' },
        MultipartHttpPushUri: uris.multipartPush,
        'MultipartHttpPushUri@Redfish.OperationApplyTimeSupport': {
          '@odata.type': '#Settings.v1_4_0.OperationApplyTimeSupport',
          SupportedValues: applyTimes,
        },
        MaxImageSizeBytes: maxImageBytes,
        SupportedUpdateImageFormats: formats.map((format) => format.name),
        FirmwareInventory: link(uris.firmwareInventory),
        SoftwareInventory: link(uris.softwareInventory),
        // sushy asks for the member even where there is no action.
        Actions: {},
      }),
      patch: { schema: ServicePatch, apply: patchService },
    },
    ...inventoryRows,
  ]
}

function patchService({ bmc, body }: Call<Bmc>): void {
  const { ServiceEnabled } = body as Static<typeof ServicePatch>
  if (ServiceEnabled !== undefined) commit(bmc, { settings: { updateServiceEnabled: ServiceEnabled } })
}
