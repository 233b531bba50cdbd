import { randomUUID } from 'node:crypto'
import {
  type FileHandle,
  lstat,
  mkdir,
  mkdtemp,
  open as openFile,
  readdir,
  rename,
  rm,
  writeFile,
} from 'node:fs/promises'
import { userInfo } from 'node:os'
import { join } from 'node:path'

const OURS = /^redflash-\w{6}$/
const LOCK = 'lock'

/** A folder that is one spool's alone. */
interface SpoolFolder {
  /** A new file that nobody else can name, to be written and read. */
  open(): Promise<OpenFile>
  remove(): Promise<void>
}

interface OpenFile {
  readonly path: string
  readonly handle: FileHandle
}

/**
 * A folder below `parent`, which is made with its first file, and made again where somebody who tidies temporary folders
 * took it. What the dead left there is swept first; `failed` is told what could not be.
 */
export function createSpoolFolder(parent: string, failed: (error: unknown) => void): SpoolFolder {
  const swept = sweep(parent).catch((error: unknown) => {
    // Not there yet: it is made with the first file.
    if (codeOf(error) !== 'ENOENT') failed(error)
  })
  let folder: Promise<Folder> | undefined
  const open = async (mayBeGone = true): Promise<OpenFile> => {
    await swept
    const current = (folder ??= makeFolder(parent))
    const forget = (): void => {
      if (folder === current) folder = undefined
    }
    const { path, unlock } = await current.catch((error: unknown) => {
      forget()
      throw error
    })
    const file = join(path, randomUUID())
    try {
      return { path: file, handle: await openFile(file, 'wx+', 0o600) }
    } catch (error) {
      if (!mayBeGone || codeOf(error) !== 'ENOENT') throw error
      if (folder === current) unlock()
      forget()
      return open(false)
    }
  }
  const remove = async (): Promise<void> => {
    await swept
    const last = await folder
    folder = undefined
    if (last === undefined) return
    last.unlock()
    await rm(last.path, { recursive: true, force: true })
  }
  return { open: () => open(), remove }
}

/** A folder that is kept, and whose owner sees to it that it is nobody else's; what comes has a name that is no digest. */
export function createKeptFolder(path: string): SpoolFolder {
  return {
    open: async () => {
      await mkdir(path, { recursive: true, mode: 0o700 })
      const file = join(path, `${randomUUID()}.part`)
      return { path: file, handle: await openFile(file, 'wx+', 0o600) }
    },
    remove: async () => {},
  }
}

export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

interface Folder {
  readonly path: string
  readonly unlock: () => void
}

/**
 * Makes a folder below `parent`, which need not exist. Whoever dies leaves it behind: it is told from those of the living
 * by a lock that the operating system takes from the dead, in whatever container they were.
 */
async function makeFolder(parent: string): Promise<Folder> {
  await mkdir(parent, { recursive: true })
  const path = await mkdtemp(join(parent, 'redflash-'))
  try {
    return { path, unlock: await lock(path) }
  } catch (error) {
    await rm(path, { recursive: true, force: true })
    throw error
  }
}

/** Removes what spools below `parent` left behind whose processes ended without doing it. */
async function sweep(parent: string): Promise<void> {
  const names = (await readdir(parent)).filter((name) => OURS.test(name))
  for (const name of names) {
    const folder = join(parent, name)
    if (await isDead(folder)) await rm(folder, { recursive: true, force: true })
  }
}

/**
 * Locks the folder until the process ends or unlocks it. SQLite is how Node gets at the locks of the operating system;
 * nothing is ever written. Where the file system knows no locks there is none: then nobody sweeps the folder.
 */
async function lock(folder: string): Promise<() => void> {
  const { DatabaseSync } = await import('node:sqlite')
  const file = join(folder, `${LOCK}.new`)
  await writeFile(file, '', { flag: 'wx', mode: 0o600 })
  const database = new DatabaseSync(file, { open: false })
  try {
    database.open()
    database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE')
  } catch {
    return () => {}
  }
  // Under this name only when it is held.
  await rename(file, join(folder, LOCK))
  return () => database.close()
}

async function isDead(folder: string): Promise<boolean> {
  const { uid } = userInfo()
  const { DatabaseSync } = await import('node:sqlite')
  try {
    const file = join(folder, LOCK)
    const [about, locked] = await Promise.all([lstat(folder), lstat(file)])
    // Somebody else could put another folder in its place while it is removed, and their own data into the lock.
    if (!about.isDirectory() || (uid !== -1 && about.uid !== uid) || !locked.isFile() || locked.size > 0) {
      return false
    }
    const database = new DatabaseSync(file, { readOnly: true })
    try {
      database.exec('SELECT 1 FROM sqlite_schema')
      return true
    } finally {
      database.close()
    }
  } catch {
    return false // it lives, it is none of ours, or it went meanwhile
  }
}
