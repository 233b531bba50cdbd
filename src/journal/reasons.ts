import { JournalError, textOf } from './database-file.ts'

type Code = number | string

/** What is no damage, by the codes of SQLite ("Result and Error Codes") and of the system. */
const reasons: readonly (readonly [reason: string, ...codes: readonly Code[]])[] = [
  // SHMSIZE: the index of the log finds no room.
  ['the disk is full', 13, 4_874, 'ENOSPC', 'EDQUOT'],
  ['it cannot be written: it is read-only, or belongs to somebody else', 8, 'EROFS'],
  ['it, or a file in it, may not be used: it belongs to somebody else', 3, 'EACCES', 'EPERM'],
  ['a file in it cannot be opened: is it somebody else’s, or on a disk that is read-only or full?', 14],
  ['it is no folder, or in something that is none', 'EEXIST', 'ENOTDIR'],
  ['a folder is where a file is expected', 'EISDIR'],
  ['the disk cannot be read or written', 10, 'EIO'],
]
/** Less is in the file than its header says: that is damage. */
const SHORT_READ = 522
const PRIMARY = 0xff

/** Runs what uses a folder, and says what stands in the way of it: damage only where there is damage. */
export function telling<T>(folder: string, run: () => T): T {
  try {
    return run()
  } catch (error) {
    const codes = codesOf(error)
    const [reason] = reasons.find(([, ...known]) => known.some((code) => codes.includes(code))) ?? []
    if (reason !== undefined)
      throw new JournalError(`${folder}: ${reason} (${textOf(causeOf(error))})`, error)
    throw error instanceof JournalError ? error : new JournalError(`${folder}: ${textOf(error)}`, error)
  }
}

/** As exact as it was told, and the kind that it is of. */
function codesOf(error: unknown): readonly Code[] {
  const cause = causeOf(error)
  if (!(cause instanceof Error)) return []
  if ('errcode' in cause && typeof cause.errcode === 'number')
    return cause.errcode === SHORT_READ ? [] : [cause.errcode, cause.errcode & PRIMARY]
  return 'code' in cause && typeof cause.code === 'string' ? [cause.code] : []
}

function causeOf(error: unknown): unknown {
  return error instanceof JournalError && error.cause !== undefined ? error.cause : error
}
