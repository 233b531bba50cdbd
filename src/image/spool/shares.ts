import type { SpoolEntry, StoredBytes } from './spool.ts'

/** Stored bytes, and how many need them. */
interface Held {
  readonly stored: StoredBytes
  needed: number
  /** Where they are settled. */
  sha256: string | undefined
  settled: Promise<void> | undefined
  gone: Promise<void> | undefined
}

/** What an entry is of: settled, it may be of other bytes than before, which are the same. */
interface Place {
  held: Held
  isNeeded: boolean
}

/** The entries of a spool: many may be of the same stored bytes, which go with the last of them. */
export class Shares {
  readonly #mayRemove: () => boolean
  readonly #places = new WeakMap<SpoolEntry, Place>()
  readonly #all = new Set<Held>()
  /** By their digest. */
  readonly #settled = new Map<string, Held>()
  readonly #leaving = new Map<string, Promise<void>>()
  /** Settled, and needed by nobody who lives. */
  readonly #left = new Map<string, StoredBytes>()

  constructor(mayRemove: () => boolean = () => true) {
    this.#mayRemove = mayRemove
  }

  /** The first entry of new bytes. */
  add(stored: StoredBytes): SpoolEntry {
    return this.#entryOf(this.#hold(stored))
  }

  /** Takes in what was settled in another life. */
  addLeft(sha256: string, stored: StoredBytes): void {
    this.#left.set(sha256, stored)
  }

  async settle(entry: SpoolEntry, sha256: string): Promise<SpoolEntry> {
    const place = this.#places.get(entry)
    if (place === undefined) throw new Error('no entry of this spool')
    for (let leaving; (leaving = this.#leaving.get(sha256)) !== undefined;) await leaving
    const known = this.#known(sha256)
    if (known === undefined) {
      await this.#settle(place.held, sha256)
    } else if (known !== place.held) {
      const { held } = place
      known.needed++
      place.held = known
      held.needed--
      await Promise.all([this.#dropUnneeded(held), known.settled])
    }
    return entry
  }

  find(sha256: string): SpoolEntry | undefined {
    const known = this.#known(sha256)
    return known && this.#entryOf(known)
  }

  /** Removes what nobody needs and nobody knows of. */
  async sweep(known: ReadonlySet<string>): Promise<void> {
    const unknown = [...this.#left].filter(([sha256]) => !known.has(sha256))
    for (const [sha256] of unknown) this.#left.delete(sha256)
    await Promise.all(unknown.map(([, stored]) => stored.discard()))
  }

  async close(): Promise<void> {
    const left = [...this.#left.values()]
    if (this.#mayRemove()) this.#left.clear()
    await Promise.all([...this.#all].map((held) => this.#drop(held)))
    await Promise.all(left.map((stored) => (this.#mayRemove() ? stored.discard() : stored.rest())))
  }

  #hold(stored: StoredBytes, sha256?: string): Held {
    const held: Held = { stored, sha256, needed: 0, settled: undefined, gone: undefined }
    this.#all.add(held)
    return held
  }

  #known(sha256: string): Held | undefined {
    const known = this.#settled.get(sha256)
    const left = this.#left.get(sha256)
    if (known !== undefined || left === undefined) return known
    this.#left.delete(sha256)
    const held = this.#hold(left, sha256)
    this.#settled.set(sha256, held)
    return held
  }

  async #settle(held: Held, sha256: string): Promise<void> {
    held.sha256 = sha256
    this.#settled.set(sha256, held)
    try {
      await (held.settled = held.stored.settle(sha256))
    } catch (error) {
      this.#settled.delete(sha256)
      held.sha256 = undefined
      throw error
    }
  }

  #entryOf(held: Held): SpoolEntry {
    held.needed++
    const place: Place = { held, isNeeded: true }
    const entry: SpoolEntry = {
      append: (chunk) => place.held.stored.append(chunk),
      seal: () => place.held.stored.seal(),
      read: (start, end) => place.held.stored.read(start, end),
      discard: async () => {
        if (place.isNeeded) place.held.needed--
        place.isNeeded = false
        await this.#dropUnneeded(place.held)
      },
      share: () => this.#entryOf(place.held),
    }
    this.#places.set(entry, place)
    return entry
  }

  async #dropUnneeded(held: Held): Promise<void> {
    if (held.needed === 0) await this.#drop(held)
  }

  #drop(held: Held): Promise<void> {
    return (held.gone ??= this.#remove(held))
  }

  async #remove(held: Held): Promise<void> {
    const { stored, sha256 } = held
    this.#all.delete(held)
    if (sha256 === undefined) return stored.discard()
    this.#settled.delete(sha256)
    if (!this.#mayRemove()) {
      this.#left.set(sha256, stored)
      return stored.rest()
    }
    const leaving = stored.discard()
    this.#leaving.set(sha256, leaving)
    try {
      await leaving
    } finally {
      this.#leaving.delete(sha256)
    }
  }
}
