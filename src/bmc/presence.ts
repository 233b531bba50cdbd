import { lastSegment, uris } from '../redfish/uris.ts'
import { type Bmc, findComponent } from './bmc.ts'
import { logs } from './log.ts'

/** Whether a resource that something once spoke of is still there; only those that come and go can be missing. */
export function isThere(bmc: Bmc, uri: string): boolean {
  const { state, machine } = bmc
  const collection = uri.slice(0, uri.lastIndexOf('/'))
  const members = new Map<string, { readonly has: (id: string) => boolean }>([
    [uris.tasks, state.tasks],
    [uris.jobs, state.jobs],
    [uris.sessions, state.sessions],
    [uris.accounts, state.accounts],
    [uris.roles, state.roles],
    [uris.eventDestinations, state.subscriptions],
    [uris.aggregationSources, state.devices],
    [uris.aggregates, state.aggregates],
    ...[uris.systems, uris.managers, uris.chassis].map(
      (all) => [all, { has: () => machine.resources.has(uri) }] as const,
    ),
    [uris.firmwareInventory, { has: (id) => isInventoried(bmc, id) }],
    ...Object.entries(logs).map(
      ([log, name]) => [uris.logEntries(machine.manager, log), state[name]] as const,
    ),
  ])
  return members.get(collection)?.has(lastSegment(uri)) ?? true
}

/** An image that stands by is named after its component: `BIOS-1.6.0`. */
function isInventoried(bmc: Bmc, id: string): boolean {
  if (bmc.machine.components.has(id)) return true
  return [...id.matchAll(/-/g)].some(({ index }) => {
    const { standby = [] } = findComponent(bmc, id.slice(0, index))?.now ?? {}
    return standby.some((image) => image.id === id)
  })
}
