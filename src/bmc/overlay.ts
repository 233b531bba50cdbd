import { isDeepStrictEqual } from 'node:util'
import { merged } from '../redfish/patch.ts'
import type { JsonObject } from '../redfish/resource.ts'
import { type Bmc, machineResource } from './bmc.ts'
import { commit } from './commit.ts'
import type { Entries } from './state.ts'

/** Lays members over a machine's resource as one change; no members are no change. */
export function overlay(bmc: Bmc, uri: string, members: JsonObject): void {
  if (Object.keys(members).length > 0) commit(bmc, { overlays: overlaid(bmc, uri, members) })
}

/** The entry that lays members over a machine's resource. */
export function overlaid(bmc: Bmc, uri: string, members: JsonObject): Entries<JsonObject> {
  return [[uri, { ...bmc.state.overlays.get(uri), ...members }]]
}

/** The members that a change which was judged right makes different. */
export function changedMembers(bmc: Bmc, uri: string, accepted: JsonObject): JsonObject {
  const before: JsonObject = machineResource(bmc, uri) ?? {}
  const after = Object.entries(merged(before, accepted))
  return Object.fromEntries(after.filter(([name, value]) => !isDeepStrictEqual(value, before[name])))
}
