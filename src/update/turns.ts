import type { Bmc } from '../bmc/bmc.ts'
import { ofEach } from '../lib/of-each.ts'
import { Turns } from '../lib/turns.ts'

/** The turns of each BMC's devices: as many at a time as its machine can write. */
export function turnsOfEach(): (bmc: Bmc) => Turns {
  return ofEach((bmc) => new Turns(bmc.machine.maxParallelFlashes))
}
