import { readdir, rm, stat, statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Clock } from '../../lib/clock.ts'
import { Room } from './room.ts'
import { Shares } from './shares.ts'
import { judged, SpoolFile, type SpoolFileOptions } from './spool-file.ts'
import { codeOf, createKeptFolder, createSpoolFolder } from './spool-folder.ts'
import { type Spool, SpoolFullError } from './spool.ts'

/** Images, whole or not; nothing else is ours. */
const OURS = /^[0-9a-f]{64}$|\.part$/

export interface FileSpoolOptions {
  /** Where its folder is made; in the system's temporary folder unless given. */
  readonly parent?: string
  /** What all images together may take; what the disk has unless given. */
  readonly capacityBytes?: number
  /** Told what the disk said, which is for whoever keeps the service: clients hear that there is no room. */
  readonly failed?: (error: unknown) => void
  /** Where images are that outlive the process. */
  readonly keeping?: Keeping
}

/** How images outlive the process. */
export interface Keeping {
  /** A folder that is this spool's alone: whole images are there by their digests. */
  readonly folder: string
  /** Whether they are to be on the disk itself before anybody speaks of them. */
  readonly isSynced: boolean
  /** Asked before an image goes that was settled: whether all that is kept can do without it. */
  readonly mayRemove: () => boolean
}

/**
 * A spool of files in a folder of its own, which is made when the first image comes and removed at the end. Files are
 * created exclusively, readable by their owner only, and stay open: an image that is here needs nothing more to be read.
 */
export function createFileSpool(clock: Clock, options: FileSpoolOptions = {}): Spool {
  const { parent = tmpdir(), capacityBytes, failed = () => {}, keeping } = options
  const room = new Room(capacityBytes)
  const shares = new Shares(keeping?.mayRemove)
  const folder = keeping ? createKeptFolder(keeping.folder) : createSpoolFolder(parent, failed)

  const file = (one: Pick<SpoolFileOptions, 'path' | 'handle' | 'claim'>, look = async () => {}): SpoolFile =>
    new SpoolFile({
      ...one,
      look,
      clock,
      failed,
      isNamed: keeping !== undefined,
      isSynced: keeping?.isSynced === true,
    })
  const free = joined(freeBytes)
  const create = async (reserveBytes = 0): Promise<SpoolFile> => {
    const { path, handle } = await folder.open()
    const look = async (moreBytes: number): Promise<void> => {
      if ((await free(path)) < room.promisedBytes + moreBytes) throw new SpoolFullError()
    }
    try {
      await look(reserveBytes)
      return file({ path, handle, claim: room.claim(reserveBytes) }, () => look(0))
    } catch (error) {
      await handle.close()
      await rm(path, { force: true })
      throw error
    }
  }
  const findLeft = async ({ folder: kept }: Keeping): Promise<void> => {
    const names = await namesIn(kept)
    for (const name of names.filter((one) => OURS.test(one))) {
      const path = join(kept, name)
      const size = await sizeOf(path)
      if (size !== undefined) shares.addLeft(name, file({ path, claim: room.claimTaken(size) }))
    }
  }
  return {
    create: async (reserveBytes) => {
      const created = clock.io(create(reserveBytes)).catch((error: unknown) => {
        throw judged(error, failed)
      })
      return shares.add(await created)
    },
    settle: (entry, sha256) => shares.settle(entry, sha256),
    find: (sha256) => shares.find(sha256),
    sweep: async (known) => {
      if (keeping) await clock.io(findLeft(keeping))
      await shares.sweep(known)
    },
    close: async () => {
      await shares.close()
      await folder.remove()
    },
  }
}

/** `undefined`: it has just gone. */
async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return []
    throw error
  }
}

/** Asks once for all who ask before the answer is there: those of a spool all ask of one disk. */
function joined<T>(ask: (path: string) => Promise<T>): (path: string) => Promise<T> {
  let asked: Promise<T> | undefined
  return (path) => (asked ??= ask(path).finally(() => (asked = undefined)))
}

/** What the disk still has; everything where it does not say. */
async function freeBytes(path: string): Promise<number> {
  const said = await statfs(path).catch(() => undefined)
  return said === undefined || said.blocks === 0 ? Infinity : said.bavail * said.bsize
}
