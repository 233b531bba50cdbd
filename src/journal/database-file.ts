import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { DatabaseSync } from 'node:sqlite'
import type { JournalRecord } from './journal.ts'
import { migrations } from './migrations.ts'
import { readRows, recordOf } from './rows.ts'

/** That a database is ours (SQLite, "application_id"): RFLS. */
const APPLICATION_ID = 0x52_46_4c_53
/** Where a database says what it is (SQLite, "Database File Format", 1.3). */
const HEADER_BYTES = 100
const MAGIC = 'SQLite format 3\0'
const VERSION_AT = 60
const APPLICATION_ID_AT = 68

/** What stands in the way of a journal, for whoever keeps the service. */
export class JournalError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause })
    this.name = 'JournalError'
  }
}

/** The files of a journal. */
export interface JournalFiles {
  readonly folder: string
  readonly database: string
  readonly lock: string
  /** The folder of the images that its records speak of. */
  readonly images: string
}

export function journalFiles(folder: string): JournalFiles {
  const at = (name: string): string => join(folder, name)
  return { folder, database: at('journal.db'), lock: at('lock'), images: at('images') }
}

/** The module, once somebody loaded it. */
export interface Sqlite {
  readonly DatabaseSync: typeof DatabaseSync
}

/** Makes the folder one process's alone, until that process unlocks it or dies. */
export function lockFolder({ DatabaseSync: Database }: Sqlite, { folder, lock }: JournalFiles): () => void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    if (!existsSync(lock)) writeFileSync(lock, '', { mode: 0o600 })
  } catch (error) {
    throw new JournalError(`${folder} cannot be used: ${textOf(error)}`, error)
  }
  const database = new Database(lock)
  try {
    database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE')
  } catch (error) {
    database.close()
    throw new JournalError(
      isBusy(error)
        ? `${folder} is in use by another process`
        : `${folder} cannot be locked: ${textOf(error)}`,
      error,
    )
  }
  return () => database.close()
}

/** What is known of a database: `undefined` where there is none yet. Nothing is written. */
export function versionOf({ database, images }: JournalFiles): number | undefined {
  if (!existsSync(database)) {
    // A new one would take what belongs to the old one for its own, or sweep it.
    const left = existsSync(`${database}-wal`) || (existsSync(images) && readdirSync(images).length > 0)
    if (left) throw new JournalError(`${database} is missing, and what belongs to it is there`)
    return undefined
  }
  const header = headOf(database)
  if (header.length < HEADER_BYTES || header.toString('latin1', 0, MAGIC.length) !== MAGIC) {
    throw new JournalError(`${database} is damaged, or no database`)
  }
  if (header.readUInt32BE(APPLICATION_ID_AT) !== APPLICATION_ID) {
    throw new JournalError(`${database} is a database of something else`)
  }
  const version = header.readUInt32BE(VERSION_AT)
  if (version > migrations.length) {
    throw new JournalError(
      `${database} was written by a newer redflash: its version is ${version}, this one knows ${migrations.length}`,
    )
  }
  return version
}

/** Makes an empty database, which is there as a whole or not at all. */
export function createDatabase({ DatabaseSync: Database }: Sqlite, { folder, database }: JournalFiles): void {
  const made = `${database}.new`
  for (const left of [made, `${made}-journal`]) rmSync(left, { force: true })
  writeFileSync(made, '', { flag: 'wx', mode: 0o600 })
  const db = new Database(made)
  try {
    db.exec(`PRAGMA application_id = ${APPLICATION_ID}`)
    migrate(db, 0)
  } finally {
    db.close()
  }
  renameSync(made, database)
  const handle = openSync(folder, 'r')
  fsyncSync(handle)
  closeSync(handle)
}

/** Brings a database to the present version, or leaves it as it was. */
export function migrate(db: DatabaseSync, from: number, steps = migrations): void {
  if (from === steps.length) return
  // Not in the WAL: what version it is stands in the file itself.
  db.exec('PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL; BEGIN EXCLUSIVE')
  try {
    for (const step of steps.slice(from)) db.exec(step)
    db.exec(`PRAGMA user_version = ${steps.length}; COMMIT`)
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK')
    throw error
  }
}

/** Looks at everything without changing anything, and tells every record; throws where something is wrong. */
export function examine(
  { DatabaseSync: Database }: Sqlite,
  { database }: JournalFiles,
  version: number,
  each: (record: JournalRecord) => void = () => {},
): void {
  const beside = ['-wal', '-shm'].map((end) => database + end).filter((file) => !existsSync(file))
  let db
  try {
    db = new Database(pathToFileURL(database), { readOnly: true })
    const [{ integrity_check: said } = {}] = db.prepare('PRAGMA integrity_check(1)').all()
    if (said !== 'ok') throw new Error(String(said))
    // What the database cannot tell: whether a value is still what was written.
    if (version === migrations.length) for (const row of readRows(db)) each(recordOf(row))
  } catch (error) {
    throw new JournalError(`${database} is damaged: ${textOf(error)}`, error)
  } finally {
    db?.close()
    // Whoever only reads leaves behind what it needed.
    for (const file of beside) rmSync(file, { force: true })
  }
}

function headOf(file: string): Buffer {
  const head = Buffer.alloc(HEADER_BYTES)
  const handle = openSync(file, 'r')
  try {
    return head.subarray(0, readSync(handle, head, 0, HEADER_BYTES, 0))
  } finally {
    closeSync(handle)
  }
}

function isBusy(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && (error.errcode === 5 || error.errcode === 6)
}

export function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
