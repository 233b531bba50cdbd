import { odataType } from '../redfish/resource.ts'
import type { ResourceTypeName } from '../redfish/types.gen.ts'
import type { Machine } from './machine.ts'

/** What stands typed inside of resources: a task's messages, which apply times a property has, and our OEM parts. */
const embedded: readonly ResourceTypeName[] = [
  'Message',
  'Settings',
  'RedflashSoftwareInventory',
  'RedflashUpdateService',
  'RedflashJob',
  'RedflashComputerSystem',
  'RedflashManager',
  'RedflashMetricValue',
]

/** Every `@odata.type` that a machine's service shows: those of our rows, and those of its own data. */
export function typesInUse(machine: Machine, rowTypes: ReadonlySet<ResourceTypeName>): ReadonlySet<string> {
  return new Set([
    ...[...rowTypes, ...embedded].map(odataType),
    ...[...machine.resources.values(), ...machine.software.values()].map((one) => one['@odata.type']),
    ...[...machine.components.values()].map(({ resource }) => resource['@odata.type']),
  ])
}
