import { fail, type Result, succeed } from '../../lib/result.ts'
import { type Static, Type } from '../../lib/schema.ts'
import { judge } from '../../redfish/validation.ts'
import { type Firmware, firmwareFields } from './firmware.ts'

/** An attribute of a device's, or a member of one, and what it is. */
export interface Field {
  readonly field: string
  readonly value?: unknown
}

/** What fields say of a device. */
export interface Attributes {
  readonly firmware?: Partial<Firmware>
  readonly info?: DeviceInfo
  readonly metadata?: Bag
  readonly location?: Bag
}

export type Bag = Readonly<Record<string, unknown>>
export type DeviceInfo = Readonly<Partial<Record<(typeof infoFields)[number], string>>>

const infoFields = [
  'serialNumber',
  'manufacturer',
  'model',
  'deviceClass',
  'description',
  'fwVersion',
  'hwVersion',
  'descriptiveLocation',
] as const

// Python's SDK sends null for what it was not told.
const text = Type.Unsafe<string | null>({ type: ['string', 'null'], maxLength: 4_096 })
const bag = Type.Unsafe<Bag>({ type: 'object' })

/** The attribute `deviceInfo`. */
export const deviceInfo = Type.Unsafe<Readonly<Partial<Record<(typeof infoFields)[number], string | null>>>>({
  type: 'object',
  properties: Object.fromEntries(infoFields.map((name) => [name, text])),
})

const firmware = Type.Unsafe<Partial<Firmware>>({
  type: 'object',
  properties: {
    ...Object.fromEntries(firmwareFields.map((name) => [name, text])),
    state: { enum: [0, 1, 2] },
    updateStatus: { enum: [0, 1, 2, 3, 4, 5, 6] },
  },
})

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

function taker<T>(
  schemaJudge: (data: unknown) => Result<T, unknown>,
  put: (all: Mutable<Attributes>, value: T) => void,
): (value: unknown, all: Mutable<Attributes>) => boolean {
  return (value, all) => {
    const judged = schemaJudge(value)
    if (judged.ok) put(all, judged.value)
    return judged.ok
  }
}

/** By the name of an attribute: takes a value of it, unless its form is wrong. */
const takers = new Map([
  [
    'mgmt.firmware',
    taker(judge(firmware), (all, value) => (all.firmware = withoutNulls(value, firmwareFields))),
  ],
  ['deviceInfo', taker(judge(deviceInfo), (all, value) => (all.info = infoOf(value)))],
  ['metadata', taker(judge(bag), (all, value) => (all.metadata = value))],
  ['location', taker(judge(bag), (all, value) => (all.location = value))],
])
const names = [...takers.keys()]

/** What fields say, together; what nobody knows is left out. Where a value has a wrong form, the name of its attribute. */
export function attributesOf(fields: readonly Field[]): Result<Attributes, string> {
  const values = new Map<string, unknown>()
  for (const { field, value } of fields) {
    const name = names.find((known) => field.startsWith(`${known}.`))
    if (name === undefined) values.set(field, value)
    // `mgmt.firmware.state` is a member of `mgmt.firmware`
    else values.set(name, { ...objectOf(values.get(name)), [field.slice(name.length + 1)]: value })
  }
  const all: Mutable<Attributes> = {}
  for (const [name, value] of values) {
    const take = takers.get(name)
    if (take !== undefined && !take(value, all)) return fail(name)
  }
  return succeed(all)
}

/** Whether one who observes this attribute hears of that one. */
export function covers(observed: string, field: string): boolean {
  return field === observed || field.startsWith(`${observed}.`) || observed.startsWith(`${field}.`)
}

export function infoOf(info: Static<typeof deviceInfo> | undefined): DeviceInfo {
  return withoutNulls(info ?? {}, infoFields)
}

function objectOf(value: unknown): object {
  return typeof value === 'object' && value !== null ? value : {}
}

/** The members that we know and that say something. */
function withoutNulls<T extends object, K extends keyof T>(
  value: T,
  known: readonly K[],
): { readonly [P in K]?: NonNullable<T[P]> } {
  const said = known.filter((name) => value[name] !== undefined && value[name] !== null)
  return Object.fromEntries(said.map((name) => [name, value[name]])) as { [P in K]?: NonNullable<T[P]> } // as filtered
}
