import type { Machine } from '../../src/bmc/machine.ts'
import type { DeviceBehaviour } from '../../src/bmc/machine-file.ts'
import { ourMachine } from './machines.ts'

/** `rackmount`, or another, with devices that behave otherwise. */
export function rackmountWith(
  changes: Readonly<Record<string, Partial<DeviceBehaviour>>>,
  machine = ourMachine('rackmount'),
): Machine {
  const components = [...machine.components].map(([id, facts]) => {
    const behaviour = { ...facts.behaviour, ...changes[id] }
    return [id, { ...facts, behaviour }] as const
  })
  return { ...machine, components: new Map(components) }
}
