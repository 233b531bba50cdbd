import type { Readable } from 'node:stream'
import { finished } from 'node:stream/promises'
import type { Clock } from '../lib/clock.ts'
import type { Place } from '../lib/turns.ts'
import type { RawRule } from '../bmc/machine.ts'
import { fail, type Result, succeed } from '../lib/result.ts'
import type { ImageContents, ImageProblem } from './image-format.ts'
import { inspectImage } from './inspect.ts'
import { type Spool, type SpoolEntry, SpoolFullError } from './spool/spool.ts'
import { createDigests } from './digests/stream-digests.ts'

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
  /** Where the bytes go: an entry of the spool with nothing in it. */
  readonly spooled: SpoolEntry
  readonly clock: Clock
  /** How versions are found in bytes of no format. */
  readonly rawRules: readonly RawRule[]
  /** Its place among those that may send, taken again where it was left meanwhile. */
  readonly place?: Pick<Place, 'take' | 'leave'>
}

class Refused extends Error {
  readonly problem: ReceiveProblem

  constructor(problem: ReceiveProblem) {
    super(problem.kind)
    this.problem = problem
  }
}

/**
 * Takes an image in one pass: size meter, format reader, digests and spool see each chunk once, one chunk in memory.
 * Whole, it is settled in the spool; when it fails, nothing is left there.
 */
export async function receiveImage(
  source: Readable,
  { fileName, maxImageBytes, stallMs, spool, spooled, clock, rawRules, place }: ReceiveOptions,
): Promise<Result<ReceivedImage, ReceiveProblem>> {
  const digests = createDigests(clock)
  const sha256 = digests.want({ start: 0, algorithm: 'sha256' })
  const reader = inspectImage(digests, { clock, rawRules, maxBytes: maxImageBytes })
  const watch = (): (() => void) =>
    clock.schedule(stallMs, () => source.destroy(new Refused({ kind: 'stalled' })))
  let cancelWatch = watch()
  let sizeBytes = 0
  const take = (chunk: Uint8Array): Promise<void> | undefined => {
    cancelWatch()
    sizeBytes += chunk.byteLength
    if (sizeBytes > maxImageBytes) throw new Refused({ kind: 'too-large', limit: maxImageBytes })
    const waits = [reader.write(chunk), spooled.append(chunk), place?.take(), clock.breathe()].filter(
      (wait) => wait !== undefined,
    )
    if (waits.length > 0) return takeLater(waits)
    cancelWatch = watch()
    return undefined
  }
  const takeLater = async (waits: readonly Promise<void>[]): Promise<void> => {
    await Promise.all(waits)
    cancelWatch = watch()
  }
  try {
    await eachChunk(source, take)
    if (sizeBytes === 0) throw new Refused({ kind: 'empty' })
    await spooled.seal()
    const contents = await reader.end()
    await digests.finish()
    // Many that came at the same pace are whole in the same moment.
    await clock.breathe()
    return succeed({
      fileName,
      sizeBytes,
      sha256: sha256.hex,
      spooled: await spool.settle(spooled, sha256.hex),
      contents,
    })
  } catch (error) {
    reader.abandon()
    digests.abandon()
    await spooled.discard()
    if (error instanceof Refused) return fail(error.problem)
    if (error instanceof SpoolFullError) return fail({ kind: 'no-space' })
    throw error
  } finally {
    cancelWatch()
  }
}

/**
 * Hands over a source's chunks; while one is waited for, no other comes. By events: to iterate costs as much for each
 * chunk as all that is done with it. Whatever ends the source early (the client vanished, the part has no end) is the
 * same: bytes that should have come did not.
 */
async function eachChunk(
  source: Readable,
  take: (chunk: Uint8Array) => Promise<void> | undefined,
): Promise<void> {
  let taken: Promise<void> | undefined
  const { promise: refused, reject } = Promise.withResolvers<never>()
  const refuse = (error: unknown): void => {
    reject(error)
    source.destroy()
  }
  source.on('data', (chunk: Uint8Array) => {
    try {
      taken = take(chunk)
      if (taken === undefined) return
      source.pause()
      taken.then(() => source.resume(), refuse)
    } catch (error) {
      refuse(error)
    }
  })
  await Promise.race([refused, endOf(source)])
  // The end may come while the last chunk is still being taken: a pause does not hold it up.
  await taken
}

async function endOf(source: Readable): Promise<void> {
  try {
    await finished(source, { writable: false })
  } catch (error) {
    throw error instanceof Refused ? error : new Refused({ kind: 'interrupted' })
  }
}
