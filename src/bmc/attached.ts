import { collection, type JsonObject, type Link, link, type Resource } from '../redfish/resource.ts'
import { uris } from '../redfish/uris.ts'
import { componentOf, deviceUris, documentsOf, versionsOf } from './device-documents.ts'
import type { ComponentFacts, Machine } from './machine.ts'
import type { ManagedDevice } from './managed-device.ts'

/** What of a console's machine is its own, and follows its devices. */
interface Own {
  readonly resources: Map<string, Resource>
  readonly components: Map<string, ComponentFacts>
  readonly systems: Map<string, Machine['systems'] extends ReadonlyMap<string, infer S> ? S : never>
  readonly shown: Map<string, Machine['shown'] extends ReadonlyMap<string, infer P> ? P : never>
  readonly models: Set<string>
  /** The members of each collection, with their links. */
  readonly members: ReadonlyMap<string, Map<string, Link>>
  /** The components of each device. */
  readonly firmware: Map<string, readonly string[]>
}

/** By the machine: thousands of devices come one by one, and none may copy all others. */
const owned = new WeakMap<Machine, Own>()

/** The machine of a console once these devices are attached, changed or, where they are `undefined`, gone. */
export function withDevices(
  machine: Machine,
  devices: Iterable<readonly [id: string, device: ManagedDevice | undefined]>,
): Machine {
  const changed = [...devices]
  if (changed.length === 0) return machine
  const own = owned.get(machine) ?? ownOf(machine)
  // What has changed and stays leaves the collections as they are.
  const isAnotherList = changed.some(([id, device]) => own.firmware.has(id) !== (device !== undefined))
  for (const [id, device] of changed) show(own, id, device)
  for (const [uri, type] of isAnotherList ? collections : []) {
    const members = [...(own.members.get(uri)?.values() ?? [])]
    own.resources.set(uri, { ...collection(type, uri, titleOf(type), []), ...listed(members) })
  }
  if (owned.has(machine)) return machine
  const { resources, components, systems, shown, models } = own
  const its: Machine = { ...machine, resources, components, systems, shown, models }
  owned.set(its, own)
  return its
}

function ownOf(machine: Machine): Own {
  const members = collections.map(([uri]) => {
    const inside = [...machine.resources.keys()].filter((one) => isMember(one, uri))
    return [uri, new Map(inside.map((one) => [one, link(one)]))] as const
  })
  return {
    resources: new Map(machine.resources),
    components: new Map(machine.components),
    systems: new Map(machine.systems),
    shown: new Map(machine.shown),
    models: new Set(machine.models),
    members: new Map(members),
    firmware: new Map(),
  }
}

/** Lets a device be seen as it is; what is there stays in its place. */
function show(own: Own, id: string, device: ManagedDevice | undefined): void {
  const [system = '', manager = '', chassis = ''] = deviceUris(id)
  const firmware = device?.facts.firmware.map((one) => componentOf(device, one)) ?? []
  const left = new Set(firmware.map((one) => one.id))
  for (const known of own.firmware.get(id) ?? []) if (!left.has(known)) own.components.delete(known)
  for (const facts of firmware) own.components.set(facts.id, facts)
  for (const uri of [system, manager, chassis]) own.shown.delete(uri)
  if (device === undefined) {
    own.firmware.delete(id)
    for (const uri of [system, manager, chassis]) own.resources.delete(uri)
    for (const members of own.members.values())
      for (const uri of [system, manager, chassis]) members.delete(uri)
    own.systems.delete(system)
    return
  }
  own.firmware.set(id, [...left])
  for (const document of documentsOf(device)) own.resources.set(document['@odata.id'], document)
  for (const [uri, place] of versionsOf(device)) own.shown.set(uri, [place])
  for (const [index, uri] of [system, manager, chassis].entries())
    own.members.get(collections[index]?.[0] ?? '')?.set(uri, link(uri))
  own.systems.set(system, { shutdownMs: 0, bootMs: 0 })
  if (device.facts.model !== undefined) own.models.add(device.facts.model)
}

const collections = [
  [uris.systems, 'ComputerSystemCollection'],
  [uris.managers, 'ManagerCollection'],
  [uris.chassis, 'ChassisCollection'],
] as const

function isMember(uri: string, of: string): boolean {
  return uri.startsWith(`${of}/`) && !uri.slice(of.length + 1).includes('/')
}

function titleOf(type: string): string {
  return type.replace(/(?<=[a-z])(?=[A-Z])/g, ' ')
}

function listed(members: readonly Link[]): JsonObject {
  return { Members: members, 'Members@odata.count': members.length }
}
