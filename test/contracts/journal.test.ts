import { createMemoryJournal } from '../../src/journal/memory-journal.ts'
import { openSqliteJournal } from '../../src/journal/sqlite-journal.ts'
import { temporaryFolder } from '../support/folders.ts'
import { journalContract } from './journal.ts'

journalContract('memory', {
  make: async () => {
    let journal = createMemoryJournal()
    const reopen = async () => {
      const next = createMemoryJournal()
      for (const record of journal.read()) next.write(record)
      journal = next
      return next
    }
    return { journal, reopen }
  },
})

journalContract('sqlite', {
  make: async () => {
    const folder = temporaryFolder()
    const open = () =>
      openSqliteJournal(folder, {
        sync: 'off',
        failed: (error) => {
          throw error
        },
      })
    return { journal: await open(), reopen: open }
  },
})
