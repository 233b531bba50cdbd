import { type Static, Type } from '../lib/schema.ts'

/** What a device does with an image, in this order. */
export const deviceStages = ['transfer', 'verify', 'install', 'activate'] as const
export type DeviceStageName = (typeof deviceStages)[number]

interface Way {
  /** The stages that can go wrong like this. */
  readonly at: readonly DeviceStageName[]
  /** What may be said of it beside `at`, `times` and `versions`. */
  readonly takes: readonly ('after' | 'factor')[]
}

/** How a stage goes wrong: `docs/faults.md` tells what becomes of it. */
export const ways = {
  fails: { at: deviceStages, takes: ['after'] },
  'loses-power': { at: deviceStages, takes: ['after'] },
  hangs: { at: deviceStages, takes: ['after'] },
  slow: { at: deviceStages, takes: ['factor'] },
  corrupts: { at: ['transfer'], takes: [] },
  'wrong-version': { at: ['activate'], takes: [] },
} as const satisfies Readonly<Record<string, Way>>
type WayName = keyof typeof ways

const DEFAULT_WAY: WayName = 'fails'
const DEFAULT_FACTOR = 10

/** What a way does not take is a mistake, and told: a fault that is only half of what its author meant proves nothing. */
const rules = Object.entries<Way>(ways).map(([how, { at, takes }]) => {
  const excluded = (['after', 'factor'] as const).filter((member) => !takes.includes(member))
  return {
    if: {
      type: 'object',
      properties: { how: { const: how } },
      required: how === DEFAULT_WAY ? [] : ['how'],
    },
    // eslint-disable-next-line unicorn/no-thenable -- JSON Schema's, and nobody awaits a schema
    then: {
      type: 'object',
      properties: {
        ...(at.length < deviceStages.length && { at: { enum: at } }),
        ...Object.fromEntries(excluded.map((member) => [member, false])),
      },
    },
  }
})

const Fault = Type.Object(
  {
    at: Type.Unsafe<DeviceStageName>({ enum: deviceStages }),
    how: Type.Optional(Type.Unsafe<WayName>({ enum: Object.keys(ways) })),
    /** The share of the stage that goes well before it. */
    after: Type.Optional(Type.String({ pattern: '^(100|[1-9]?[0-9])%$' })),
    /** How many times slower. */
    factor: Type.Optional(Type.Number({ exclusiveMinimum: 1 })),
    /** How often it happens on each device; always, unless given. */
    times: Type.Optional(Type.Integer({ minimum: 1 })),
    /** The versions with whose images it happens; with all, unless given. */
    versions: Type.Optional(Type.Array(Type.String())),
  },
  { additionalProperties: false, allOf: rules },
)
type Fault = Static<typeof Fault>

/** A fault, or a list of them. Not a union: of that every branch would report what is wrong with the other. */
export const Faults = Type.Unsafe<Fault | Fault[]>({ ...Fault, type: ['object', 'array'], items: Fault })

/** A fault with nothing left out. */
export interface PlannedFault {
  readonly at: DeviceStageName
  readonly how: WayName
  /** From 0 to 1. */
  readonly after: number
  readonly factor: number
  readonly times: number
  readonly versions: readonly string[] | undefined
}

/** The faults of a device whose behaviour says so. */
export function plannedFaults({ fail }: { readonly fail?: Static<typeof Faults> }): PlannedFault[] {
  return [fail ?? []].flat().map(({ at, how, after, factor, times, versions }) => ({
    at,
    how: how ?? DEFAULT_WAY,
    after: Number.parseInt(after ?? '0') / 100,
    factor: factor ?? DEFAULT_FACTOR,
    times: times ?? Infinity,
    versions,
  }))
}
