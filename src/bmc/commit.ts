import { withDevices } from './attached.ts'
import type { Bmc } from './bmc.ts'
import type { Account, BmcState, Change, Entries, Role } from './state.ts'

/** The one writer of a BMC's state: applies the change, outdates what was rendered, tells the listeners. */
export function commit(bmc: Bmc, change: Change): void {
  const { state } = bmc
  const { settings, outage, network } = state
  if (change.settings) state.settings = { ...settings, ...change.settings }
  if (change.network) state.network = { ...network, ...change.network }
  if ('outage' in change) state.outage = change.outage
  const before: Change = {
    settings,
    outage,
    network,
    components: write(state.components, change.components),
    history: write(state.history, change.history),
    overlays: write(state.overlays, change.overlays),
    ...(change.accounts && { accounts: write(ownAccounts(state), change.accounts) }),
    ...(change.roles && { roles: write(ownRoles(state), change.roles) }),
    sessions: write(state.sessions, change.sessions),
    tasks: write(state.tasks, change.tasks),
    jobs: write(state.jobs, change.jobs),
    log: write(state.log, change.log),
    auditLog: write(state.auditLog, change.auditLog),
    jobLog: write(state.jobLog, change.jobLog),
    subscriptions: write(state.subscriptions, change.subscriptions),
    localImages: write(state.localImages, change.localImages),
    trustedKeys: write(state.trustedKeys, change.trustedKeys),
    trustedCertificates: write(state.trustedCertificates, change.trustedCertificates),
    clientCertificates: write(state.clientCertificates, change.clientCertificates),
    trustAnchors: write(state.trustAnchors, change.trustAnchors),
    identityKeys: write(state.identityKeys, change.identityKeys),
    deviceIdentities: write(state.deviceIdentities, change.deviceIdentities),
    operations: write(state.operations, change.operations),
    reached: write(state.reached, change.reached),
    resets: write(state.resets, change.resets),
    userJobs: write(state.userJobs, change.userJobs),
    strikes: write(state.strikes, change.strikes),
    devices: write(state.devices, change.devices),
    aggregates: write(state.aggregates, change.aggregates),
    deviceLogs: write(state.deviceLogs, change.deviceLogs),
    rollouts: write(state.rollouts, change.rollouts),
    registrations: write(state.registrations, change.registrations),
  }
  if (change.devices) bmc.machine = withDevices(bmc.machine, change.devices)
  state.version++
  for (const listener of bmc.listeners) listener(change, before)
}

/** Shared maps are not written: the first change of a BMC makes them its own. */
function ownAccounts(state: BmcState): Map<string, Account> {
  const own = new Map(state.accounts)
  state.accounts = own
  return own
}

function ownRoles(state: BmcState): Map<string, Role> {
  const own = new Map(state.roles)
  state.roles = own
  return own
}

/** Writes the entries and tells what they replaced, in their order. */
function write<T>(map: Map<string, T>, entries: Entries<T> = []): Entries<T> {
  return entries.map(([key, value]) => {
    const replaced = [key, map.get(key)] as const
    if (value === undefined) map.delete(key)
    else map.set(key, value)
    return replaced
  })
}
