import type { Journal, JournalRecord } from './journal.ts'

/** A journal that lives as long as somebody holds it: for what restarts within one process. */
export function createMemoryJournal(): Journal {
  const kept = new Map<string, JournalRecord>()
  let isClosed = false
  return {
    // As it is now: whoever reads may write meanwhile.
    read: () => [...kept.values()],
    write: (record) => {
      if (isClosed) return
      const key = [record.owner, record.table, record.key].join('\0')
      if (record.value === undefined) kept.delete(key)
      else kept.set(key, record)
    },
    forget: (owner) => {
      for (const [key, record] of kept) if (record.owner === owner) kept.delete(key)
    },
    flush: () => {},
    get isOpen() {
      return !isClosed
    },
    hasRoom: () => true,
    close: () => {
      isClosed = true
    },
  }
}
