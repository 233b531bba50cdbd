import type { Machine } from '../../src/bmc/machine.ts'
import { loadMachine } from '../../src/bmc/mockup-folder.ts'

const loaded = new Map<string, Machine>()

/** One of our machines, read once by each file of tests: nothing ever writes to it. */
export function ourMachine(name: string): Machine {
  const machine = loaded.get(name) ?? loadMachine(name)
  loaded.set(name, machine)
  return machine
}
