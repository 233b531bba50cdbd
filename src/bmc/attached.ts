import { collection, type JsonObject, link, type Resource, resource } from '../redfish/resource.ts'
import { uris } from '../redfish/uris.ts'
import { type ComponentFacts, type Machine, ordinaryBehaviour } from './machine.ts'
import type { DeviceFacts, FirmwareFacts, ManagedDevice } from './managed-device.ts'

/** The Id of a device's firmware among all of a console. */
export function firmwareId(device: string, firmware: string): string {
  return `${device}-${firmware}`
}

/** The machine of a console once these devices are attached, changed or, where they are `undefined`, gone. */
export function withDevices(
  machine: Machine,
  devices: Iterable<readonly [id: string, device: ManagedDevice | undefined]>,
): Machine {
  const changed = [...devices]
  if (changed.length === 0) return machine
  const resources = new Map(machine.resources)
  const components = new Map(machine.components)
  const systems = new Map(machine.systems)
  const shown = new Map(machine.shown)
  const models = new Set(machine.models)
  for (const [id, device] of changed) {
    for (const [component, { on }] of components) if (on?.device === id) components.delete(component)
    for (const uri of deviceUris(id)) {
      resources.delete(uri)
      shown.delete(uri)
    }
    systems.delete(uris.system(id))
    if (device === undefined) continue
    for (const one of documentsOf(device)) resources.set(one['@odata.id'], one)
    for (const firmware of device.facts.firmware) {
      const facts = componentOf(device, firmware)
      components.set(facts.id, facts)
    }
    for (const [uri, place] of versionsOf(device)) shown.set(uri, [place])
    systems.set(uris.system(id), { shutdownMs: 0, bootMs: 0 })
    if (device.facts.model !== undefined) models.add(device.facts.model)
  }
  for (const [uri, type] of collections) resources.set(uri, membersOf(resources, uri, type))
  return { ...machine, resources, components, systems, shown, models }
}

/** Where a device shows itself. */
export function deviceUris(id: string): string[] {
  return [uris.system(id), uris.manager(id), uris.chassisMember(id)]
}

const collections = [
  [uris.systems, 'ComputerSystemCollection'],
  [uris.managers, 'ManagerCollection'],
  [uris.chassis, 'ChassisCollection'],
] as const

function membersOf(
  resources: ReadonlyMap<string, Resource>,
  uri: string,
  type: (typeof collections)[number][1],
): Resource {
  const members = [...resources.keys()].filter(
    (one) => one.startsWith(`${uri}/`) && !one.slice(uri.length + 1).includes('/'),
  )
  return collection(type, uri, type.replace(/(?<=[a-z])(?=[A-Z])/g, ' '), members)
}

function documentsOf({ id, facts, isReachable }: ManagedDevice): Resource[] {
  const [system = '', manager = '', chassis = ''] = deviceUris(id)
  const { name, manufacturer, model, serialNumber, uuid, power } = facts
  const Status = isReachable ? { State: 'Enabled', Health: 'OK' } : { State: 'UnavailableOffline' }
  const who = { Manufacturer: manufacturer, Model: model, SerialNumber: serialNumber }
  return [
    {
      ...resource('ComputerSystem', system, name),
      Id: id,
      ...who,
      UUID: uuid,
      SystemType: 'Physical',
      PowerState: power,
      BiosVersion: shownFirmware(facts, 'system')?.version,
      Status,
      Links: { ...links('Chassis', [chassis]), ...links('ManagedBy', [manager]) },
      ...resetOf('ComputerSystem', system, facts.resetTypes),
    },
    {
      ...resource('Manager', manager, `Manager of ${name}`),
      Id: id,
      ManagerType: 'BMC',
      FirmwareVersion: shownFirmware(facts, 'manager')?.version,
      Status,
      Links: { ...links('ManagerForServers', [system]), ...links('ManagerForChassis', [chassis]) },
      ...resetOf('Manager', manager, facts.managerResetTypes),
    },
    {
      ...resource('Chassis', chassis, `Chassis of ${name}`),
      Id: id,
      ChassisType: 'Other',
      ...who,
      Status,
      Links: { ...links('ComputerSystems', [system]), ...links('ManagedBy', [manager]) },
    },
  ]
}

function resetOf(type: 'ComputerSystem' | 'Manager', uri: string, types: readonly string[]): JsonObject {
  if (types.length === 0) return {}
  const target = uris.action(uri, `${type}.Reset`)
  return { Actions: { [`#${type}.Reset`]: { target, 'ResetType@Redfish.AllowableValues': types } } }
}

/** What stands for a device's BIOS, or its manager's firmware: the first that can be updated, or else the first. */
function shownFirmware({ firmware }: DeviceFacts, of: 'system' | 'manager'): FirmwareFacts | undefined {
  const all = firmware.filter((one) => one.of === of)
  const bios = all.find(({ id, name }) => /bios|uefi/i.test(`${id} ${name}`))
  return of === 'system' ? bios : (all.find(({ updateable }) => updateable) ?? all[0])
}

function versionsOf({ id, facts }: ManagedDevice) {
  const bios = shownFirmware(facts, 'system')
  const own = shownFirmware(facts, 'manager')
  return [
    ...(bios
      ? [[uris.system(id), { pointer: '/BiosVersion', component: firmwareId(id, bios.id) }] as const]
      : []),
    ...(own
      ? [[uris.manager(id), { pointer: '/FirmwareVersion', component: firmwareId(id, own.id) }] as const]
      : []),
  ]
}

function componentOf({ id: device, facts }: ManagedDevice, firmware: FirmwareFacts): ComponentFacts {
  const { name, version, softwareId, updateable, of } = firmware
  const id = firmwareId(device, firmware.id)
  const uri = uris.firmware(id)
  const [system = '', manager = '', chassis = ''] = deviceUris(device)
  const related = { system, manager, chassis }[of]
  return {
    id,
    uri,
    resource: {
      ...resource('SoftwareInventory', uri, `${name} of ${facts.name}`),
      Id: id,
      Status: { State: 'Enabled', Health: 'OK' },
      Version: version,
      SoftwareId: softwareId,
      Updateable: updateable,
      ...links('RelatedItem', [related]),
    },
    softwareId: softwareId ?? firmware.id,
    updateable,
    lowestSupportedVersion: undefined,
    relatedItems: [related],
    behaviour: ordinaryBehaviour,
    factory: {
      version,
      releaseDate: undefined,
      state: 'Enabled',
      health: 'OK',
      sizeBytes: undefined,
      pending: undefined,
    },
    on: { device, firmware: firmware.id },
  }
}

function links(name: string, all: readonly string[]): JsonObject {
  return { [name]: all.map(link), [`${name}@odata.count`]: all.length }
}
