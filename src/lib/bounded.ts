/** What was put in last, so many of it: the oldest goes first. */
export class Bounded<K, V extends {}> {
  readonly #capacity: number
  readonly #kept = new Map<K, V>()

  constructor(capacity: number) {
    this.#capacity = capacity
  }

  get(key: K): V | undefined {
    return this.#kept.get(key)
  }

  set(key: K, value: V): void {
    this.#kept.delete(key)
    this.#kept.set(key, value)
    const [oldest] = this.#kept.keys()
    if (this.#kept.size > this.#capacity && oldest !== undefined) this.#kept.delete(oldest)
  }
}
