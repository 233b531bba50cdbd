import { type Static, type TSchema, Type } from '../lib/schema.ts'
import { fail, type Result, succeed } from '../lib/result.ts'
import { judge } from '../redfish/validation.ts'
import { bmcSettings, DEFAULT_PASSWORD } from './bmc-settings.ts'
import { readFleetFile } from './fleet-file.ts'
import { type Names, parseNames } from './names.ts'
import type { Versions } from './versions.ts'

const closed = { additionalProperties: false }
/** More than one process serves. */
export const MAX_BMCS = 100_000

type SettingsOfGroup = { -readonly [N in keyof typeof bmcSettings]: (typeof bmcSettings)[N]['schema'] }
/** A setting that a group has for itself; those left out are the service's. */
export type BmcSettings = { readonly [N in keyof SettingsOfGroup]: Static<SettingsOfGroup[N]> }

const Version = Type.Object(
  { version: Type.String({ minLength: 1 }), weight: Type.Optional(Type.Number({ exclusiveMinimum: 0 })) },
  closed,
)

const Group = Type.Object(
  {
    name: Type.String({ pattern: '^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$' }),
    count: Type.Integer({ minimum: 0, maximum: MAX_BMCS }),
    /** How its BMCs are called (see `names.ts`); the group's name and a number of four digits unless given. */
    names: Type.Optional(Type.String()),
    /** What runs on them, by the Id of the component: a version, or some to draw from. */
    versions: Type.Optional(
      Type.Record(
        Type.String(),
        Type.Union([Type.String({ minLength: 1 }), Type.Array(Version, { minItems: 1 })]),
      ),
    ),
    ...optional(),
  },
  closed,
)

/** What the configuration may say of a fleet: docs/fleets.md tells all of it. */
const FleetFile = Type.Object(
  {
    /** What is drawn and derived comes of it. */
    seed: Type.Optional(Type.Unsafe<string | number>({ type: ['string', 'number'] })),
    groups: Type.Array(Group, { minItems: 1 }),
  },
  closed,
)
export type FleetFile = Static<typeof FleetFile>
const judgeFleet = judge(FleetFile)

export interface GroupPlan {
  readonly name: string
  readonly count: number
  readonly names: Names
  readonly versions: Versions
  readonly settings: BmcSettings
}

export interface FleetPlan {
  /** `undefined`: there is one BMC, and it is its machine's only one. */
  readonly seed: string | undefined
  readonly groups: readonly GroupPlan[]
}

/** How many BMCs there are, or what they are. */
interface Size {
  readonly bmcs: number
  readonly fleet: string | FleetFile
  /** Of a fleet whose file does not say it. */
  readonly seed: string
  /** Whether others than this machine can come. */
  readonly isOpen?: boolean
}

/** What the configuration says of the BMCs. Throws an Error that lists every mistake. */
export function planOf(settings: BmcSettings, { bmcs, fleet, seed, isOpen = false }: Size): FleetPlan {
  if (bmcs === 1 && fleet === '') return planSingle(settings)
  const alike = { groups: [{ name: 'bmc', count: bmcs }] }
  const given = fleet === '' ? alike : typeof fleet === 'string' ? readFleetFile(fleet) : fleet
  const planned = planFleet(given, settings, { seed, isOpen })
  if (planned.ok) return planned.value
  throw new Error(`the fleet is wrong:\n${planned.problem.map((line) => `  ${line}`).join('\n')}`)
}

/** The one BMC of a service without a fleet, which everything else says. */
function planSingle(settings: BmcSettings): FleetPlan {
  const names: Names = (number) => String(number)
  return { seed: undefined, groups: [{ name: 'bmc', count: 1, names, versions: {}, settings }] }
}

/** What the configuration says of a fleet, or a line for every mistake in it, each by its pointer. */
export function planFleet(
  given: unknown,
  settings: BmcSettings,
  { seed: usual, isOpen = false }: Pick<Size, 'seed' | 'isOpen'>,
): Result<FleetPlan, readonly string[]> {
  const judged = judgeFleet(given)
  if (!judged.ok) {
    // Nobody's password is repeated.
    return fail(
      judged.problem.map(({ pointer, kind, expected }) => `${pointer}: ${kind}, expected ${expected}`),
    )
  }
  const { seed = usual, groups: listed } = judged.value
  const mistakes: string[] = []
  const taken = new Set<string>()
  const groups = listed.map(({ name, count, names: pattern, versions = {}, ...own }, index): GroupPlan => {
    const at = `/groups/${index}`
    if (listed.findIndex((other) => other.name === name) < index)
      mistakes.push(`${at}/name: ${name} is there twice`)
    if (isOpen && own.password === DEFAULT_PASSWORD)
      mistakes.push(`${at}/password: beyond loopback another than the default is needed`)
    const names = parseNames(pattern ?? `${name}-{0001}`, count)
    if (names === undefined)
      mistakes.push(`${at}/names: expected a host name with numbers in braces, as bmc-{0001}`)
    else {
      const twice = takeNames(taken, names, count)
      if (twice !== undefined) mistakes.push(`${at}/names: more than one BMC would be called ${twice}`)
    }
    return { name, count, names: names ?? String, versions, settings: { ...settings, ...own } }
  })
  return mistakes.length > 0 ? fail(mistakes) : succeed({ seed: String(seed), groups })
}

/** Takes the names; the first that somebody has already. */
function takeNames(taken: Set<string>, names: Names, count: number): string | undefined {
  for (let number = 1; number <= count; number++) {
    const name = names(number)
    if (taken.has(name)) return name
    taken.add(name)
  }
  return undefined
}

/** The schemas of the settings, none of which a group has to have. */
function optional(): { [N in keyof SettingsOfGroup]: ReturnType<typeof Type.Optional<SettingsOfGroup[N]>> } {
  const entries = Object.entries<{ readonly schema: TSchema }>(bmcSettings)
  return Object.fromEntries(entries.map(([name, { schema }]) => [name, Type.Optional(schema)])) as ReturnType<
    typeof optional
  >
}
