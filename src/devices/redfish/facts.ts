import { isObject, type JsonObject, linkUris } from '../../redfish/resource.ts'
import { referencePath, uris } from '../../redfish/uris.ts'
import type { DeviceFacts, FirmwareFacts } from '../device.ts'
import { type Connection, linkIn, pathOf, textIn } from './connection.ts'
import { readItems, readMembers } from './reading.ts'
import { offeredResets } from './resets.ts'
import { isStandby, standbyFor } from './standby.ts'
import { itemsOf } from './without-inventory.ts'

/** What of a device is what a console speaks of. */
export interface Parts {
  /** Its only system: of a device that has several, none is meant when somebody says "its system". */
  readonly system: JsonObject | undefined
  readonly manager: JsonObject | undefined
  readonly chassis: JsonObject | undefined
  /** All systems and managers. */
  readonly all: readonly JsonObject[]
}

/** Finds its system, its manager and its chassis. */
export async function findParts(connection: Connection): Promise<Parts> {
  const { root } = connection
  const systems = await readMembers(connection, linkIn(root, 'Systems'))
  const managers = await readMembers(connection, linkIn(root, 'Managers'))
  const chassis = await readMembers(connection, linkIn(root, 'Chassis'))
  const system = systems.length === 1 ? systems[0] : undefined
  const links = system?.['Links']
  return {
    system,
    manager:
      named(managers, linkIn(root['Links'], 'ManagerProvidingService')) ??
      named(managers, firstIn(links, 'ManagedBy')) ??
      managers[0],
    chassis:
      named(chassis, firstIn(links, 'Chassis')) ??
      chassis.find((one) => linkIn(one['Links'], 'ContainedBy') === undefined) ??
      chassis[0],
    all: [...systems, ...managers],
  }
}

/** What a device says of itself. */
export async function readFacts(connection: Connection): Promise<DeviceFacts> {
  const { root } = connection
  const parts = await findParts(connection)
  const { system, manager, chassis } = parts
  const most = [system, chassis, manager]
  const first = (name: string): string | undefined =>
    most.map((part) => textIn(part, name)).find((text) => text !== undefined)
  return {
    name: textIn(system, 'HostName') ?? first('Name') ?? textIn(root, 'Name') ?? 'Redfish service',
    manufacturer: first('Manufacturer') ?? textIn(root, 'Vendor'),
    model: first('Model') ?? textIn(root, 'Product'),
    serialNumber: first('SerialNumber'),
    uuid: textIn(system, 'UUID') ?? textIn(root, 'UUID') ?? first('UUID'),
    serviceUuid: textIn(root, 'UUID'),
    power: powerOf(system),
    resetTypes: (await offeredResets(connection, system)) ?? [],
    managerResetTypes: (await offeredResets(connection, manager)) ?? [],
    firmware: await readFirmware(connection, parts),
  }
}

/** What is powering off still has power, what is powering on has none yet. */
function powerOf(system: JsonObject | undefined): DeviceFacts['power'] {
  const state = textIn(system, 'PowerState')
  if (state === 'On' || state === 'PoweringOff' || state === 'Paused') return 'On'
  return state === 'Off' || state === 'PoweringOn' ? 'Off' : undefined
}

async function readFirmware(connection: Connection, { manager, all }: Parts): Promise<FirmwareFacts[]> {
  const found = await readItems(connection)
  const isUpdateable = linkIn(connection.root, 'UpdateService') !== undefined
  const items = found.length > 0 ? found : itemsOf(all, isUpdateable)
  const ids = new Set<string>()
  return items
    .filter((item) => !isStandby(item))
    .map((item) => {
      const standsBy = standbyFor(items, item).flatMap((one) => textIn(one, 'Version') ?? [])
      return { ...firmwareOf(connection, item, { manager, ids }), ...(standsBy.length > 0 && { standsBy }) }
    })
}

function firmwareOf(
  { root }: Connection,
  item: JsonObject,
  { manager, ids }: { readonly manager: JsonObject | undefined; readonly ids: Set<string> },
): FirmwareFacts {
  const uri = pathOf(item)
  const given = textIn(item, 'Id') ?? uri.slice(uri.lastIndexOf('/') + 1)
  const id = uniqueId(given.replaceAll(/[^\w.-]/g, '_'), ids)
  const softwareId = textIn(item, 'SoftwareId')
  return {
    id,
    name: textIn(item, 'Name') ?? given,
    version: textIn(item, 'Version') ?? '',
    ...(softwareId !== undefined && { softwareId }),
    updateable: item['Updateable'] !== false,
    of: ownerOf(root, item, manager),
    // Images are sent to the item's URI, which need not end with its Id.
    ...(uri !== uris.firmware(id) && { nativeId: uri }),
  }
}

/** The inventory item of a device's firmware, or what stands for it. */
export function itemOf({ id, nativeId }: FirmwareFacts): string {
  return nativeId ?? uris.firmware(id)
}

function uniqueId(wanted: string, ids: Set<string>): string {
  let id = wanted === '' ? 'firmware' : wanted
  for (let n = 2; ids.has(id); n++) id = `${wanted}-${n}`
  ids.add(id)
  return id
}

/** What an item is of: as it says, else as the manager does; what nobody says anything of runs on the system. */
function ownerOf(root: JsonObject, item: JsonObject, manager: JsonObject | undefined): FirmwareFacts['of'] {
  const places = [
    ['manager', linkIn(root, 'Managers') ?? uris.managers],
    ['chassis', linkIn(root, 'Chassis') ?? uris.chassis],
    ['system', linkIn(root, 'Systems') ?? uris.systems],
  ] as const
  for (const related of linkUris(item['RelatedItem']).map(referencePath)) {
    const place = places.find(([, collection]) => related.startsWith(`${referencePath(collection)}/`))
    if (place !== undefined) return place[0]
  }
  const links = isObject(manager?.['Links']) ? manager['Links'] : {}
  const images = linkUris(links['SoftwareImages']).map(referencePath)
  return images.includes(pathOf(item)) ? 'manager' : 'system'
}

function named(parts: readonly JsonObject[], uri: string | undefined): JsonObject | undefined {
  const path = uri === undefined ? undefined : referencePath(uri)
  return parts.find((part) => pathOf(part) === path)
}

function firstIn(links: unknown, name: string): string | undefined {
  return isObject(links) ? linkUris(links[name])[0] : undefined
}
