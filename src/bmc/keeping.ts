import type { Journal, JournalRecord } from '../journal/journal.ts'
import { withDevices } from './attached.ts'
import type { Bmc, Listener } from './bmc.ts'
import { keepMessages, type ToldPair, withMessages } from './kept-messages.ts'
import type { Network } from './network.ts'
import { highest, lastNumber, type Numbered, numbered, numbersWereGiven } from './numbers.ts'
import type { Entries, Settings, TableName } from './state.ts'
import { ownTable } from './tables.ts'

/** What of a BMC's state outlives the process: sessions end with it, outages do, and sockets are opened anew. */
const tables = [
  ...numbered,
  'components',
  'history',
  'overlays',
  'accounts',
  'roles',
  'trustedKeys',
  'trustedCertificates',
  'clientCertificates',
  'trustAnchors',
  'identityKeys',
  'deviceIdentities',
  'operations',
  'reached',
  'resets',
  'userJobs',
  'strikes',
  'rollouts',
  'registrations',
  'mqttDevices',
] as const satisfies readonly TableName[]
type Table = (typeof tables)[number]

/** Tables that are not empty when a BMC leaves the factory: what is gone from them must be remembered. */
const fromFactory: ReadonlySet<string> = new Set<Table>(['accounts', 'roles', 'trustAnchors'])
const GONE = null
/** Those whose records tell messages. */
const telling: ReadonlySet<string> = new Set<Table>(['tasks', 'jobs'])

/** Where it is reached is known when it listens, and what certificate it shows by those who make it. */
const keptOfNetwork = ['ntpEnabled', 'ntpServers', 'ssdpEnabled'] as const

/**
 * Keeps every commit of the BMC until told to stop; the first of its listeners, so that what follows of a commit comes
 * after it.
 */
export function keep(bmc: Bmc, journal: Journal): () => void {
  const { id: owner } = bmc
  const write = (table: string, key: string, value: unknown): void =>
    journal.write({ owner, table, key, value })
  const apart = keepMessages(write)

  const listener: Listener = (change, before) => {
    const { settings, network } = bmc.state
    if (change.settings) write('settings', '', settings)
    // Who begins to listen says so to every BMC: that alone is nothing to keep.
    if (keptOfNetwork.some((name) => before.network?.[name] !== network[name]))
      write('network', '', Object.fromEntries(keptOfNetwork.map((name) => [name, network[name]])))
    for (const table of tables) {
      // Each table has values of a type of its own; here all are data.
      const entries: Entries<unknown> = change[table] ?? []
      for (const [index, [key, now]] of entries.entries()) {
        if (isOfSocket(table, now)) continue
        const was = before[table]?.[index]?.[1]
        const value = telling.has(table) ? apart(table, key, { now, was } as ToldPair) : now
        write(table, key, value ?? (fromFactory.has(table) ? GONE : undefined))
      }
    }
    for (const table of numbered) {
      const entries: Entries<unknown> = change[table] ?? []
      if (entries.length === 0) continue
      const numbersOf = (isKept: boolean): number[] =>
        entries.flatMap(([key, value]) => {
          const stays = value !== undefined && !isOfSocket(table, value)
          return stays === isKept ? [parseInt(key, 10)] : []
        })
      const gone = Math.max(...numbersOf(false))
      // What is left may not tell any more how far the numbers had come; a newer one in the same change does.
      const isTold = gone < Math.max(...numbersOf(true))
      if (gone >= 0 && !isTold && gone >= highest(bmc.state[table]))
        write('numbers', table, lastNumber(bmc, table))
    }
  }
  bmc.listeners.add(listener)
  return () => void bmc.listeners.delete(listener)
}

/** Brings back what was kept of a BMC that has just been made. */
export function restore(bmc: Bmc, records: readonly JournalRecord[]): void {
  const { state } = bmc
  const whole = withMessages(records)
  // What is read here is what `keep` wrote.
  for (const record of records) {
    const { table, key, value } = record
    if (table === 'settings') state.settings = { ...state.settings, ...(value as Settings) }
    else if (table === 'network') state.network = { ...state.network, ...(value as Partial<Network>) }
    else if (isTable(table)) {
      const map: Map<string, unknown> = ownTable(state, table)
      if (value === GONE) map.delete(key)
      else map.set(key, telling.has(table) ? whole(record) : value)
    }
  }
  bmc.machine = withDevices(bmc.machine, state.devices)
  // Before one of them goes: its number is known by it alone.
  for (const table of numbered) numbersWereGiven(bmc, table, lastNumber(bmc, table))
  for (const { table, key, value } of records)
    if (table === 'numbers') numbersWereGiven(bmc, key as Numbered, value as number)
}

/** The records of each owner. */
export function byOwner(journal: Journal): ReadonlyMap<string, readonly JournalRecord[]> {
  const owners = new Map<string, JournalRecord[]>()
  for (const record of journal.read()) {
    const known = owners.get(record.owner)
    if (known === undefined) owners.set(record.owner, [record])
    else known.push(record)
  }
  return owners
}

function isTable(name: string): name is Table {
  return tables.some((table) => table === name)
}

/** A stream is a subscription for as long as its connection is open. */
function isOfSocket(table: Table, value: unknown): boolean {
  return table === 'subscriptions' && (value as { kind?: string } | undefined)?.kind === 'SSE'
}
