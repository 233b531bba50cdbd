import type { Journal, JournalRecord } from './journal.ts'

/** A journal that lives as long as somebody holds it: for what restarts within one process. */
export function createMemoryJournal(): Journal {
  const kept = new Map<string, JournalRecord>()
  const written: JournalRecord[] = []
  let isClosed = false

  const flush = (): void => {
    for (const record of written.splice(0)) {
      const key = [record.owner, record.table, record.key].join('\0')
      if (record.value === undefined) kept.delete(key)
      else kept.set(key, record)
    }
  }
  return {
    read: () => {
      flush()
      return kept.values()
    },
    write: (record) => {
      if (!isClosed) written.push(record)
    },
    forget: (owner) => {
      flush()
      for (const [key, record] of kept) if (record.owner === owner) kept.delete(key)
    },
    flush,
    get isOpen() {
      return !isClosed
    },
    hasRoom: () => true,
    close: () => {
      flush()
      isClosed = true
    },
  }
}
