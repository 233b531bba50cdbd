import type { RawRule } from '../bmc/machine.ts'
import type { Clock } from '../lib/clock.ts'
import { ofEach } from '../lib/of-each.ts'
import { createDigests } from './digests/stream-digests.ts'
import { inspectImage } from './inspect.ts'
import type { ReceivedImage } from './receive.ts'
import type { Spool, SpoolEntry } from './spool/spool.ts'

/** How an image is read again. */
export interface ReadKeptOptions {
  readonly clock: Clock
  readonly rawRules: readonly RawRule[]
  readonly maxImageBytes: number
}

/** What is found in settled bytes, which are what their digest says. */
interface Reading extends Pick<ReceivedImage, 'sizeBytes' | 'contents'> {
  readonly rawRules: readonly RawRule[]
}

/** How many readings are remembered: after a restart, many BMCs may go on with the same image. */
const MAX_READINGS = 64
const readings = ofEach((_spool: Spool) => new Map<string, Reading>())

/**
 * An image that was settled before, read anew as if it had just arrived; its entry is taken at once. `undefined` where its
 * bytes are not here, or are not what their digest says: then they are of no use to anybody.
 */
export async function readKept(
  spool: Spool,
  { sha256, fileName }: Pick<ReceivedImage, 'sha256' | 'fileName'>,
  options: ReadKeptOptions,
): Promise<ReceivedImage | undefined> {
  const spooled = spool.find(sha256)
  if (spooled === undefined) return undefined
  const known = readings(spool)
  const before = known.get(sha256)
  const reading =
    before?.rawRules === options.rawRules ? before : await read(spooled, sha256, options).catch(unlessOfDisk)
  if (reading === undefined) {
    await spooled.discard()
    return undefined
  }
  known.delete(sha256)
  known.set(sha256, reading)
  const [oldest] = known.keys()
  if (known.size > MAX_READINGS && oldest !== undefined) known.delete(oldest)
  const { sizeBytes, contents } = reading
  return { fileName, sizeBytes, sha256, spooled, contents }
}

async function read(
  spooled: SpoolEntry,
  sha256: string,
  { clock, rawRules, maxImageBytes }: ReadKeptOptions,
): Promise<Reading | undefined> {
  const digests = createDigests(clock)
  const found = digests.want({ start: 0, algorithm: 'sha256' })
  const reader = inspectImage(digests, { clock, rawRules, maxBytes: maxImageBytes })
  let sizeBytes = 0
  try {
    for await (const chunk of spooled.read(0, Infinity)) {
      sizeBytes += chunk.byteLength
      await reader.write(chunk)
    }
    const contents = await reader.end()
    await digests.finish()
    return found.hex === sha256 ? { sizeBytes, contents, rawRules } : undefined
  } catch (error) {
    reader.abandon()
    digests.abandon()
    throw error
  }
}

/** Bytes that the system cannot read are not there. */
function unlessOfDisk(error: unknown): undefined {
  if (error instanceof Error && 'syscall' in error) return undefined
  throw error
}
