import type { DatabaseSync } from 'node:sqlite'
import { crc32 } from 'node:zlib'
import { decode } from './encoding.ts'
import type { JournalRecord } from './journal.ts'

/** A record as the database has it. */
export interface Row {
  readonly owner: string
  readonly table: string
  readonly key: string
  readonly value: string
  readonly digest: number
}

const READ = `
  SELECT owners.name AS owner, tables.name AS "table", key, value, digest FROM records
  JOIN names AS owners ON owners.id = records.owner
  JOIN names AS tables ON tables.id = records."table"
  ORDER BY seq`

/** All that a database holds, in order. */
export function readRows(db: DatabaseSync): Iterable<Row> {
  return db.prepare(READ).iterate() as Iterable<object> as Iterable<Row>
}

/** What a row says; throws where that is not what was written. */
export function recordOf(row: Row): JournalRecord {
  const { owner, table, key, value, digest } = row
  if (digest !== digestOf(row)) throw new Error(`${key} of ${table} of ${owner} is not what was written`)
  return { owner, table, key, value: decode(value) }
}

/** Tells whether anything of a row was changed by something else than us. */
export function digestOf({ owner, table, key, value }: Omit<Row, 'digest'>): number {
  return crc32(value, crc32(key, crc32(table, crc32(owner))))
}
