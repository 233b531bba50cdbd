import { shareable, type Spool, SpoolFullError, type StoredBytes } from './spool.ts'

/** A spool in memory, bounded by `capacityBytes` over all entries: for tests and small images. */
export function createMemorySpool(
  capacityBytes = 256 * 2 ** 20,
): Spool & { readonly entries: ReadonlySet<StoredBytes> } {
  const entries = new Set<StoredBytes>()
  let usedBytes = 0

  const create: Spool['create'] = () => {
    let chunks: Uint8Array[] = []
    let sizeBytes = 0
    const entry: StoredBytes = {
      append: (chunk) => {
        if (usedBytes + chunk.byteLength > capacityBytes) return Promise.reject(new SpoolFullError())
        chunks.push(Uint8Array.from(chunk))
        sizeBytes += chunk.byteLength
        usedBytes += chunk.byteLength
        return Promise.resolve()
      },
      seal: () => Promise.resolve(),
      read: (start, end) => slices(chunks, start, end),
      discard: () => {
        usedBytes -= entries.delete(entry) ? sizeBytes : 0
        chunks = []
        return Promise.resolve()
      },
    }
    entries.add(entry)
    return Promise.resolve(shareable(entry))
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
