import { type Bmc, machineResource } from '../../bmc/bmc.ts'
import { changedMembers, overlay } from '../../bmc/overlay.ts'
import { present, type Writable } from '../../redfish/patch.ts'
import type { JsonObject, Resource } from '../../redfish/resource.ts'
import type { Params, Patch } from '../../redfish/resource-table.ts'
import { followAddresses, refuseAddresses } from './addresses.ts'

/** What clients may write of a machine's resources, by type, as far as a resource has it. */
const writableByType: Readonly<Record<string, Writable>> = {
  ComputerSystem: {
    AssetTag: true,
    IndicatorLED: true,
    LocationIndicatorActive: true,
    Boot: {
      BootSourceOverrideEnabled: true,
      BootSourceOverrideMode: true,
      BootSourceOverrideTarget: true,
      UefiTargetBootSourceOverride: true,
      HttpBootUri: true,
    },
  },
  Chassis: { AssetTag: true, IndicatorLED: true, LocationIndicatorActive: true },
  // DateTime would have to run with the clock, which a view does not know: it stays as the machine's data has it.
  Manager: { LocationIndicatorActive: true, TimeZoneName: true },
  EthernetInterface: {
    HostName: true,
    FQDN: true,
    IPv4StaticAddresses: true,
    IPv6StaticAddresses: true,
    StaticNameServers: true,
    DHCPv4: {
      DHCPEnabled: true,
      UseDNSServers: true,
      UseDomainName: true,
      UseGateway: true,
      UseNTPServers: true,
      UseStaticRoutes: true,
    },
    VLAN: { VLANEnable: true, VLANId: true },
  },
  ComponentIntegrity: { ComponentIntegrityEnabled: true },
  Bios: { Attributes: true, '@Redfish.SettingsApplyTime': { ApplyTime: true } },
}

/** What clients may write of this resource. */
export function writableMembers(resource: Resource): Writable {
  const type = resource['@odata.type'].slice(resource['@odata.type'].lastIndexOf('.') + 1)
  return present(Object.hasOwn(writableByType, type) ? (writableByType[type] ?? {}) : {}, resource)
}

/** PATCH of a machine's resource: members that it has change, and those that follow from them. */
export function machinePatch(uriOf: (params: Params) => string): Patch<Bmc> {
  return {
    writable: writableMembers,
    apply: ({ bmc, params, body }) => {
      const uri = uriOf(params)
      const changes = changedMembers(bmc, uri, body as JsonObject) // judged by then
      refuseAddresses(changes)
      overlay(bmc, uri, { ...changes, ...followAddresses(machineResource(bmc, uri) ?? {}, changes) })
    },
  }
}
