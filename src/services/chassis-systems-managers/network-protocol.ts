import { type Bmc, machineResource, type Row } from '../../bmc/bmc.ts'
import { commit } from '../../bmc/commit.ts'
import { managerPath, servedBelow } from '../../bmc/serving-manager.ts'
import { merged, present, type Writable } from '../../redfish/patch.ts'
import { isObject, type JsonObject, link, linkUris, type Resource, resource } from '../../redfish/resource.ts'
import { type Call } from '../../redfish/resource-table.ts'
import { uris } from '../../redfish/uris.ts'

const SSDP_PORT = 1900
const NTP_PORT = 123
/** Ports and services follow the configuration; what is left is a client's to say. */
const writable: Writable = {
  SSDP: { ProtocolEnabled: true },
  NTP: { ProtocolEnabled: true, NTPServers: true },
}

/** What `writable` lets through. */
interface Changes {
  readonly SSDP?: { readonly ProtocolEnabled?: boolean }
  readonly NTP?: { readonly ProtocolEnabled?: boolean; readonly NTPServers?: readonly string[] }
}

/** ManagerNetworkProtocol of the manager that serves Redfish: ports as they really are, time servers, discovery. */
export const networkProtocolRow: Row = {
  path: uris.networkProtocol(managerPath),
  type: 'ManagerNetworkProtocol',
  view: servedBelow(uris.networkProtocol, networkView),
  patch: { writable: (shown) => present(writable, shown), apply: change },
}

function networkView(bmc: Bmc, manager: string): Resource {
  const { httpPort, httpsPort, ssdpEnabled, ntpEnabled, ntpServers } = bmc.state.network
  return {
    ...resource('ManagerNetworkProtocol', uris.networkProtocol(manager), 'Network protocols'),
    Status: { State: 'Enabled', Health: 'OK' },
    ...hostName(bmc, manager),
    HTTP: protocol(httpPort),
    HTTPS: { ...protocol(httpsPort), Certificates: link(uris.httpsCertificates(manager)) },
    // Discovery is answered when asked for; nothing is sent unasked.
    SSDP: { ProtocolEnabled: ssdpEnabled, Port: SSDP_PORT, NotifyMulticastIntervalSeconds: 0 },
    NTP: { ProtocolEnabled: ntpEnabled, Port: NTP_PORT, NTPServers: ntpServers },
  }
}

function protocol(port: number | undefined): JsonObject {
  return { ProtocolEnabled: port !== undefined, Port: port ?? null }
}

/** The names that the manager's first Ethernet interface goes by. */
function hostName(bmc: Bmc, manager: string): JsonObject {
  const interfaces = machineResource(bmc, manager)?.['EthernetInterfaces']
  const [uri = ''] = isObject(interfaces) ? linkUris([interfaces]) : []
  const [first = ''] = linkUris(machineResource(bmc, uri)?.['Members'])
  const { HostName = null, FQDN = null }: JsonObject = machineResource(bmc, first) ?? {}
  return { HostName, FQDN }
}

function change({ bmc, params, body }: Call<Bmc>): void {
  const manager = uris.manager(params['manager'] ?? '')
  if (manager !== bmc.machine.manager)
    return changeData(bmc, uris.networkProtocol(manager), body as JsonObject)
  const { SSDP = {}, NTP = {} } = body as Changes
  commit(bmc, {
    network: {
      ...(SSDP.ProtocolEnabled !== undefined && { ssdpEnabled: SSDP.ProtocolEnabled }),
      ...(NTP.ProtocolEnabled !== undefined && { ntpEnabled: NTP.ProtocolEnabled }),
      ...(NTP.NTPServers && { ntpServers: NTP.NTPServers }),
    },
  })
}

/** A manager beside the serving one is the machine's data, over which the change lies. */
function changeData(bmc: Bmc, uri: string, changes: JsonObject): void {
  const now = machineResource(bmc, uri)
  if (now === undefined) return
  const after = merged(now, changes)
  const members = Object.fromEntries(Object.keys(changes).map((name) => [name, after[name]]))
  commit(bmc, { overlays: [[uri, { ...bmc.state.overlays.get(uri), ...members }]] })
}
