import type { HashName } from '../image-format.ts'

/** A part of an image whose digest is wanted. */
export interface Part {
  readonly start: number
  /** Where it ends; at the end of the image where absent. */
  readonly end?: number | undefined
  readonly algorithm: HashName | 'crc32'
  /** Bytes that count as if they came before it. */
  readonly prefix?: Uint8Array | undefined
  /** Bytes that count as if they followed it. */
  readonly suffix?: Uint8Array | undefined
}

/** A digest on its way: to be read when all bytes have come, in hexadecimal. */
export interface PartDigest {
  readonly hex: string
}

/** Computes digests of parts of an image while its bytes stream past. */
export interface Digests {
  /** Asks for the digest of a part that is still to come; the same part is computed once. Throws if some of it has come. */
  want(part: Part): PartDigest
  /** Takes the bytes of a chunk; resolves when more may come, which is at once where it returns nothing. */
  update(chunk: Uint8Array): Promise<void> | undefined
  /** Everything has come: resolves when all digests can be read; harmless when repeated. */
  finish(): Promise<void>
  /** Lets go of what it holds; harmless when it is over. */
  abandon(): void
}
