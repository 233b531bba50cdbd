import { SpoolFullError } from './spool.ts'

/** What one entry of a spool may fill. */
export interface Claim {
  /** More bytes come: how many of them had not been reserved. Throws a SpoolFullError when there is no room for those. */
  fill(bytes: number): number
  /** Nothing more comes: what was reserved beyond that is free again. */
  settle(): void
  /** Gives everything back; harmless when repeated. */
  release(): void
}

/** How much of a spool is taken, by all its entries together. Plain counting: the disk is asked elsewhere. */
export class Room {
  readonly #capacityBytes: number
  #claimedBytes = 0
  #filledBytes = 0

  constructor(capacityBytes = Infinity) {
    this.#capacityBytes = capacityBytes
  }

  /** What was reserved and has not come yet. */
  get promisedBytes(): number {
    return this.#claimedBytes - this.#filledBytes
  }

  /** Reserves so many bytes; more are claimed as they come. Throws a SpoolFullError when there is no room. */
  claim(reserveBytes: number): Claim {
    this.#require(reserveBytes)
    return this.#begin(reserveBytes, 0)
  }

  /** What is here already, be there room for it or not. */
  claimTaken(bytes: number): Claim {
    return this.#begin(bytes, bytes)
  }

  #begin(reservedBytes: number, takenBytes: number): Claim {
    let claimed = reservedBytes
    let filled = takenBytes
    this.#claimedBytes += claimed
    this.#filledBytes += filled
    const resize = (bytes: number): void => {
      this.#require(bytes - claimed)
      this.#claimedBytes += bytes - claimed
      claimed = bytes
    }
    const refill = (bytes: number): void => {
      this.#filledBytes += bytes - filled
      filled = bytes
    }
    return {
      fill: (bytes) => {
        const excess = Math.max(0, filled + bytes - claimed)
        resize(claimed + excess)
        refill(filled + bytes)
        return excess
      },
      settle: () => resize(filled),
      release: () => {
        refill(0)
        resize(0)
      },
    }
  }
  #require(moreBytes: number): void {
    if (moreBytes > 0 && this.#claimedBytes + moreBytes > this.#capacityBytes) throw new SpoolFullError()
  }
}
