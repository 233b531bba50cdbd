import { fail, type Result, succeed } from '../../lib/result.ts'
import { Type } from '../../lib/schema.ts'
import { resetTypes as allResets } from '../../redfish/reset-types.ts'
import { judge, type Mistake } from '../../redfish/validation.ts'
import type { Ability } from '../../bmc/managed-device.ts'
import type { DeviceFacts, FirmwareFacts } from '../device.ts'

const closed = { additionalProperties: false }
const MAX_MISTAKES = 8
const MAX_FIRMWARE = 256
const MAX_STANDBY = 16
const MAX_WAKES = 64

const Name = Type.String({ minLength: 1, maxLength: 256 })
const Text = Type.String({ maxLength: 1_024 })
const Resets = Type.Array(Type.Unsafe<string>({ enum: allResets }))

const Firmware = Type.Object(
  {
    id: Type.String({ pattern: '^[A-Za-z0-9_.-]{1,128}$' }),
    name: Type.Optional(Name),
    version: Text,
    softwareId: Type.Optional(Name),
    updateable: Type.Optional(Type.Boolean()),
    of: Type.Optional(Type.Unsafe<FirmwareFacts['of']>({ enum: ['system', 'manager', 'chassis'] })),
    standsBy: Type.Optional(Type.Array(Name, { maxItems: MAX_STANDBY })),
    nativeId: Type.Optional(Text),
  },
  closed,
)

const judgeFacts = judge(
  Type.Object(
    {
      name: Name,
      manufacturer: Type.Optional(Text),
      model: Type.Optional(Text),
      serialNumber: Type.Optional(Text),
      uuid: Type.Optional(Type.String({ format: 'uuid' })),
      power: Type.Optional(Type.Unsafe<'On' | 'Off'>({ enum: ['On', 'Off'] })),
      resetTypes: Type.Optional(Resets),
      managerResetTypes: Type.Optional(Resets),
      abilities: Type.Optional(Type.Array(Type.Unsafe<Ability>({ enum: ['consent', 'wake', 'log'] }))),
      wakeTimes: Type.Optional(Type.Array(Type.Integer({ minimum: 0 }), { maxItems: MAX_WAKES })),
      firmware: Type.Array(Firmware, { maxItems: MAX_FIRMWARE }),
    },
    closed,
  ),
)

/** What somebody else's code, which has these abilities, found out about a device, or all that is wrong with it. */
export function readFacts(data: unknown, abilities: readonly Ability[] = []): Result<DeviceFacts, string> {
  const judged = judgeFacts(data)
  if (!judged.ok) return fail(textOf(judged.problem))
  const lacks = judged.value.abilities?.filter((one) => !abilities.includes(one)) ?? []
  if (lacks.length > 0) return fail(`/abilities: nothing is there for ${lacks.join(', ')}`)
  const { resetTypes = [], managerResetTypes = [], firmware, ...rest } = judged.value
  const ids = firmware.map(({ id }) => id)
  const twice = ids.filter((id, index) => ids.indexOf(id) !== index)
  if (twice.length > 0) return fail(`/firmware: ${[...new Set(twice)].join(', ')} is there twice`)
  const all = firmware.map((one) => ({ name: one.id, updateable: true, of: 'system' as const, ...one }))
  return succeed({ ...rest, resetTypes, managerResetTypes, firmware: all })
}

/** Mistakes for people: where, and what was expected there. */
export function textOf(mistakes: readonly Mistake[]): string {
  const told = mistakes
    .slice(0, MAX_MISTAKES)
    .map(({ pointer, expected }) => `${pointer}: expected ${expected}`)
  const more = mistakes.length - told.length
  return [...told, ...(more > 0 ? [`and ${more} more`] : [])].join('; ')
}
