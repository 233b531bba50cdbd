import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join, resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { describe, expect, onTestFinished, test } from 'vitest'
import { migrate } from '../src/journal/database-file.ts'
import type { Journal } from '../src/journal/journal.ts'
import { type JournalOptions, openSqliteJournal, readJournal } from '../src/journal/sqlite-journal.ts'
import { smallDisk } from './support/disks.ts'
import { temporaryFolder } from './support/folders.ts'

const MIB = 2 ** 20
const databaseIn = (folder: string): string => join(folder, 'journal.db')

async function open(folder: string, options: Partial<JournalOptions> = {}): Promise<Journal> {
  const failed = (error: Error): void => {
    throw error
  }
  const journal = await openSqliteJournal(folder, { sync: 'off', failed, ...options })
  onTestFinished(() => journal.close())
  return journal
}

function put(journal: Journal, key: string, value: unknown = key): void {
  journal.write({ owner: '1', table: 't', key, value })
}

function keys(journal: Journal): string {
  return [...journal.read()].map(({ key }) => key).join(' ')
}

/** A folder with some records in its database, which nobody has open. */
async function filledFolder(count = 200): Promise<string> {
  const folder = temporaryFolder()
  const journal = await open(folder)
  for (let i = 0; i < count; i++) put(journal, `k${i}`, `value number ${i} ${'x'.repeat(200)}`)
  journal.close()
  return folder
}

/** What is in each file of a folder. */
function digests(folder: string): Record<string, string> {
  const names = readdirSync(folder).filter((name) => name !== 'lock')
  const digest = (name: string) =>
    createHash('sha256')
      .update(readFileSync(join(folder, name)))
      .digest('hex')
  return Object.fromEntries(names.map((name) => [name, digest(name)]))
}

/** Another process that writes to a journal until it is killed. */
async function otherProcess(folder: string, what: string) {
  const module = resolve(import.meta.dirname, '../src/journal/sqlite-journal.ts')
  const program = `
    import { openSqliteJournal } from '${module}'
    const journal = await openSqliteJournal('${folder}', { sync: 'off', failed: console.error })
    const put = (key) => journal.write({ owner: '1', table: 't', key, value: key })
    ${what}
    console.log('here')
    setInterval(() => {}, 1_000)`
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(child, 'close')
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL')
    await ended
  }
  onTestFinished(kill)
  await once(child.stdout, 'data')
  return { kill }
}

describe('a journal in a folder', () => {
  test('can be read by its owner only, and so can the folder', async () => {
    const folder = join(temporaryFolder(), 'not/there/yet')
    put(await open(folder), 'a')
    const modes = readdirSync(folder).map((name) => statSync(join(folder, name)).mode & 0o777)
    expect([statSync(folder).mode & 0o777, ...modes]).toEqual([0o700, ...modes.map(() => 0o600)])
  })

  test('is one process’s at a time, and another one’s at once when that is killed', async () => {
    const folder = temporaryFolder()
    const other = await otherProcess(folder, "put('a'); journal.flush()")
    await expect(open(folder)).rejects.toThrow(`${folder} is in use by another process`)
    await other.kill()
    expect(keys(await open(folder))).toBe('a')
  })

  test('has what was flushed, and what was written in a turn that is over, when its process is killed', async () => {
    const folder = temporaryFolder()
    const what = `
      put('flushed'); journal.flush()
      put('of a turn before'); await new Promise(setImmediate)
      await new Promise(setImmediate); put('of this turn')`
    const other = await otherProcess(folder, `${what}; console.log('here'); for (;;);`)
    await other.kill()
    expect(keys(await open(folder))).toBe('flushed of a turn before')
  })

  test('keeps what is written in the end of a turn without being asked', async () => {
    const folder = temporaryFolder()
    const journal = await open(folder)
    put(journal, 'a')
    const log = `${databaseIn(folder)}-wal`
    const before = readFileSync(log)
    await nextTurn()
    expect(readFileSync(log).equals(before)).toBe(false)
  })

  test.each(['off', 'normal', 'full'] as const)('works with what is %s', async (sync) => {
    const folder = temporaryFolder()
    const journal = await open(folder, { sync })
    put(journal, 'a')
    journal.close()
    expect(keys(await open(folder, { sync }))).toBe('a')
  })
})

describe('a database that cannot be relied on', () => {
  const header = (change: (bytes: Buffer) => void) => (file: string) => {
    const bytes = readFileSync(file)
    change(bytes)
    writeFileSync(file, bytes)
  }
  /** Changes a byte of a value, which SQLite does not see. */
  const flipped = header((bytes) => {
    const at = bytes.indexOf('value number 77')
    bytes[at] = 'V'.charCodeAt(0)
  })

  test.each<[string, (file: string) => void, RegExp]>([
    [
      'garbage',
      (file) => writeFileSync(file, 'no database at all, but long enough '.repeat(50)),
      /damaged, or no database/,
    ],
    ['an empty file', (file) => truncateSync(file, 0), /damaged, or no database/],
    ['cut short', (file) => truncateSync(file, Math.floor(statSync(file).size / 2)), /is damaged/],
    ['cut to its first page', (file) => truncateSync(file, 4096), /is damaged/],
    ['with a page of something else', header((bytes) => bytes.fill(0x5a, 3 * 4096, 4 * 4096)), /is damaged/],
    ['with a byte flipped in a value', flipped, /is damaged: k77 of t of 1 is not what was written/],
    ['of something else', header((bytes) => bytes.writeUInt32BE(7, 68)), /a database of something else/],
    [
      'of a newer redflash',
      header((bytes) => bytes.writeUInt32BE(99, 60)),
      /newer redflash: its version is 99/,
    ],
  ])('is refused and left as it is: %s', async (_what, damage, message) => {
    const folder = await filledFolder()
    damage(databaseIn(folder))
    const before = digests(folder)
    await expect(open(folder)).rejects.toThrow(message)
    expect(digests(folder)).toEqual(before)
  })

  test('is refused and left as it is where a killed process left its log, too', async () => {
    const folder = await filledFolder()
    const other = await otherProcess(folder, "put('a'); journal.flush()")
    await other.kill()
    expect(existsSync(`${databaseIn(folder)}-wal`)).toBe(true)
    flipped(databaseIn(folder))
    const before = digests(folder)
    await expect(open(folder)).rejects.toThrow(/is damaged/)
    expect(digests(folder)).toEqual(before)
  })

  test('is opened again when it has been put right', async () => {
    const folder = await filledFolder(2)
    const good = readFileSync(databaseIn(folder))
    writeFileSync(databaseIn(folder), 'garbage')
    await expect(open(folder)).rejects.toThrow('damaged')
    writeFileSync(databaseIn(folder), good)
    expect(keys(await open(folder))).toBe('k0 k1')
  })
})

describe('a migration', () => {
  /** A database as an older version made it. */
  function older(): { readonly db: DatabaseSync; readonly version: () => unknown } {
    const db = new DatabaseSync(join(temporaryFolder(), 'old.db'))
    onTestFinished(() => db.close())
    db.exec("PRAGMA journal_mode = WAL; CREATE TABLE things (name TEXT); INSERT INTO things VALUES ('a')")
    return { db, version: () => Object.values(db.prepare('PRAGMA user_version').get() ?? {})[0] }
  }
  const steps = [
    'CREATE TABLE more (name TEXT, size INTEGER); INSERT INTO more SELECT name, 1 FROM things; DROP TABLE things;',
    'UPDATE more SET size = size + 1;',
  ]

  test('takes all steps that are missing, and no other', () => {
    const { db, version } = older()
    migrate(db, 0, steps.slice(0, 1))
    expect([version(), db.prepare('SELECT * FROM more').all()]).toEqual([1, [{ name: 'a', size: 1 }]])
    migrate(db, 1, steps)
    migrate(db, 2, steps)
    expect([version(), db.prepare('SELECT * FROM more').all()]).toEqual([2, [{ name: 'a', size: 2 }]])
  })

  test('that fails leaves everything as it was', () => {
    const { db, version } = older()
    expect(() => migrate(db, 0, [...steps, 'INSERT INTO nothing VALUES (1)'])).toThrow('nothing')
    expect([version(), db.prepare('SELECT name FROM things').all()]).toEqual([0, [{ name: 'a' }]])
  })
})

describe('a disk that is full', () => {
  test('has no room for anything new, and has it again', async () => {
    let freeBytes = 16 * MIB
    const journal = await open(temporaryFolder(), { freeBytes: () => freeBytes })
    expect(journal.hasRoom()).toBe(true)
    freeBytes--
    expect(journal.hasRoom()).toBe(false)
    freeBytes++
    expect(journal.hasRoom()).toBe(true)
  })

  test('still keeps what is under way', async () => {
    const folder = temporaryFolder()
    const journal = await open(folder, { freeBytes: () => 0 })
    for (let i = 0; i < 500; i++) put(journal, `k${i % 50}`, 'x'.repeat(1_000 + i))
    journal.flush()
    journal.close()
    expect([...(await open(folder)).read()]).toHaveLength(50)
  })

  test('grows neither log nor database for what their reserve can hold', async () => {
    const folder = temporaryFolder()
    const journal = await open(folder)
    const sizes = () => ['', '-wal'].map((end) => statSync(databaseIn(folder) + end).size)
    const before = sizes()
    expect(Math.min(...before)).toBeGreaterThan(4 * MIB)
    for (let i = 0; i < 100; i++) {
      put(journal, `k${i}`, 'x'.repeat(5_000))
      journal.flush()
    }
    expect(sizes()).toEqual(before)
  })

  test('ends everything when it takes nothing at all: said once, and nothing of the batch is kept', async () => {
    const folder = temporaryFolder()
    const told: Error[] = []
    const journal = await open(folder, { maxPages: 1_100, failed: (error) => void told.push(error) })
    put(journal, 'before')
    journal.flush()
    put(journal, 'small')
    put(journal, 'large', 'x'.repeat(8 * MIB))
    expect(() => journal.flush()).toThrow(/takes nothing more/)
    expect([told.length, journal.isOpen, journal.hasRoom()]).toEqual([1, false, false])
    put(journal, 'after')
    expect(() => journal.flush()).toThrow(/takes nothing more/)
    await nextTurn()
    expect(told).toHaveLength(1)
    journal.close()
    expect(keys(await open(folder))).toBe('before')
  })

  test('is told when a turn ends, too', async () => {
    const told: Error[] = []
    const journal = await open(temporaryFolder(), {
      maxPages: 1_100,
      failed: (error) => void told.push(error),
    })
    put(journal, 'large', 'x'.repeat(8 * MIB))
    await nextTurn()
    expect(told).toHaveLength(1)
    journal.close()
  })
})

test('a log is brought to its place from time to time, and does not grow without end', async () => {
  const folder = temporaryFolder()
  const journal = await open(folder)
  const reserved = statSync(`${databaseIn(folder)}-wal`).size
  for (let turn = 0; turn < 60; turn++) {
    for (let i = 0; i < 50; i++) put(journal, `k${i}`, `${turn} ${'x'.repeat(5_000)}`)
    await nextTurn()
  }
  expect(statSync(`${databaseIn(folder)}-wal`).size).toBe(reserved)
  expect(journal.hasRoom()).toBe(true)
})

describe('what stands in the way of a journal is told as what it is:', () => {
  test.each<[string, (folder: string) => string, RegExp]>([
    ['a file', (folder) => databaseIn(folder), /is no folder/],
    ['something in a file', (folder) => join(databaseIn(folder), 'data'), /is no folder/],
    [
      'a folder in the place of the database',
      (folder) => {
        rmSync(databaseIn(folder))
        mkdirSync(databaseIn(folder))
        return folder
      },
      /a folder is where a file/,
    ],
  ])('%s', async (_what, change, told) => {
    await expect(open(change(await filledFolder()))).rejects.toThrow(told)
  })

  test('a disk that is full', async (context) => {
    const disk = await smallDisk(16 * MIB)
    if (disk === undefined) return context.skip()
    const journal = await open(disk.path)
    journal.close()
    disk.fill()
    const problem: unknown = await openSqliteJournal(disk.path, { sync: 'off', failed: () => {} }).catch(
      (error: unknown) => error,
    )
    expect(String(problem)).toMatch(/the disk is full/)
    expect(String(problem)).not.toContain('damaged')
    disk.empty()
    expect(keys(await open(disk.path))).toBe('')
  })

  test('a disk that is read-only, to whoever only looks, too', async (context) => {
    const disk = await smallDisk(16 * MIB)
    if (disk === undefined) return context.skip()
    const journal = await open(disk.path)
    journal.close()
    disk.setReadOnly(true)
    await expect(open(disk.path)).rejects.toThrow(/read-only/)
    await expect(readJournal(disk.path, () => {})).rejects.toThrow(/read-only/)
    disk.setReadOnly(false)
    expect(await readJournal(disk.path, () => {})).toBe(1)
  })
})
