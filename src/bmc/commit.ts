import type { Bmc } from './bmc.ts'
import type { Change, Entries } from './state.ts'

/** The one writer of a BMC's state: applies the change, outdates what was rendered, tells the listeners. */
export function commit(bmc: Bmc, change: Change): void {
  const { state } = bmc
  if (change.settings) state.settings = { ...state.settings, ...change.settings }
  if ('outage' in change) state.outage = change.outage
  write(state.components, change.components)
  write(state.overlays, change.overlays)
  write(state.sessions, change.sessions)
  write(state.tasks, change.tasks)
  write(state.log, change.log)
  state.version++
  for (const listener of bmc.listeners) listener(change)
}

function write<T>(map: Map<string, T>, entries: Entries<T> = []): void {
  for (const [key, value] of entries) {
    if (value === undefined) map.delete(key)
    else map.set(key, value)
  }
}
