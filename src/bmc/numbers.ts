import { ofEach } from '../lib/of-each.ts'
import type { Bmc } from './bmc.ts'
import type { TableName } from './state.ts'

/** The tables whose keys count up. */
export const numbered = [
  'tasks',
  'jobs',
  'log',
  'auditLog',
  'jobLog',
  'subscriptions',
  'localImages',
  'devices',
  'aggregates',
] as const satisfies readonly TableName[]
export type Numbered = (typeof numbered)[number]

/** The last number that each table of a BMC gave away. */
const given = ofEach<Bmc, Map<Numbered, number>>(() => new Map())

/** The next number of a table, or the first of so many: never given again, not even when what had it is gone. */
export function nextNumber(bmc: Bmc, table: Numbered, count = 1): number {
  const last = lastNumber(bmc, table)
  given(bmc).set(table, last + count)
  return last + 1
}

/** The last number that was given away; 0: none was. */
export function lastNumber(bmc: Bmc, table: Numbered): number {
  return given(bmc).get(table) ?? highest(bmc.state[table])
}

/** The highest number among the keys: not always that of the last, for a part may come after what is newer. */
export function highest(table: ReadonlyMap<string, unknown>): number {
  let most = 0
  for (const key of table.keys()) most = Math.max(most, parseInt(key, 10))
  return most
}

/** Numbers up to this one were given away before. */
export function numbersWereGiven(bmc: Bmc, table: Numbered, last: number): void {
  given(bmc).set(table, Math.max(last, lastNumber(bmc, table)))
}
