import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Clock } from '../../lib/clock.ts'
import { Blocks } from '../digests/blocks.ts'
import type { Claim } from './room.ts'
import { codeOf } from './spool-folder.ts'
import { SpoolBusyError, SpoolFullError, type StoredBytes } from './spool.ts'

const BLOCKS = 4
/** Many devices are written at once, and each holds as much while it is busy with it. */
const READ_BYTES = 256 * 2 ** 10
/** How much may come beyond what was reserved before the disk is asked again. */
const LOOK_BYTES = 2 ** 20

const outOfDescriptors = /^E[MN]FILE$/
/** Full, read-only, broken, or not the place for files that it was. */
const takesNothing = /^E(NOSPC|DQUOT|FBIG|IO|ROFS|ACCES|PERM|NOENT|NOTDIR|EXIST)$/

export interface SpoolFileOptions {
  readonly path: string
  /** Open, or opened when somebody reads it. */
  readonly handle?: FileHandle
  readonly clock: Clock
  readonly claim: Claim
  /** Rejects when the disk has no more than what others were promised. */
  readonly look: () => Promise<void>
  readonly failed: (error: unknown) => void
  /** What is settled gets its digest for a name. */
  readonly isNamed: boolean
  /** Whether it is to be on the disk itself when it is settled, and not only with the system. */
  readonly isSynced: boolean
}

/** An image in a file. */
export class SpoolFile implements StoredBytes {
  readonly #options: SpoolFileOptions
  readonly #blocks: Blocks
  #path: string
  #handle: Promise<FileHandle> | undefined
  /** The writes so far, one after another. */
  #written = Promise.resolve()
  #unreservedBytes = 0
  #discarded: Promise<void> | undefined

  constructor(options: SpoolFileOptions) {
    this.#options = options
    this.#path = options.path
    this.#handle = options.handle && Promise.resolve(options.handle)
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
    const { clock } = this.#options
    const handle = await clock.io((this.#handle ??= open(this.#path, 'r')))
    for (let at = start; at < end;) {
      await clock.breathe()
      const wanted = Buffer.allocUnsafe(Math.min(READ_BYTES, end - at))
      const { bytesRead } = await clock.io(handle.read(wanted, 0, wanted.byteLength, at))
      if (bytesRead === 0) return
      at += bytesRead
      yield wanted.subarray(0, bytesRead)
    }
  }

  async settle(sha256: string): Promise<void> {
    const { clock, isNamed, failed } = this.#options
    if (!isNamed) return
    try {
      await clock.io(this.#name(join(dirname(this.#path), sha256)))
    } catch (error) {
      throw judged(error, failed)
    }
  }

  rest(): Promise<void> {
    return this.#options.clock.io(this.#close())
  }

  discard(): Promise<void> {
    return (this.#discarded ??= this.#options.clock.io(this.#remove()))
  }

  async #remove(): Promise<void> {
    const { claim, failed } = this.#options
    this.#blocks.stop(new Error('the image was discarded'))
    await this.#written.catch(() => {}) // told to whoever appended
    await this.#close()
    // Whoever discards has no use for the reason why a file cannot be removed.
    await rm(this.#path, { force: true }).catch(failed)
    claim.release()
  }

  async #close(): Promise<void> {
    const handle = this.#handle
    this.#handle = undefined
    // One that could not be opened was told to whoever reads.
    await (await handle?.catch(() => undefined))?.close()
  }

  async #name(path: string): Promise<void> {
    const { isSynced } = this.#options
    if (isSynced) await (await this.#handle)?.datasync()
    await rename(this.#path, path)
    this.#path = path
    if (!isSynced) return
    await using folder = await open(dirname(path), 'r')
    await folder.sync()
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
    const { failed } = this.#options
    try {
      const handle = await this.#handle
      if (handle === undefined) throw new Error('the image is whole')
      for (let done = 0; done < bytes.byteLength;) {
        done += (await handle.write(bytes, done)).bytesWritten
      }
    } catch (error) {
      throw judged(error, failed)
    }
  }
}

/** What the disk said, as the port tells it to those who bring images. */
export function judged(error: unknown, failed: (error: unknown) => void): Error {
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
