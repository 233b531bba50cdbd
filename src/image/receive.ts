import type { Readable } from 'node:stream'
import type { Clock } from '../lib/clock.ts'
import { fail, type Result, succeed } from '../lib/result.ts'
import { Digest } from './digest.ts'
import type { ImageContents, ImageProblem } from './image-format.ts'
import { inspectImage } from './inspect.ts'
import { type Spool, type SpoolEntry, SpoolFullError } from './spool.ts'

/** An image that has arrived whole. Whoever received it discards its spool entry. */
export interface ReceivedImage {
  /** The file name that the client gave; names the image in messages while nothing better is known. */
  readonly fileName: string
  readonly sizeBytes: number
  readonly sha256: string
  readonly spooled: SpoolEntry
  /** What the bytes say it is. */
  readonly contents: Result<ImageContents, ImageProblem>
}

export type ReceiveProblem =
  | { readonly kind: 'too-large'; readonly limit: number }
  | { readonly kind: 'empty' }
  | { readonly kind: 'interrupted' }
  | { readonly kind: 'stalled' }
  | { readonly kind: 'no-space' }

export interface ReceiveOptions {
  readonly fileName: string
  readonly maxImageBytes: number
  /** A source that sends nothing for this long is given up. */
  readonly stallMs: number
  readonly spool: Spool
  readonly clock: Clock
}

class Refused extends Error {
  readonly problem: ReceiveProblem

  constructor(problem: ReceiveProblem) {
    super(problem.kind)
    this.problem = problem
  }
}

/**
 * Takes an image in one pass: size meter, digest, format reader and spool see each chunk once, one chunk in memory.
 * When it fails, nothing is left in the spool.
 */
export async function receiveImage(
  source: Readable,
  { fileName, maxImageBytes, stallMs, spool, clock }: ReceiveOptions,
): Promise<Result<ReceivedImage, ReceiveProblem>> {
  const spooled = await spool.create()
  const reader = inspectImage()
  const digest = new Digest(clock)
  const watch = (): (() => void) =>
    clock.schedule(stallMs, () => source.destroy(new Refused({ kind: 'stalled' })))
  let cancelWatch = watch()
  let sizeBytes = 0
  try {
    for await (const chunk of bytesOf(source)) {
      cancelWatch()
      sizeBytes += chunk.byteLength
      if (sizeBytes > maxImageBytes) throw new Refused({ kind: 'too-large', limit: maxImageBytes })
      await digest.update(chunk)
      await reader.write(chunk)
      await spooled.append(chunk)
      cancelWatch = watch()
    }
    if (sizeBytes === 0) throw new Refused({ kind: 'empty' })
    await spooled.seal()
    const contents = await reader.end()
    return succeed({ fileName, sizeBytes, sha256: await digest.finish(), spooled, contents })
  } catch (error) {
    reader.abandon()
    await digest.abandon()
    await spooled.discard()
    if (error instanceof Refused) return fail(error.problem)
    if (error instanceof SpoolFullError) return fail({ kind: 'no-space' })
    throw error
  } finally {
    cancelWatch()
  }
}

/** Whatever ends a source early (the client vanished, the part has no end) is the same: bytes that should have come did not. */
async function* bytesOf(source: Readable): AsyncIterable<Uint8Array> {
  try {
    for await (const chunk of source) yield chunk as Uint8Array
  } catch (error) {
    throw error instanceof Refused ? error : new Refused({ kind: 'interrupted' })
  }
}
