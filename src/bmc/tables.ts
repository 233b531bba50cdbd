import type { BmcTables, Change, Entries, TableName, Tables } from './state.ts'

/** What a table holds that nobody has written to: one for all tables of all BMCs. */
const nothing: ReadonlyMap<string, never> = new Map<string, never>()

/** The tables of a BMC that has done nothing yet. */
export const emptyTables: { readonly [T in TableName]: ReadonlyMap<string, never> } = {
  components: nothing,
  history: nothing,
  overlays: nothing,
  accounts: nothing,
  roles: nothing,
  sessions: nothing,
  tasks: nothing,
  jobs: nothing,
  log: nothing,
  auditLog: nothing,
  jobLog: nothing,
  subscriptions: nothing,
  localImages: nothing,
  trustedKeys: nothing,
  trustedCertificates: nothing,
  clientCertificates: nothing,
  trustAnchors: nothing,
  identityKeys: nothing,
  deviceIdentities: nothing,
  operations: nothing,
  reached: nothing,
  resets: nothing,
  userJobs: nothing,
  strikes: nothing,
  devices: nothing,
  aggregates: nothing,
  deviceLogs: nothing,
  rollouts: nothing,
  registrations: nothing,
  mqttDevices: nothing,
}

const names = Object.keys(emptyTables) as TableName[]

/** A table that one BMC has to itself. What it left the factory with is shared by all of its like. */
class OwnTable<T> extends Map<string, T> {}

/** The table, to be written to: the first time, what is shared becomes the BMC's own. */
export function ownTable<T extends TableName>(state: BmcTables, name: T): Map<string, Tables[T]> {
  const known: ReadonlyMap<string, Tables[T]> = state[name]
  if (known instanceof OwnTable) return known
  const own = new OwnTable(known)
  Object.assign(state, { [name]: own })
  return own
}

/** Writes the entries of a change, and tells what they replaced, in their order. */
export function writeTables(state: BmcTables, change: Change): Change {
  const replaced: Partial<Record<TableName, Entries<unknown>>> = {}
  for (const name of names) {
    const entries = change[name]
    if (entries !== undefined && entries.length > 0) replaced[name] = write(ownTable(state, name), entries)
  }
  return replaced as Change
}

function write<T>(table: Map<string, T>, entries: Entries<T>): Entries<T> {
  return entries.map(([key, value]) => {
    const replaced = [key, table.get(key)] as const
    if (value === undefined) table.delete(key)
    else table.set(key, value)
    return replaced
  })
}
