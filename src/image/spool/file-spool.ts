import { rm, statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import type { Clock } from '../../lib/clock.ts'
import { Blocks } from '../digests/blocks.ts'
import { type Claim, Room } from './room.ts'
import { codeOf, createSpoolFolder, type OpenFile } from './spool-folder.ts'
import { shareable, type Spool, SpoolBusyError, SpoolFullError, type StoredBytes } from './spool.ts'

const BLOCKS = 4
const READ_BYTES = 2 ** 20
/** How much may come beyond what was reserved before the disk is asked again. */
const LOOK_BYTES = 2 ** 20

const outOfDescriptors = /^E[MN]FILE$/
/** Full, read-only, broken, or not the place for files that it was. */
const takesNothing = /^E(NOSPC|DQUOT|FBIG|IO|ROFS|ACCES|PERM|NOENT|NOTDIR|EXIST)$/

export interface FileSpoolOptions {
  /** Where its folder is made; in the system's temporary folder unless given. */
  readonly parent?: string
  /** What all images together may take; what the disk has unless given. */
  readonly capacityBytes?: number
  /** Told what the disk said, which is for whoever keeps the service: clients hear that there is no room. */
  readonly failed?: (error: unknown) => void
}

/**
 * A spool of files in a folder of its own, which is made when the first image comes and removed at the end. Files are
 * created exclusively, readable by their owner only, and stay open: an image that is here needs nothing more to be read.
 */
export function createFileSpool(clock: Clock, options: FileSpoolOptions = {}): Spool {
  const { parent = tmpdir(), capacityBytes, failed = () => {} } = options
  const entries = new Set<SpoolFile>()
  const room = new Room(capacityBytes)
  const folder = createSpoolFolder(parent, failed)

  const create = async (reserveBytes = 0): Promise<SpoolFile> => {
    const { path, handle } = await folder.open()
    const look = async (moreBytes: number): Promise<void> => {
      if ((await freeBytes(path)) < room.promisedBytes + moreBytes) throw new SpoolFullError()
    }
    try {
      await look(reserveBytes)
      const claim = room.claim(reserveBytes)
      const forget = (): void => void entries.delete(file)
      const file = new SpoolFile({ clock, path, handle, claim, look: () => look(0), forget, failed })
      entries.add(file)
      return file
    } catch (error) {
      await handle.close()
      await rm(path, { force: true })
      throw error
    }
  }
  return {
    create: async (reserveBytes) => {
      const file = await clock.io(create(reserveBytes)).catch((error: unknown) => {
        throw judged(error, failed)
      })
      return shareable(file)
    },
    close: async () => {
      await Promise.all([...entries].map((entry) => entry.discard()))
      await folder.remove()
    },
  }
}

interface SpoolFileOptions extends OpenFile {
  readonly clock: Clock
  readonly claim: Claim
  /** Rejects when the disk has no more than what others were promised. */
  readonly look: () => Promise<void>
  readonly forget: () => void
  readonly failed: (error: unknown) => void
}

class SpoolFile implements StoredBytes {
  readonly #options: SpoolFileOptions
  readonly #blocks: Blocks
  /** The writes so far, one after another. */
  #written = Promise.resolve()
  #unreservedBytes = 0
  #discarded: Promise<void> | undefined

  constructor(options: SpoolFileOptions) {
    this.#options = options
    this.#blocks = new Blocks({
      clock: options.clock,
      count: BLOCKS,
      pass: async (full) => {
        await this.#write(full)
        return full
      },
    })
  }

  append(chunk: Uint8Array): Promise<void> | undefined {
    try {
      this.#unreservedBytes += this.#options.claim.fill(chunk.byteLength)
    } catch (error) {
      return rejected(error)
    }
    return this.#unreservedBytes > LOOK_BYTES ? this.#lookAndAdd(chunk) : this.#blocks.add(chunk)
  }

  async seal(): Promise<void> {
    const { clock, claim } = this.#options
    await clock.io(this.#write(this.#blocks.takeRest()))
    claim.settle()
  }

  async *read(start: number, end: number): AsyncIterable<Uint8Array> {
    const { clock, handle } = this.#options
    for (let at = start; at < end;) {
      const wanted = Buffer.allocUnsafe(Math.min(READ_BYTES, end - at))
      const { bytesRead } = await clock.io(handle.read(wanted, 0, wanted.byteLength, at))
      if (bytesRead === 0) return
      at += bytesRead
      yield wanted.subarray(0, bytesRead)
    }
  }

  discard(): Promise<void> {
    return (this.#discarded ??= this.#options.clock.io(this.#remove()))
  }

  async #remove(): Promise<void> {
    const { path, handle, claim, forget, failed } = this.#options
    forget()
    this.#blocks.stop(new Error('the image was discarded'))
    await this.#written.catch(() => {}) // told to whoever appended
    await handle.close()
    // Whoever discards has no use for the reason why a file cannot be removed.
    await rm(path, { force: true }).catch(failed)
    claim.release()
  }

  async #lookAndAdd(chunk: Uint8Array): Promise<void> {
    const { clock, look } = this.#options
    this.#unreservedBytes = 0
    await clock.io(look())
    await this.#blocks.add(chunk)
  }

  #write(bytes: Uint8Array): Promise<void> {
    this.#written = this.#written.then(() => this.#writeAll(bytes))
    return this.#written
  }

  async #writeAll(bytes: Uint8Array): Promise<void> {
    const { handle, failed } = this.#options
    try {
      for (let done = 0; done < bytes.byteLength;) {
        done += (await handle.write(bytes, done)).bytesWritten
      }
    } catch (error) {
      throw judged(error, failed)
    }
  }
}

/** What the disk still has; everything where it does not say. */
async function freeBytes(path: string): Promise<number> {
  const said = await statfs(path).catch(() => undefined)
  return said === undefined || said.blocks === 0 ? Infinity : said.bavail * said.bsize
}

/** What the disk said, as the port tells it to those who bring images. */
function judged(error: unknown, failed: (error: unknown) => void): Error {
  const code = codeOf(error) ?? ''
  const isBusy = outOfDescriptors.test(code)
  if (isBusy || takesNothing.test(code)) {
    failed(error)
    return isBusy ? new SpoolBusyError(error) : new SpoolFullError(error)
  }
  return error instanceof Error ? error : new Error(String(error))
}

async function rejected(error: unknown): Promise<never> {
  throw error
}
