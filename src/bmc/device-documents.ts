import { timestamp } from '../lib/clock.ts'
import { OEM } from '../redfish/oem/types.ts'
import { type JsonObject, link, odataType, type Resource, resource } from '../redfish/resource.ts'
import { deviceActions, uris } from '../redfish/uris.ts'
import { type ComponentFacts, ordinaryBehaviour } from './machine.ts'
import { type DeviceFacts, type FirmwareFacts, isAble, type ManagedDevice } from './managed-device.ts'

/** The Id of a device's firmware among all of a console. */
export function firmwareId(device: string, firmware: string): string {
  return `${device}-${firmware}`
}

/** The device that firmware of this Id is on: those have numbers. */
export function deviceOfFirmware(id: string): string {
  return id.slice(0, id.indexOf('-'))
}

/** Where a device shows itself. */
export function deviceUris(id: string): string[] {
  return [uris.system(id), uris.manager(id), uris.chassisMember(id)]
}

/** All that shows a device. */
export function resourcesOf(device: ManagedDevice): Resource[] {
  const firmware = device.facts.firmware.map((one) => componentOf(device, one).resource)
  return [sourceOf(device), ...documentsOf(device), ...firmware]
}

/** How it is reached. */
export function sourceOf({ id, name, method, address, facts, isReachable }: ManagedDevice): Resource {
  return {
    ...resource('AggregationSource', uris.aggregationSource(id), name ?? facts.name),
    HostName: address.hostName,
    UserName: address.userName === '' ? null : address.userName,
    // Never shown (AggregationSource v1_5, Password).
    Password: null,
    AggregationType: 'Full',
    Status: isReachable
      ? { State: 'Enabled', Health: 'OK' }
      : { State: 'UnavailableOffline', Health: 'Critical' },
    Links: {
      ConnectionMethod: link(uris.connectionMethod(method)),
      ...links('ResourcesAccessed', deviceUris(id)),
    },
  }
}

/** Its system, its manager and its chassis. */
export function documentsOf(device: ManagedDevice): Resource[] {
  const { id, facts, isReachable } = device
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
      // What it boots from is not chosen here, and not shown; sushy has no system without.
      Boot: {},
      Status,
      Links: { ...links('Chassis', [chassis]), ...links('ManagedBy', [manager]) },
      ...wakeTimesOf(facts),
      ...actionsOf(device, 'ComputerSystem', system),
    },
    {
      ...resource('Manager', manager, `Manager of ${name}`),
      Id: id,
      ManagerType: 'BMC',
      FirmwareVersion: shownFirmware(facts, 'manager')?.version,
      Status,
      Links: { ...links('ManagerForServers', [system]), ...links('ManagerForChassis', [chassis]) },
      ...(isAble(device, 'log') && { LogServices: link(uris.logServices(manager)) }),
      ...actionsOf(device, 'Manager', manager),
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

function wakeTimesOf({ wakeTimes }: DeviceFacts): JsonObject {
  if (wakeTimes === undefined) return {}
  const own = { '@odata.type': odataType('RedflashComputerSystem'), WakeTimes: wakeTimes.map(timestamp) }
  return { Oem: { [OEM]: own } }
}

/** What can be asked of a device's system, or its manager: what it offers, and nothing else. */
function actionsOf(device: ManagedDevice, type: 'ComputerSystem' | 'Manager', uri: string): JsonObject {
  const { resetTypes, managerResetTypes } = device.facts
  const resets = type === 'Manager' ? managerResetTypes : resetTypes
  const reset = `${type}.Reset`
  const own = ownActions[type].filter(({ ability }) => isAble(device, ability))
  // Also where there are none: clients look into them (sushy has no system without).
  return {
    Actions: {
      ...(resets.length > 0 && {
        [`#${reset}`]: { target: uris.action(uri, reset), 'ResetType@Redfish.AllowableValues': resets },
      }),
      ...(own.length > 0 && {
        Oem: Object.fromEntries(
          own.map(({ name }) => [`#${name.replace('Oem/', '')}`, { target: uris.action(uri, name) }]),
        ),
      }),
    },
  }
}

const ownActions = {
  ComputerSystem: [
    { name: deviceActions.wakeAt, ability: 'wake' },
    { name: deviceActions.cancelWake, ability: 'wake' },
  ],
  Manager: [
    { name: deviceActions.requestConsent, ability: 'consent' },
    { name: deviceActions.sendConsent, ability: 'consent' },
  ],
} as const

/** What stands for a device's BIOS, or its manager's firmware: the first that can be updated, or else the first. */
function shownFirmware({ firmware }: DeviceFacts, of: 'system' | 'manager'): FirmwareFacts | undefined {
  const all = firmware.filter((one) => one.of === of)
  const bios = all.find(({ id, name }) => /bios|uefi/i.test(`${id} ${name}`))
  return of === 'system' ? bios : (all.find(({ updateable }) => updateable) ?? all[0])
}

/** Where versions of its firmware are shown beside the inventory. */
export function versionsOf({ id, facts }: ManagedDevice) {
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

/** A piece of its firmware, as it left the factory: as the device itself says. */
export function componentOf({ id: device, facts }: ManagedDevice, firmware: FirmwareFacts): ComponentFacts {
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
