import { Faults } from '../bmc/device-faults.ts'
import type { Machine } from '../bmc/machine.ts'
import { ofEach } from '../lib/of-each.ts'
import { type Static, Type } from '../lib/schema.ts'
import { judge } from '../redfish/validation.ts'

const closed = { additionalProperties: false }
const Device = Type.Object({ fail: Faults }, closed)

/** Made once for all groups of a machine: to compile it takes as long as to start an app. */
const judgeFor = ofEach((components: Machine['components']) => {
  const known = Object.fromEntries([...components.keys()].map((id) => [id, Type.Optional(Device)]))
  return judge(Type.Object(known, closed))
})

/** What is to go wrong, by the Id of a firmware component. */
export type DevicePlans = Readonly<Record<string, Static<typeof Device>>>

/**
 * The machine with these devices failing as planned, whatever its own data says of them. Throws an Error that lists
 * everything wrong with the plans.
 */
export function planFaults(machine: Machine, plans: unknown): Machine {
  const judged = judgeFor(machine.components)(plans)
  if (!judged.ok) {
    const lines = judged.problem.map(
      ({ pointer, kind, expected }) => `  ${pointer}: ${kind}, expected ${expected}`,
    )
    throw new Error(`what is to go wrong with devices is wrong itself:\n${lines.join('\n')}`)
  }
  const planned = judged.value
  const components = [...machine.components].map(([id, facts]) => {
    const behaviour = { ...facts.behaviour, ...planned[id] }
    return [id, { ...facts, behaviour }] as const
  })
  return { ...machine, components: new Map(components) }
}

/** Whether anything is to go wrong on purpose. */
export function hasFaults({ components }: Machine): boolean {
  return [...components.values()].some(({ behaviour }) => behaviour.fail !== undefined)
}
