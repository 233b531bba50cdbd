import { statfsSync } from 'node:fs'
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { afterTurn } from '../lib/clock.ts'
import {
  createDatabase,
  examine,
  JournalError,
  type JournalFiles,
  journalFiles,
  lockFolder,
  migrate,
  type Sqlite,
  textOf,
  versionOf,
} from './database-file.ts'
import { encode } from './encoding.ts'
import type { Journal, JournalRecord } from './journal.ts'
import { Names } from './names.ts'
import { telling } from './reasons.ts'
import { digestOf, readRows, recordOf } from './rows.ts'
import type { SyncPolicy } from './sync.ts'

export interface JournalOptions {
  readonly sync: SyncPolicy
  /** Told once, when the disk does not take what was committed: nothing can be relied on any more. */
  readonly failed: (error: JournalError) => void
  /** How much the disk must have left for anything new; 16 MiB unless given. */
  readonly reserveBytes?: number
  /** What the disk has left; asked of the disk unless given. */
  readonly freeBytes?: () => number
  /** How large the database may become; as large as it likes unless given. */
  readonly maxPages?: number
}

const RESERVE_BYTES = 16 * 2 ** 20
/** Room in the log for what is under way while the disk is full. */
const LOG_BYTES = 4 * 2 ** 20
/** How much is written before it is brought from the log to its place: where that fails, half the log is left. */
const CHECKPOINT_BYTES = 2 * 2 ** 20
const PAGE_BYTES = 4_096
/** How many pages a record is apt to change: its own, that of an index, and one above. */
const PAGES_PER_RECORD = 3

/** Tells every record of a folder, without changing anything, and the version of its database. */
export async function readJournal(folder: string, each: (record: JournalRecord) => void): Promise<number> {
  const sqlite = await import('node:sqlite')
  return telling(folder, () => {
    const files = journalFiles(folder)
    const version = versionOf(files)
    if (version === undefined) throw new JournalError(`there is no ${files.database}`)
    const unlock = lockFolder(sqlite, files)
    try {
      examine(sqlite, files, version, each)
      return version
    } finally {
      unlock()
    }
  })
}

/** Opens what is kept in a folder, or begins to. Rejects with a JournalError where that cannot be relied on. */
export async function openSqliteJournal(folder: string, options: JournalOptions): Promise<Journal> {
  const sqlite = await import('node:sqlite')
  return telling(folder, () => {
    const files = journalFiles(folder)
    const unlock = lockFolder(sqlite, files)
    try {
      return new SqliteJournal(openDatabase(sqlite, files, options), files, { ...options, unlock })
    } catch (error) {
      unlock()
      throw error
    }
  })
}

function openDatabase(sqlite: Sqlite, files: JournalFiles, { sync, maxPages }: JournalOptions): DatabaseSync {
  const version = versionOf(files)
  if (version === undefined) createDatabase(sqlite, files)
  else examine(sqlite, files, version)
  const db = new sqlite.DatabaseSync(files.database)
  try {
    db.exec('PRAGMA locking_mode = EXCLUSIVE')
    if (version !== undefined) migrate(db, version)
    db.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = ${sync}; PRAGMA wal_autocheckpoint = 0`)
    reserveLog(db)
    if (maxPages !== undefined) db.exec(`PRAGMA max_page_count = ${maxPages}`)
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

/** Lets the log grow once, and the database with it: both keep what they have. */
function reserveLog(db: DatabaseSync): void {
  db.exec(`
    BEGIN; CREATE TABLE reserve (bytes BLOB); INSERT INTO reserve VALUES (zeroblob(${LOG_BYTES}));
    DROP TABLE reserve; COMMIT`)
  checkpoint(db, 'PASSIVE')
}

/** Brings what is in the log to its place; whether all of it got there. */
function checkpoint(db: DatabaseSync, mode: 'PASSIVE' | 'TRUNCATE'): boolean {
  const { busy, log, checkpointed } = db.prepare(`PRAGMA wal_checkpoint(${mode})`).get() ?? {}
  return busy === 0 && log === checkpointed
}

interface Pending {
  readonly record: JournalRecord
  /** It was gone meanwhile: it comes after all others. */
  readonly isNew: boolean
}

class SqliteJournal implements Journal {
  readonly #db: DatabaseSync
  readonly #files: JournalFiles
  readonly #options: JournalOptions & { readonly unlock: () => void }
  readonly #upsert: StatementSync
  readonly #remove: StatementSync
  readonly #forget: StatementSync
  readonly #begin: StatementSync
  readonly #commit: StatementSync
  readonly #names: Names
  /** What was written since the last flush: of each record, only how it is now. */
  #pending = new Map<string, Pending>()
  #isFlushDue = false
  #failure: JournalError | undefined
  #isClosed = false
  #loggedBytes = 0
  #isCheckpointed = true

  constructor(db: DatabaseSync, files: JournalFiles, options: JournalOptions & { unlock: () => void }) {
    this.#db = db
    this.#files = files
    this.#options = options
    this.#names = new Names(db)
    this.#upsert = db.prepare(
      `INSERT INTO records (owner, "table", key, value, digest) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET value = excluded.value, digest = excluded.digest`,
    )
    this.#remove = db.prepare('DELETE FROM records WHERE owner = ? AND "table" = ? AND key = ?')
    this.#forget = db.prepare('DELETE FROM records WHERE owner = (SELECT id FROM names WHERE name = ?)')
    this.#begin = db.prepare('BEGIN IMMEDIATE')
    this.#commit = db.prepare('COMMIT')
  }

  get isOpen(): boolean {
    return !this.#isClosed && this.#failure === undefined
  }

  *read(): Iterable<JournalRecord> {
    this.flush()
    for (const row of readRows(this.#db)) yield recordOf(row)
  }

  write(record: JournalRecord): void {
    // Told already: no answer leaves any more, and what ends now ends in peace.
    if (!this.isOpen) return
    const id = `${record.owner}\0${record.table}\0${record.key}`
    const before = this.#pending.get(id)
    const wasGone = before !== undefined && before.record.value === undefined
    if (wasGone || record.value === undefined) this.#pending.delete(id)
    this.#pending.set(id, { record, isNew: wasGone || before?.isNew === true })
    if (this.#isFlushDue) return
    this.#isFlushDue = true
    afterTurn(() => this.#flushDue())
  }

  forget(owner: string): void {
    this.flush()
    this.#transact(() => this.#forget.run(owner))
  }

  flush(): void {
    if (this.#failure) throw this.#failure
    if (this.#pending.size === 0) return
    const batch = this.#pending
    this.#pending = new Map()
    this.#transact(() => {
      for (const one of batch.values()) this.#apply(one)
    })
  }

  hasRoom(): boolean {
    const { reserveBytes = RESERVE_BYTES, freeBytes = () => freeBytesAt(this.#files.folder) } = this.#options
    if (this.#failure || freeBytes() < reserveBytes) return false
    return this.#isCheckpointed || this.#checkpoint()
  }

  close(): void {
    if (this.#isClosed) return
    try {
      if (this.#failure === undefined) {
        this.flush()
        // A disk that has no room for it keeps the log, which is read at the next start.
        this.#checkpoint('TRUNCATE')
      }
    } finally {
      this.#isClosed = true
      this.#db.close()
      this.#options.unlock()
    }
  }

  #transact(run: () => void): void {
    if (this.#failure) throw this.#failure
    if (this.#isClosed) return
    try {
      this.#begin.run()
      run()
      this.#commit.run()
    } catch (error) {
      this.#failure = new JournalError(`${this.#files.database} takes nothing more: ${textOf(error)}`, error)
      this.#options.failed(this.#failure)
      throw this.#failure
    }
  }

  #apply({ record: { owner, table, key, value }, isNew }: Pending): void {
    const [ownerId, tableId] = [this.#names.idOf(owner), this.#names.idOf(table)]
    if (isNew || value === undefined) this.#remove.run(ownerId, tableId, key)
    if (value === undefined) return
    const text = encode(value)
    this.#upsert.run(ownerId, tableId, key, text, digestOf({ owner, table, key, value: text }))
    this.#loggedBytes += text.length + PAGES_PER_RECORD * PAGE_BYTES
  }

  #flushDue(): void {
    this.#isFlushDue = false
    if (!this.isOpen) return
    try {
      this.flush()
      if (this.#loggedBytes >= CHECKPOINT_BYTES) this.#checkpoint()
    } catch (error) {
      // It was told.
      if (!(error instanceof JournalError)) throw error
    }
  }

  /** A disk that has no room for it may have later: till then the log grows. */
  #checkpoint(mode: 'PASSIVE' | 'TRUNCATE' = 'PASSIVE'): boolean {
    this.#loggedBytes = 0
    try {
      this.#isCheckpointed = checkpoint(this.#db, mode)
    } catch {
      this.#isCheckpointed = false
    }
    return this.#isCheckpointed
  }
}

function freeBytesAt(folder: string): number {
  const { bavail, bsize } = statfsSync(folder)
  return bavail * bsize
}
