import { constants } from 'node:fs'
import { type FileHandle, open, realpath } from 'node:fs/promises'
import { join, sep } from 'node:path'
import { fail } from '../lib/result.ts'
import { FetchError, type Fetcher, type FetchProblem, type TransferOptions } from './fetcher.ts'
import { decoded, fileNameOf } from './file-name.ts'
import { findShared } from './image-folders.ts'
import { interrupted, openSource } from './source.ts'

const CHUNK_BYTES = 2 ** 18
/** A link in the last place is not followed: what it leads to has been found before. A pipe is opened, and no file. */
const READ_ONLY = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK

/** Fetches by NFS and CIFS, from folders where somebody has mounted what the servers share. */
export function createFolderFetcher({ clock, folders }: TransferOptions): Fetcher {
  return {
    open: async ({ uri, signal }) => {
      const shared = findShared(folders, uri)
      if (shared === undefined) return fail({ kind: 'unsupported' })
      let file: FileHandle | undefined
      const close = async (): Promise<void> => {
        if (file !== undefined) await clock.io(file.close())
      }
      return openSource({ signal, close }, async () => {
        file = await clock.io(openBelow(shared.folder, decoded(shared.path)))
        // Cancelled in the meantime: nobody else knows of the file.
        if (signal.aborted) await close()
        const stats = await clock.io(file.stat())
        if (!stats.isFile()) throw new FetchError({ kind: 'missing' })
        return { fileName: fileNameOf(uri), sizeBytes: stats.size, next: reading(file, clock) }
      })
    },
  }
}

function reading(file: FileHandle, clock: TransferOptions['clock']): () => Promise<Buffer | undefined> {
  return async () => {
    try {
      const { buffer, bytesRead } = await clock.io(file.read(Buffer.allocUnsafe(CHUNK_BYTES)))
      return bytesRead === 0 ? undefined : buffer.subarray(0, bytesRead)
    } catch (error) {
      throw interrupted(codeOf(error))
    }
  }
}

/** Opens a file that is below a folder, whatever links lead to it. */
async function openBelow(folder: string, path: string): Promise<FileHandle> {
  if (path.split('/').includes('..') || path.includes('\0')) throw new FetchError({ kind: 'missing' })
  const root = await realpath(folder).catch((error: unknown) => {
    throw new FetchError({ kind: 'no-connection', detail: `the folder of the share: ${codeOf(error)}` })
  })
  try {
    const file = await realpath(join(root, path))
    if (file.startsWith(root.endsWith(sep) ? root : `${root}${sep}`)) return await open(file, READ_ONLY)
  } catch (error) {
    throw new FetchError(problemOf(codeOf(error)))
  }
  throw new FetchError({ kind: 'missing' })
}

function problemOf(code: string): FetchProblem {
  if (code === 'EACCES' || code === 'EPERM') return { kind: 'unauthorized', detail: code }
  const isAbsent = ['ENOENT', 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG'].includes(code)
  return isAbsent ? { kind: 'missing' } : { kind: 'interrupted', detail: code }
}

/** What the system calls an error; anything else is a bug. */
function codeOf(error: unknown): string {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code
  throw error
}
