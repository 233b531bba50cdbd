/** Where images wait on their way to the devices. Both implementations pass `test/contracts/spool.ts`. */
export interface Spool {
  /**
   * A new, empty entry that nobody else can name, with room for so many bytes and for more as long as there is any.
   * Rejects with a SpoolFullError where there is no such room, with a SpoolBusyError where there may be soon.
   */
  create(reserveBytes?: number): Promise<SpoolEntry>
  /**
   * The entry is whole and has this digest: from now on it is one of all whose bytes are the same, and they are kept once.
   * Resolves when they are kept. A SpoolFullError where there is no way to.
   */
  settle(entry: SpoolEntry, sha256: string): Promise<SpoolEntry>
  /** One more entry of settled bytes, where they are here. */
  find(sha256: string): SpoolEntry | undefined
  /** At start: removes what another life left, beside settled bytes that are still known. */
  sweep(known: ReadonlySet<string>): Promise<void>
  /** Discards every entry. */
  close(): Promise<void>
}

/** One image being written, then read any number of times, then discarded by whoever created it. */
export interface SpoolEntry {
  /**
   * Adds bytes; resolves when more may come, which is at once where it returns nothing. Rejects with a SpoolFullError
   * when there is no room.
   */
  append(chunk: Uint8Array): Promise<void> | undefined
  /** Resolves when everything appended can be read. */
  seal(): Promise<void>
  /** The bytes from `start` to before `end`, a chunk at a time. */
  read(start: number, end: number): AsyncIterable<Uint8Array>
  /** Removes it; harmless when repeated. */
  discard(): Promise<void>
  /** For one more who needs the image: it is removed when all have discarded it. */
  share(): SpoolEntry
}

/** An image as an implementation of Spool keeps it. */
export interface StoredBytes extends Omit<SpoolEntry, 'share'> {
  /** Everything came: puts the bytes where their digest leads to. */
  settle(sha256: string): Promise<void>
  /** Nobody who lives needs them, and they stay: lets go of what they cost. */
  rest(): Promise<void>
}

/** No room for the image: the disk is full or takes nothing, or what was allowed is used up. */
export class SpoolFullError extends Error {
  constructor(cause?: unknown) {
    super('no room in the spool', { cause })
    this.name = 'SpoolFullError'
  }
}

/** No way to an image's bytes for now: the process has no file descriptor left. */
export class SpoolBusyError extends Error {
  constructor(cause?: unknown) {
    super('the spool cannot open a file', { cause })
    this.name = 'SpoolBusyError'
  }
}
