/** Bytes from `start` to before `end`. */
export interface ByteRange {
  readonly start: number
  readonly end: number
}

/** The headers of a request that speak of parts. */
interface RangeHeaders {
  readonly range?: string | undefined
  readonly 'if-range'?: string | string[] | undefined
}

/** What of a representation a GET may be answered with. */
export interface Representation {
  readonly sizeBytes: number
  /** A strong one. */
  readonly etag: string
}

/**
 * The part that a Range header asks for (RFC 9110 §14.2). `undefined`: the whole, also where the header is none that we
 * understand, asks for several parts, or is for another state than this one (If-Range).
 */
export function rangeOf(
  { range, 'if-range': condition }: RangeHeaders,
  { sizeBytes, etag }: Representation,
): ByteRange | 'unsatisfiable' | undefined {
  if (range === undefined || (condition !== undefined && condition !== etag)) return undefined
  const [, first, last] = /^bytes=\s*(\d*)-(\d*)\s*$/i.exec(range) ?? []
  if (first === undefined || last === undefined) return undefined
  if (first === '') {
    if (last === '') return undefined
    const suffix = Math.min(Number(last), sizeBytes)
    return suffix === 0 ? 'unsatisfiable' : { start: sizeBytes - suffix, end: sizeBytes }
  }
  const start = Number(first)
  if (last !== '' && Number(last) < start) return undefined
  if (start >= sizeBytes) return 'unsatisfiable'
  return { start, end: last === '' ? sizeBytes : Math.min(Number(last) + 1, sizeBytes) }
}
