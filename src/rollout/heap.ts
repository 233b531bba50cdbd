/** Things of which the least is always at hand. */
export class Heap<T> {
  readonly #items: T[] = []
  readonly #compare: (a: T, b: T) => number

  constructor(compare: (a: T, b: T) => number) {
    this.#compare = compare
  }

  peek(): T | undefined {
    return this.#items[0]
  }

  push(item: T): void {
    let at = this.#items.push(item) - 1
    while (at > 0) {
      const above = (at - 1) >> 1
      if (!this.#swapIfLess(at, above)) return
      at = above
    }
  }

  pop(): T | undefined {
    const [least] = this.#items
    const last = this.#items.pop()
    if (last === undefined || this.#items.length === 0) return least
    this.#items[0] = last
    for (let at = 0; ;) {
      const [left, right] = [2 * at + 1, 2 * at + 2]
      const below = this.#isLess(right, left) ? right : left
      if (!this.#swapIfLess(below, at)) return least
      at = below
    }
  }

  #swapIfLess(one: number, other: number): boolean {
    if (!this.#isLess(one, other)) return false
    const [a, b] = [this.#items[one], this.#items[other]]
    if (a !== undefined && b !== undefined) [this.#items[one], this.#items[other]] = [b, a]
    return true
  }

  #isLess(one: number, other: number): boolean {
    const [a, b] = [this.#items[one], this.#items[other]]
    return a !== undefined && b !== undefined && this.#compare(a, b) < 0
  }
}
