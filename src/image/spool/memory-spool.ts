import { Room } from './room.ts'
import { shareable, type Spool, type StoredBytes } from './spool.ts'

/** A spool in memory, bounded by `capacityBytes` over all entries: for tests and small images. */
export function createMemorySpool(
  capacityBytes = 256 * 2 ** 20,
): Spool & { readonly entries: ReadonlySet<StoredBytes> } {
  const entries = new Set<StoredBytes>()
  const room = new Room(capacityBytes)

  const create: Spool['create'] = async (reserveBytes = 0) => {
    const claim = room.claim(reserveBytes)
    let chunks: Uint8Array[] = []
    const entry: StoredBytes = {
      append: async (chunk) => {
        claim.fill(chunk.byteLength)
        chunks.push(Uint8Array.from(chunk))
      },
      seal: async () => claim.settle(),
      read: (start, end) => slices(chunks, start, end),
      discard: async () => {
        entries.delete(entry)
        claim.release()
        chunks = []
      },
    }
    entries.add(entry)
    return shareable(entry)
  }

  const close = async (): Promise<void> => {
    await Promise.all([...entries].map((entry) => entry.discard()))
  }
  return { create, close, entries }
}

// eslint-disable-next-line @typescript-eslint/require-await -- the port is asynchronous, memory is not
async function* slices(chunks: readonly Uint8Array[], start: number, end: number): AsyncIterable<Uint8Array> {
  let offset = 0
  for (const chunk of chunks) {
    const from = Math.max(0, start - offset)
    const to = Math.min(chunk.byteLength, end - offset)
    if (from < to) yield chunk.subarray(from, to)
    offset += chunk.byteLength
  }
}
