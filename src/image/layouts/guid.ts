/** A GUID's 16 bytes; the first three fields are little-endian (UEFI 2.10, appendix A). */
export function guidBytes(guid: string): Buffer {
  const bytes = Buffer.from(guid.replaceAll('-', ''), 'hex')
  for (const [start, end] of LITTLE_ENDIAN) bytes.subarray(start, end).reverse()
  return bytes
}

/** The GUID that begins at `start`, as it is written. */
export function guidAt(bytes: Uint8Array, start = 0): string {
  const copy = Buffer.from(bytes.subarray(start, start + 16))
  for (const [from, to] of LITTLE_ENDIAN) copy.subarray(from, to).reverse()
  return copy.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

const LITTLE_ENDIAN = [
  [0, 4],
  [4, 6],
  [6, 8],
] as const
