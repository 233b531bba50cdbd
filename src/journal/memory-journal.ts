import type { Journal, JournalRecord } from './journal.ts'

/** A journal that lives as long as somebody holds it: for what restarts within one process. */
export function createMemoryJournal(): Journal {
  const kept = new Map<string, JournalRecord>()
  const written: JournalRecord[] = []

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
    write: (record) => void written.push(record),
    flush,
    hasRoom: () => true,
    close: flush,
  }
}
