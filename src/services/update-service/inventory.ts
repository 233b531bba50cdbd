import { type Component, findComponent, type Row } from '../../bmc/bmc.ts'
import { timestamp } from '../../lib/clock.ts'
import { message } from '../../redfish/messages/message.ts'
import { collection, isObject, type JsonObject, link, type Resource } from '../../redfish/resource.ts'
import { uris } from '../../redfish/uris.ts'
import { resetRequired } from '../../update/device-update.ts'

/** FirmwareInventory (what updates can change) and SoftwareInventory (what runs in the host). */
export const inventoryRows: readonly Row[] = [
  {
    path: uris.firmwareInventory,
    type: 'SoftwareInventoryCollection',
    view: ({ machine }) =>
      collection(
        'SoftwareInventoryCollection',
        uris.firmwareInventory,
        'Firmware inventory',
        [...machine.components.keys()].map(uris.firmware),
      ),
  },
  {
    path: uris.firmware(':id'),
    type: 'SoftwareInventory',
    view: (bmc, { id = '' }) => {
      const component = findComponent(bmc, id)
      return component && componentView(component)
    },
  },
  {
    path: uris.softwareInventory,
    type: 'SoftwareInventoryCollection',
    view: ({ machine }) =>
      collection(
        'SoftwareInventoryCollection',
        uris.softwareInventory,
        'Software inventory',
        [...machine.software.keys()].map(uris.software),
      ),
  },
  {
    path: uris.software(':id'),
    type: 'SoftwareInventory',
    view: ({ machine }, { id = '' }) => machine.software.get(id),
  },
]

/** What the machine says of the component, with what updates have made of it. */
function componentView(component: Component): Resource {
  const { resource, now, factory } = component
  if (now === factory) return { ...resource, Updateable: component.updateable }
  const status = isObject(resource['Status']) ? resource['Status'] : {}
  return {
    ...resource,
    Updateable: component.updateable,
    Version: now.version,
    ReleaseDate: now.releaseDate,
    SizeBytes: now.sizeBytes,
    Status: { ...status, State: now.state, Health: now.health, ...conditions(component) },
  }
}

/** An installed image that waits for a reset is a condition of the component (Resource v1_11, Status.Conditions). */
function conditions(component: Component): { readonly Conditions?: readonly JsonObject[] } {
  const { pending } = component.now
  if (pending === undefined) return {}
  const messages = [
    message('Update.AwaitToActivate', pending.image, component.uri),
    ...resetRequired(component),
  ]
  return {
    Conditions: messages.map(({ MessageId, Message, MessageArgs, MessageSeverity, Resolution }) => ({
      MessageId,
      Message,
      MessageArgs,
      Severity: MessageSeverity,
      Resolution,
      Timestamp: timestamp(pending.since),
      OriginOfCondition: link(component.uri),
    })),
  }
}
