/** The ETag of the same representation, compressed: other bytes are another representation (RFC 9110 §8.8.3.3). */
export function compressedEtag(etag: string): string {
  return `${etag.slice(0, -1)}.gz"`
}

/**
 * Whether an If-Match or If-None-Match header names a resource that is still as this ETag says: `*` names any. Which
 * of its codings a client saw says nothing about what it knows, and weak comparison suffices here.
 */
export function matches(header: string, etag: string): boolean {
  return header === '*' || names(header, etag) || names(header, compressedEtag(etag))
}

/** Whether a list of ETags holds this one. */
export function names(header: string, etag: string): boolean {
  return header.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag)
}
