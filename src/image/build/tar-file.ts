import { BLOCK_BYTES, paddingOf } from '../layouts/tar.ts'

const MAX_OCTAL = 8 ** 11 - 1

/** A file to be put into a tar. */
export interface TarEntry {
  readonly name: string
  readonly sizeBytes: number
  readonly bytes: () => Iterable<Uint8Array> | AsyncIterable<Uint8Array>
  /** A link to it, where it is none of its own. */
  readonly linksTo?: string
}

/** A small file. */
export function textEntry(name: string, bytes: Uint8Array): TarEntry {
  return { name, sizeBytes: bytes.byteLength, bytes: () => [bytes] }
}

/** How many bytes files take in a tar, with their headers. */
export function tarBytes(entries: readonly TarEntry[]): number {
  return entries.reduce((sum, { sizeBytes }) => sum + BLOCK_BYTES + sizeBytes + paddingOf(sizeBytes), 0)
}

/** A tar (POSIX ustar) as a stream, without times, owners and modes that differ: the same files make the same bytes. */
export async function* tarOf(entries: readonly TarEntry[]): AsyncIterable<Uint8Array> {
  for (const entry of entries) {
    yield tarHeader(entry)
    yield* entry.bytes()
    yield Buffer.alloc(paddingOf(entry.sizeBytes))
  }
  yield Buffer.alloc(2 * BLOCK_BYTES)
}

function tarHeader({ name, sizeBytes, linksTo }: TarEntry): Buffer {
  const header = Buffer.alloc(BLOCK_BYTES)
  header.write(name, 0, 100)
  header.write('0000644\x000000000\x000000000\0', 100, 'latin1')
  if (sizeBytes <= MAX_OCTAL) header.write(`${sizeBytes.toString(8).padStart(11, '0')}\0`, 124, 'latin1')
  else {
    // GNU's way, with a bit before it that says so.
    header[124] = 0x80
    header.writeBigUInt64BE(BigInt(sizeBytes), 128)
  }
  header.write('00000000000\0', 136, 'latin1')
  header.write('        ', 148, 'latin1')
  header.write(linksTo === undefined ? '0' : '2', 156, 'latin1')
  header.write(linksTo ?? '', 157, 100)
  header.write('ustar\x0000', 257, 'latin1')
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  return header
}
