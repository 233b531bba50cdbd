import { lastSegment, uris } from '../redfish/uris.ts'
import type { Bmc } from './bmc.ts'
import { logs } from './log.ts'

/** Whether a resource that something once spoke of is still there; only those that come and go can be missing. */
export function isThere({ state, machine }: Bmc, uri: string): boolean {
  const collection = uri.slice(0, uri.lastIndexOf('/'))
  const members = new Map<string, ReadonlyMap<string, unknown>>([
    [uris.tasks, state.tasks],
    [uris.jobs, state.jobs],
    [uris.sessions, state.sessions],
    [uris.accounts, state.accounts],
    [uris.roles, state.roles],
    [uris.eventDestinations, state.subscriptions],
    ...Object.entries(logs).map(
      ([log, name]) => [uris.logEntries(machine.manager, log), state[name]] as const,
    ),
  ])
  return members.get(collection)?.has(lastSegment(uri)) ?? true
}
