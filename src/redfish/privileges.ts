import table from '../../schemas/privileges.json' with { type: 'json' }
import type { JsonObject } from './resource.ts'
import type { Method, Privilege, Requirement } from './resource-table.ts'
import { uris } from './uris.ts'

// The standard mapping of operations to privileges (DSP0266, privilege registries), reduced to a table.

type OperationMap = { readonly [M in Method]?: Requirement }

interface Override {
  readonly targets: readonly string[]
  readonly map: number
}

interface Entity {
  readonly map: number
  readonly below?: readonly Override[]
  readonly properties?: readonly Override[]
}

const maps = (table.maps as unknown as readonly OperationMap[]).map((map) =>
  Object.fromEntries(Object.entries(map).map(([method, sets]) => [method, isOpen(sets) ? [] : sets])),
) as readonly OperationMap[] // as it was generated
const entities = new Map<string, Entity>([
  ...Object.entries(table.entities),
  // Resources of our own have the privileges of those that they belong to.
  ['RedflashSoftwareHistory', table.entities.SoftwareInventory],
])

/** Below which entity a path lies: the mapping of some types depends on it (SubordinateOverrides). */
const ancestors: readonly (readonly [string, string])[] = [
  [`${uris.systems}/`, 'ComputerSystem'],
  [`${uris.chassis}/`, 'Chassis'],
  [`${uris.managers}/`, 'Manager'],
]

const orOwn: Requirement = [['ConfigureManager'], ['ConfigureSelf']]

/** Where we depart from the registry: docs/decisions/0010 and 0011 say why. What is served says so, too. */
const departures: { readonly [entity: string]: OperationMap } = {
  ManagerAccount: {
    // A HEAD tells who is there as a GET does.
    HEAD: [['ConfigureManager'], ['ConfigureUsers'], ['ConfigureSelf']],
    // ChangePassword, which asks for more than a PATCH of Password, is as free as that.
    POST: [['ConfigureUsers'], ['ConfigureSelf']],
  },
  // Whoever knows a password may log in.
  SessionCollection: { POST: [] },
  // Whoever started an operation may end it, and let it go on where it waits for somebody.
  Task: { DELETE: orOwn },
  Job: { PATCH: orOwn, POST: orOwn, DELETE: orOwn },
}

const nobodySaysOtherwise: Requirement = [['ConfigureManager']]

/** What a method on a resource of this type at this path needs; what the registry leaves open only managers may. */
export function standardRequirement(type: string, path: string, method: Method): Requirement {
  const entity = entities.get(type)
  if (entity === undefined) return method === 'GET' || method === 'HEAD' ? [['Login']] : nobodySaysOtherwise
  const ancestor = ancestors.find(([prefix]) => path.startsWith(prefix))?.[1]
  const override = entity.below?.find(({ targets }) => targets[0] === ancestor)
  const overridden = override && maps[override.map]?.[method]
  return departures[type]?.[method] ?? overridden ?? maps[entity.map]?.[method] ?? nobodySaysOtherwise
}

/** The mapping that is enforced, in the form of a registry. */
export function privilegeRegistry(privileges: readonly Privilege[]): JsonObject {
  return {
    Id: 'PrivilegeMap',
    Name: 'Privilege mapping',
    Description: `${table.id} as it is enforced here.`,
    PrivilegesUsed: privileges,
    OEMPrivilegesUsed: [],
    Mappings: [...entities].map(([Entity, { map, below, properties }]) => ({
      Entity,
      OperationMap: { ...published(map), ...publishedMap(departures[Entity] ?? {}) },
      ...(below && { SubordinateOverrides: below.map(publishedOverride) }),
      ...(properties && { PropertyOverrides: properties.map(publishedOverride) }),
    })),
  }
}

/** As the registry writes that everybody may. */
function isOpen(sets: readonly (readonly string[])[]): boolean {
  return sets.some((set) => set.includes('NoAuth'))
}

function publishedOverride({ targets, map }: Override): JsonObject {
  return { Targets: targets, OperationMap: published(map) }
}

function published(map: number): JsonObject {
  return publishedMap(table.maps[map] ?? {})
}

function publishedMap(map: { readonly [method: string]: readonly (readonly string[])[] }): JsonObject {
  const listed = Object.entries(map).map(([method, sets]) => {
    const told = sets.length === 0 ? [['NoAuth']] : sets
    return [method, told.map((set) => ({ Privilege: set }))] as const
  })
  return Object.fromEntries(listed)
}
