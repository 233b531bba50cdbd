import { judgePatch, type PatchOutcome, type Writable } from '../../src/redfish/patch.ts'
import type { JsonObject, Resource } from '../../src/redfish/resource.ts'

/** A system of an older schema version than ours. */
export const system: Resource = {
  '@odata.id': '/redfish/v1/Systems/1',
  '@odata.type': '#ComputerSystem.v1_13_0.ComputerSystem',
  Id: '1',
  AssetTag: 'A-1',
  LocationIndicatorActive: false,
  PowerState: 'On',
  Boot: {
    BootSourceOverrideEnabled: 'Disabled',
    BootSourceOverrideTarget: 'None',
    'BootSourceOverrideTarget@Redfish.AllowableValues': ['None', 'Pxe', 'Hdd'],
    HttpBootUri: null,
    BootOrder: ['Boot0000', 'Boot0001'],
  },
}
/** What a service lets clients write of it. */
export const ofSystem: Writable = {
  AssetTag: true,
  LocationIndicatorActive: true,
  Boot: {
    BootSourceOverrideEnabled: true,
    BootSourceOverrideTarget: true,
    HttpBootUri: true,
    AutomaticRetryAttempts: true,
  },
}

/** What a PATCH of the system comes to. */
export function onSystem(body: JsonObject): PatchOutcome {
  return judgePatch({ current: system, body, writable: ofSystem })
}
