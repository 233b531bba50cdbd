import type { Bmc } from '../bmc/bmc.ts'
import { firmwareId, resourcesOf } from '../bmc/device-documents.ts'
import type { ManagedDevice } from '../bmc/managed-device.ts'
import type { Change } from '../bmc/state.ts'
import type { Resource } from '../redfish/resource.ts'
import { ofLife, type Pair, pairs } from './life.ts'
import type { Occurrence } from './occurrence.ts'
import { ofMembers } from './resource-occurrences.ts'

/** Devices of a console that came, went, or are otherwise than they were. */
export function ofDevices(bmc: Bmc, change: Change, before: Change): Occurrence[] {
  const told = new Set((change.components ?? []).map(([id]) => id))
  return pairs(change.devices, before.devices).flatMap((pair) => ofDevice(bmc, pair, told))
}

/** `told`: the components that have changed as such. */
function ofDevice(bmc: Bmc, { now, was }: Pair<ManagedDevice>, told: ReadonlySet<string>): Occurrence[] {
  const known = now?.facts.firmware ?? []
  const after = documents(now && withVersions(now, (id) => bmc.state.components.get(id)?.version))
  const before = documents(
    was &&
      withVersions(was, (id, own) =>
        told.has(id) ? known.find((one) => one.id === own)?.version : bmc.state.components.get(id)?.version,
      ),
  )
  return [...new Set([...before.keys(), ...after.keys()])].flatMap((uri) => {
    const pair = { key: uri, now: after.get(uri), was: before.get(uri) }
    return pair.now && pair.was ? ofMembers(uri, pair.now, pair.was) : ofLife(uri, pair)
  })
}

/** The device with the versions that are shown where those are not its own. */
function withVersions(
  device: ManagedDevice,
  shown: (component: string, own: string) => string | undefined,
): ManagedDevice {
  const firmware = device.facts.firmware.map((one) => ({
    ...one,
    version: shown(firmwareId(device.id, one.id), one.id) ?? one.version,
  }))
  return { ...device, facts: { ...device.facts, firmware } }
}

function documents(device: ManagedDevice | undefined): ReadonlyMap<string, Resource> {
  return new Map((device ? resourcesOf(device) : []).map((one) => [one['@odata.id'], one]))
}
