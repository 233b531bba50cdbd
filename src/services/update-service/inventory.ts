import { isActive } from '../../bmc/banks.ts'
import { type Bmc, type Component, findComponent, type Row } from '../../bmc/bmc.ts'
import { commit } from '../../bmc/commit.ts'
import { timestamp } from '../../lib/clock.ts'
import { RedfishError } from '../../redfish/errors.ts'
import { message } from '../../redfish/messages/message.ts'
import { OEM } from '../../redfish/oem/types.ts'
import {
  collection,
  isObject,
  type JsonObject,
  link,
  odataType,
  type Resource,
  resource as newResource,
} from '../../redfish/resource.ts'
import type { Answer, Call } from '../../redfish/resource-table.ts'
import { uris } from '../../redfish/uris.ts'
import { resetFor } from '../../update/reset-need.ts'
import { findStandby, listStandby, stagedTargets, type Standby } from '../../update/standby.ts'
import type { Updates } from '../../update/updates.ts'
import { resetRequired } from '../../update/workshop.ts'
import { activateOne } from './activation.ts'
import { historyRow } from './history.ts'

/** FirmwareInventory (what updates can change) and SoftwareInventory (what runs in the host). */
export function inventoryRows(updates: Updates): Row[] {
  return [
    {
      path: uris.firmwareInventory,
      type: 'SoftwareInventoryCollection',
      view: (bmc) =>
        collection('SoftwareInventoryCollection', uris.firmwareInventory, 'Firmware inventory', [
          ...[...bmc.machine.components.keys()].map(uris.firmware),
          ...listStandby(bmc).map(({ image }) => uris.firmware(image.id)),
        ]),
    },
    {
      path: uris.firmware(':id'),
      type: 'SoftwareInventory',
      view: (bmc, { id = '' }) => {
        const component = findComponent(bmc, id)
        if (component !== undefined) return componentView(bmc, component)
        const standby = findStandby(bmc, uris.firmware(id))
        return standby && standbyView(standby)
      },
      patch: {
        writable: (shown) => ('WriteProtected' in shown ? { WriteProtected: true } : {}),
        apply: protect,
      },
      delete: (call) => removeStandby(call, updates),
      actions: { 'SoftwareInventory.Activate': activateOne(updates) },
    },
    historyRow,
    ...softwareRows,
  ]
}

/** Protects what runs against updates, or gives it free (SoftwareInventory.WriteProtected). */
function protect({ bmc, params: { id = '' }, body }: Call<Bmc>): void {
  const component = findComponent(bmc, id)
  const { WriteProtected } = body as { readonly WriteProtected?: boolean } // judged by the schema's facts
  if (component !== undefined && WriteProtected !== undefined)
    commit(bmc, { components: [[id, { ...component.now, isWriteProtected: WriteProtected }]] })
}

/** DELETE of an image that stands by disarms it; what runs stays. */
function removeStandby({ bmc, params: { id = '' } }: Call<Bmc>, updates: Updates): Answer {
  const standby = findStandby(bmc, uris.firmware(id))
  if (standby === undefined) throw new RedfishError(403, message('Base.ResourceCannotBeDeleted'))
  if (!updates.removeStandby(bmc, standby)) throw new RedfishError(409, message('Base.ResourceInUse'))
  return { status: 204 }
}

const softwareRows: readonly Row[] = [
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
function componentView(bmc: Bmc, component: Component): Resource {
  const { resource, now, factory, updateable } = component
  const shown = { ...resource, Updateable: updateable, Oem: withHistory(component) }
  if (now === factory) return shown
  const status = isObject(resource['Status']) ? resource['Status'] : {}
  const active = isActive(bmc, component.id)
  return {
    ...shown,
    ...('Active' in resource && active !== undefined && { Active: active }),
    Version: now.version,
    ...(now.lowestVersion !== undefined && { LowestSupportedVersion: now.lowestVersion }),
    ReleaseDate: now.releaseDate,
    SizeBytes: now.sizeBytes,
    ...(now.isWriteProtected !== undefined && { WriteProtected: now.isWriteProtected }),
    Status: { ...status, State: now.state, Health: now.health, ...conditions(component) },
  }
}

/** An image that stands by on its device, ready to be activated: staged, or the one that ran before. */
function standbyView({ component, image }: Standby): Resource {
  const uri = uris.firmware(image.id)
  const { Manufacturer, VersionScheme, RelatedItem } = component.resource
  const targets = stagedTargets(component)
  return {
    ...newResource('SoftwareInventory', uri, `${component.id} ${image.version}`),
    Description: image.kind === 'staged' ? 'Waits on its device to be activated' : 'Ran before',
    SoftwareId: component.softwareId,
    Version: image.version,
    ...(VersionScheme !== undefined && { VersionScheme }),
    ...(Manufacturer !== undefined && { Manufacturer }),
    ReleaseDate: image.releaseDate,
    SizeBytes: image.sizeBytes,
    Updateable: false,
    Active: false,
    Staged: true,
    Status: { State: 'StandbySpare', Health: 'OK' },
    ...(RelatedItem !== undefined && { RelatedItem }),
    Links: { StagedTargets: targets.map(link), 'StagedTargets@odata.count': targets.length },
    Actions: { '#SoftwareInventory.Activate': { target: uris.action(uri, 'SoftwareInventory.Activate') } },
  }
}

function withHistory({ id, resource }: Component): JsonObject {
  const own = {
    '@odata.type': odataType('RedflashSoftwareInventory'),
    History: link(uris.firmwareHistory(id)),
  }
  return { ...(isObject(resource['Oem']) && resource['Oem']), [OEM]: own }
}

/** An installed image that waits for a reset is a condition of the component (Resource v1_11, Status.Conditions). */
function conditions(component: Component): { readonly Conditions?: readonly JsonObject[] } {
  const { pending } = component.now
  if (pending === undefined) return {}
  const reset = resetFor(component, pending)
  const messages = [
    message('Update.AwaitToActivate', pending.image, component.uri),
    ...(reset === undefined ? [] : [resetRequired(reset.resource, reset.type)]),
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
