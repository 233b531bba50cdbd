import { withDevices } from './attached.ts'
import type { Bmc } from './bmc.ts'
import type { Change } from './state.ts'
import { writeTables } from './tables.ts'

/** The one writer of a BMC's state: applies the change, outdates what was rendered, tells the listeners. */
export function commit(bmc: Bmc, change: Change): void {
  const { state } = bmc
  const { settings, outage, network } = state
  if (change.settings) state.settings = { ...settings, ...change.settings }
  if (change.network) state.network = { ...network, ...change.network }
  if ('outage' in change) state.outage = change.outage
  const before: Change = { settings, outage, network, ...writeTables(state, change) }
  if (change.devices) bmc.machine = withDevices(bmc.machine, change.devices)
  state.version++
  for (const listener of bmc.listeners) listener(change, before)
}
