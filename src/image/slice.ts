/** The bytes from `start` to before `end` of bytes that come in chunks; what follows them is not asked for. */
export async function* slice(
  chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  start: number,
  end: number,
): AsyncIterable<Uint8Array> {
  let position = 0
  for await (const chunk of chunks) {
    const from = Math.max(0, start - position)
    const to = Math.min(chunk.byteLength, end - position)
    if (from < to) yield chunk.subarray(from, to)
    position += chunk.byteLength
    if (position >= end) return
  }
}
