import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createReadStream, createWriteStream } from 'node:fs'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { finished } from 'node:stream/promises'
import type { Clock } from '../lib/clock.ts'
import { type Spool, type SpoolEntry, SpoolFullError } from './spool.ts'

const BUFFER_BYTES = 2 ** 20

/**
 * A spool of files in a folder of its own below `parent` (default: the system's temporary folder), which is made when
 * the first image comes and removed at the end. Files are created exclusively, readable by their owner only.
 */
export function createFileSpool(clock: Clock, parent = tmpdir()): Spool {
  const entries = new Set<SpoolEntry>()
  let folder: Promise<string> | undefined

  const makeFolder = async (): Promise<string> => {
    await mkdir(parent, { recursive: true })
    return mkdtemp(join(parent, 'redflash-'))
  }

  const create = async (): Promise<SpoolEntry> => {
    folder ??= makeFolder()
    const path = join(await folder, randomUUID())
    const file = createWriteStream(path, { flags: 'wx', mode: 0o600, highWaterMark: BUFFER_BYTES })
    // Every failure reaches the one who appends; without a listener it would end the process.
    let failure: Error | undefined
    file.on('error', (error: NodeJS.ErrnoException) => {
      failure = error.code === 'ENOSPC' || error.code === 'EDQUOT' ? new SpoolFullError(error) : error
    })
    const orFailure = async (work: Promise<unknown>): Promise<void> => {
      await clock.io(work).catch((error: unknown) => {
        throw failure ?? error
      })
    }
    const entry: SpoolEntry = {
      append: async (chunk) => {
        if (failure) throw failure
        if (!file.write(chunk)) await orFailure(once(file, 'drain'))
      },
      seal: () => {
        file.end()
        return orFailure(finished(file))
      },
      read: (start, end) => readFile(clock, path, start, end),
      discard: async () => {
        entries.delete(entry)
        file.destroy()
        await clock.io(rm(path, { force: true }))
      },
    }
    entries.add(entry)
    return entry
  }

  const close = async (): Promise<void> => {
    await Promise.all([...entries].map((entry) => entry.discard()))
    if (folder) await rm(await folder, { recursive: true, force: true })
  }
  return { create, close }
}

async function* readFile(clock: Clock, path: string, start: number, end: number): AsyncIterable<Uint8Array> {
  if (start >= end) return
  const chunks = createReadStream(path, { start, end: end - 1, highWaterMark: BUFFER_BYTES })
  const iterator = chunks[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>
  try {
    for (;;) {
      const next = await clock.io(iterator.next())
      if (next.done) return
      yield next.value
    }
  } finally {
    chunks.destroy()
  }
}
