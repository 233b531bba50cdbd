import { createGunzip } from 'node:zlib'
import type { Clock } from '../lib/clock.ts'
import { fail } from '../lib/result.ts'
import type { Digests } from './digests/digests.ts'
import type { ImageReader } from './reading.ts'
import { createDigests } from './digests/stream-digests.ts'

const CHUNK_BYTES = 2 ** 19

/** How an image is read that is compressed. */
interface GunzipOptions {
  readonly clock: Clock
  /** How many bytes may come out. */
  readonly maxBytes: number
  /** Reads what comes out. */
  readonly open: (digests: Digests) => ImageReader
}

/** A reader of an image that came compressed by gzip: the digests are of what came, all else is about what comes out. */
export function gunzipReader(digests: Digests, { clock, maxBytes, open }: GunzipOptions): ImageReader {
  const gunzip = createGunzip({ chunkSize: CHUNK_BYTES })
  const innerDigests = createDigests(clock)
  const inner = open(innerDigests)
  let cameBytes = 0
  let wrong: string | undefined

  const stop = (why: string): void => {
    wrong ??= why
    gunzip.destroy()
    inner.abandon()
  }
  const passOn = async (): Promise<void> => {
    let outBytes = 0
    try {
      for await (const chunk of gunzip) {
        outBytes += (chunk as Uint8Array).byteLength
        if (outBytes > maxBytes) return stop(`it unpacks to more than ${maxBytes} bytes`)
        await inner.write(chunk as Uint8Array)
      }
    } catch (error) {
      if (!isOfStream(error)) throw error
      stop(`its compressed bytes are damaged: ${error.message}`)
    }
  }
  const passed = passOn()
  passed.catch(() => {}) // told to those who wait for it; perhaps nobody does yet
  gunzip.on('error', () => {}) // as above
  const feed = async (chunk: Uint8Array): Promise<void> => {
    // Nothing may be written to a zlib that is at its end: it throws where nobody can catch it.
    if (wrong !== undefined) return
    cameBytes += chunk.byteLength
    const taken = new Promise<void>((resolve) => gunzip.write(chunk, () => resolve()))
    await clock.io(Promise.race([taken, passed]))
    if (gunzip.bytesWritten < cameBytes) stop('something follows its compressed bytes')
  }
  return {
    write: async (chunk) => {
      await Promise.all([digests.update(chunk), feed(chunk)])
    },
    end: async () => {
      try {
        gunzip.end()
        await clock.io(passed)
        if (wrong !== undefined) return fail({ kind: 'unreadable', detail: wrong })
        const contents = await inner.end()
        return contents.ok ? { ...contents, value: { ...contents.value, encoding: 'gzip' } } : contents
      } finally {
        innerDigests.abandon()
      }
    },
    abandon: () => {
      stop('it was given up')
      innerDigests.abandon()
    },
  }
}

/** Whether it is zlib that finds its input wrong, or that was stopped. */
function isOfStream(error: unknown): error is NodeJS.ErrnoException {
  const { code = '' } = error instanceof Error ? (error as NodeJS.ErrnoException) : {}
  return code.startsWith('Z_') || code === 'ERR_STREAM_PREMATURE_CLOSE'
}
