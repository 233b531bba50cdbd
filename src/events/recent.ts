import type { Batch } from './occurrence.ts'

/** How many records are kept for streams that come back. */
const MAX_RECORDS = 1_000

/** The newest batches of one BMC: what a stream missed while its connection was gone. */
export class RecentBatches {
  #batches: Batch[] = []
  #records = 0

  add(batch: Batch): void {
    this.#batches.push(batch)
    this.#records += batch.records.length
    while (this.#records > MAX_RECORDS && this.#batches.length > 1) {
      this.#records -= this.#batches.shift()?.records.length ?? 0
    }
  }

  /** What came after a batch; `undefined` when it is not known any more. */
  after(id: string): readonly Batch[] | undefined {
    const index = this.#batches.findIndex((one) => one.id === id)
    return index === -1 ? undefined : this.#batches.slice(index + 1)
  }

  all(): readonly Batch[] {
    return this.#batches
  }

  clear(): void {
    this.#batches = []
    this.#records = 0
  }
}
