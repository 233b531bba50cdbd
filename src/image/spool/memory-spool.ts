import { Room } from './room.ts'
import { Shares } from './shares.ts'
import type { Spool, StoredBytes } from './spool.ts'

/**
 * A spool in memory, bounded by `capacityBytes` over all entries: for tests and small images. While `mayRemove` says no,
 * what is settled stays, as it would on a disk.
 */
export function createMemorySpool(
  capacityBytes = 256 * 2 ** 20,
  mayRemove?: () => boolean,
): Spool & { readonly entries: ReadonlySet<StoredBytes> } {
  const entries = new Set<StoredBytes>()
  const room = new Room(capacityBytes)
  const shares = new Shares(mayRemove)

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
      settle: async () => {},
      rest: async () => {},
    }
    entries.add(entry)
    return shares.add(entry)
  }

  return {
    create,
    settle: (entry, sha256) => shares.settle(entry, sha256),
    find: (sha256) => shares.find(sha256),
    sweep: (known) => shares.sweep(known),
    close: () => shares.close(),
    entries,
  }
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
