import { Faults } from '../bmc/device-faults.ts'
import type { Machine } from '../bmc/machine.ts'
import { type Static, Type } from '../lib/schema.ts'
import { memberPointer } from '../redfish/pointer.ts'
import { judge } from '../redfish/validation.ts'

const Device = Type.Object({ fail: Faults }, { additionalProperties: false })
const judgePlans = judge(Type.Record(Type.String(), Device))

/** What is to go wrong, by the Id of a firmware component. */
export type DevicePlans = Readonly<Record<string, Static<typeof Device>>>

/**
 * The machine with these devices failing as planned, whatever its own data says of them. Throws an Error that lists
 * everything wrong with the plans.
 */
export function planFaults(machine: Machine, plans: unknown): Machine {
  const planned = readPlans(plans, machine.components)
  const components = [...machine.components].map(([id, facts]) => {
    const behaviour = { ...facts.behaviour, ...planned[id] }
    return [id, { ...facts, behaviour }] as const
  })
  return { ...machine, components: new Map(components) }
}

function readPlans(plans: unknown, components: Machine['components']): DevicePlans {
  const judged = judgePlans(plans)
  const strangers = Object.keys(Object(plans)).filter((id) => !components.has(id))
  if (judged.ok && strangers.length === 0) return judged.value
  const lines = [
    ...strangers.map(
      (id) => `  ${memberPointer('', id)}: unknown, expected one of ${[...components.keys()].join(', ')}`,
    ),
    ...(judged.ok ? [] : judged.problem).map(
      ({ pointer, kind, expected }) => `  ${pointer}: ${kind}, expected ${expected}`,
    ),
  ]
  throw new Error(`what is to go wrong with devices is wrong itself:\n${lines.join('\n')}`)
}

/** Whether anything is to go wrong on purpose. */
export function hasFaults({ components }: Machine): boolean {
  return [...components.values()].some(({ behaviour }) => behaviour.fail !== undefined)
}
