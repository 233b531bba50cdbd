/** Where images wait on their way to the devices. Both implementations pass `test/contracts/spool.ts`. */
export interface Spool {
  /** A new, empty entry that nobody else can name. */
  create(): Promise<SpoolEntry>
  /** Discards every entry. */
  close(): Promise<void>
}

/** One image being written, then read any number of times, then discarded by whoever created it. */
export interface SpoolEntry {
  /** Adds bytes; resolves when more may come. Rejects with a SpoolFullError when there is no room. */
  append(chunk: Uint8Array): Promise<void>
  /** Resolves when everything appended can be read. */
  seal(): Promise<void>
  /** The bytes from `start` to before `end`, a chunk at a time. */
  read(start: number, end: number): AsyncIterable<Uint8Array>
  /** Removes it; harmless when repeated. */
  discard(): Promise<void>
}

/** No room for the image: the disk is full, or the memory that was allowed is used up. */
export class SpoolFullError extends Error {
  constructor(cause?: unknown) {
    super('no room in the spool', { cause })
    this.name = 'SpoolFullError'
  }
}
