/** One thing that is kept: plain data, of an owner, in one of its tables, by its key. */
export interface JournalRecord {
  readonly owner: string
  readonly table: string
  readonly key: string
  /** Plain data: what JSON knows, byte arrays, maps, sets and large integers; never changed once written. `undefined`: it is gone. */
  readonly value: unknown
}

/** Keeps what is committed beyond the life of the process. Both implementations pass `test/contracts/journal.ts`. */
export interface Journal {
  /**
   * What was kept when it was opened, and since, in the order in which each came: what is written again keeps its place,
   * what was gone meanwhile comes last.
   */
  read(): Iterable<JournalRecord>
  /** From now on this is so; it is kept when `flush` returns, or when this turn of the event loop is over. */
  write(record: JournalRecord): void
  /** From now on nothing is kept of an owner. */
  forget(owner: string): void
  /** Keeps all that was written, or none of it. Throws where that cannot be, and from then on always: nothing
   * that depends on it may leave. */
  flush(): void
  /** Whether what is written is kept: no longer once it was closed, or failed. */
  readonly isOpen: boolean
  /** Whether there is room for what somebody new asks for; what is under way finds room even so. */
  hasRoom(): boolean
  /** Keeps what was written, and lets go of everything. What is written after it is not kept. */
  close(): void
}
