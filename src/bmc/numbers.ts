import { ofEach } from '../lib/of-each.ts'
import type { Bmc } from './bmc.ts'
import type { BmcState } from './state.ts'

/** The tables whose keys count up. */
export const numbered = [
  'tasks',
  'jobs',
  'log',
  'auditLog',
  'jobLog',
  'subscriptions',
  'localImages',
] as const satisfies readonly (keyof BmcState)[]
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
  // Not that of the last key: a part of something may have come after what is newer.
  return given(bmc).get(table) ?? Math.max(0, ...[...bmc.state[table].keys()].map((key) => parseInt(key, 10)))
}

/** Numbers up to this one were given away before. */
export function numbersWereGiven(bmc: Bmc, table: Numbered, last: number): void {
  given(bmc).set(table, Math.max(last, lastNumber(bmc, table)))
}
