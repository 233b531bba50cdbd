import type { JsonObject, Resource } from '../redfish/resource.ts'
import type { Action, ResourceRow } from '../redfish/resource-table.ts'
import type { ComponentFacts, Machine } from './machine.ts'
import { setPointer } from '../redfish/pointer.ts'
import { identified } from './identity.ts'
import { predefinedRoles } from './roles.ts'
import type { TrustedCertificate } from './image-servers.ts'
import { ofEach } from '../lib/of-each.ts'
import { factoryNetwork } from './network.ts'
import { emptyTables } from './tables.ts'
import type { Account, BmcState, Change, ComponentState, Role } from './state.ts'

export type Listener = (change: Change, before: Change) => void

/** One emulated BMC: what it shares with its like, and what it has for itself. */
export interface Bmc {
  readonly id: string
  /** Nobody else's in this process: whoever knows it need not hold the BMC. */
  readonly number: number
  /** Shared by its like; that of a console follows what is attached to it. */
  machine: Machine
  /** What its serial numbers and UUIDs are derived from; `undefined`: they are the machine's own. */
  readonly seed: string | undefined
  readonly state: BmcState
  /** Told of every commit, after it is made; `before` holds what the change replaced, in the same order. */
  readonly listeners: Set<Listener>
}

/** A row of this service's resource table. */
export type Row = ResourceRow<Bmc>
export type BmcAction = Action<Bmc>

/** A component as it is now: the machine's facts, and what updates made of it. */
export interface Component extends ComponentFacts {
  readonly now: ComponentState
}

/** What a BMC leaves the factory with, where it is not what its machine says. */
export interface Made {
  readonly seed?: string
  readonly roles?: ReadonlyMap<string, Role>
  readonly components?: readonly (readonly [id: string, state: ComponentState])[]
}

let made = 0

/** A BMC as it leaves the factory. Machine and accounts are shared, so that another one costs little. */
export function createBmc(
  id: string,
  machine: Machine,
  accounts: ReadonlyMap<string, Account>,
  { seed, roles = predefinedRoles, components = [] }: Made = {},
): Bmc {
  return {
    id,
    number: ++made,
    machine,
    seed,
    listeners: new Set(),
    state: {
      version: 0,
      settings: machine.settings,
      outage: undefined,
      network: factoryNetwork,
      ...emptyTables,
      ...(components.length > 0 && { components: new Map(components) }),
      accounts,
      roles,
      trustAnchors: anchorsOf(machine),
    },
  }
}

/** The trust anchors that a machine leaves the factory with, by the numbers that they have there. */
const anchorsOf = ofEach(
  ({ trustStore }: Machine): ReadonlyMap<string, TrustedCertificate> =>
    new Map(trustStore.anchors.map((certificate, index) => [String(index + 1), { certificate }])),
)

/** The firmware component with this Id as it is now. */
export function findComponent(bmc: Bmc, id: string): Component | undefined {
  const facts = bmc.machine.components.get(id)
  return facts && { ...facts, now: bmc.state.components.get(id) ?? facts.factory }
}

/** All firmware components as they are now. */
export function listComponents(bmc: Bmc): Component[] {
  return [...bmc.machine.components.values()].map((facts) => ({
    ...facts,
    now: bmc.state.components.get(facts.id) ?? facts.factory,
  }))
}

/** A resource of the machine as it left the factory. */
export function machineDocument(bmc: Bmc, uri: string): Resource | undefined {
  const original = bmc.machine.resources.get(uri)
  return original && identified(bmc, original)
}

/** A resource of the machine as it is now: versions follow the components, power follows the resets. */
export function machineResource(bmc: Bmc, uri: string): Resource | undefined {
  const original = machineDocument(bmc, uri)
  if (original === undefined) return undefined
  const overlaid: Resource = { ...original, ...bmc.state.overlays.get(uri) }
  const shown = bmc.machine.shown.get(uri) ?? []
  return shown.reduce<Resource>((resource, { pointer, component }) => {
    const version = runningVersion(bmc, component)
    return version === undefined ? resource : setPointer(resource, pointer, version)
  }, overlaid)
}

/** The version of a component, or of its backup while that one runs; `undefined`: still that of the factory. */
function runningVersion(bmc: Bmc, id: string): string | undefined {
  const now = bmc.state.components.get(id)
  if (now?.boot?.running !== 'backup') return now?.version
  return findComponent(bmc, bmc.machine.components.get(id)?.behaviour.backup ?? '')?.now.version
}

/** A resource's type without its version; that of a mockup's resource is in the resource. */
export function typeOfResource({ machine }: Bmc, uri: string, row: Row | undefined): string | undefined {
  if (row === undefined || row.type !== 'mockup') return row?.type
  return machine.resources.get(uri)?.['@odata.type'].split('.').at(-1)
}

/** A top-level member of a machine's resource as it is now. */
export function machineMember(bmc: Bmc, uri: string, member: string): JsonObject[string] {
  const overlaid = bmc.state.overlays.get(uri)?.[member]
  if (overlaid !== undefined) return overlaid
  const value = bmc.machine.resources.get(uri)?.[member]
  return identified(bmc, { [member]: value })[member]
}
