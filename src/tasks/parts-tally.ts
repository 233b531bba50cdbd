import { type Phase, phaseOfWhole } from './phase.ts'

/** What a part that has not ended does, as far as its whole looks at it. */
export interface Doing {
  readonly phase: Phase
  /** Whether it goes on only when somebody else does something. */
  readonly isAtRest: boolean
}

/** What the parts of a whole do, counted: where one of thousands comes further, nobody looks at the others. */
export class PartsTally {
  readonly #phases = new Map<Phase, number>()
  #living = 0
  #atRest = 0
  #parts = 0
  #percents = 0

  /** What they do together; `undefined` where all have ended. */
  get phase(): Phase | undefined {
    return this.#living === 0 ? undefined : phaseOfWhole([...this.#phases.keys()])
  }

  /** Whether all that have not ended are at rest; `undefined` where all have ended. */
  get isAtRest(): boolean | undefined {
    return this.#living === 0 ? undefined : this.#atRest === this.#living
  }

  /** How far they have come, on average. */
  get percent(): number {
    return this.#percents / Math.max(1, this.#parts)
  }

  /** There is one more. */
  add(): void {
    this.#parts++
  }

  /** One of them has come further. */
  advance(from: number, to: number): void {
    this.#percents += to - from
  }

  /** One of them does something else; `undefined`: before its beginning, and after its end. */
  move(from: Doing | undefined, to: Doing | undefined): void {
    if (from) this.#count(from, -1)
    if (to) this.#count(to, 1)
  }

  #count({ phase, isAtRest }: Doing, by: 1 | -1): void {
    const count = (this.#phases.get(phase) ?? 0) + by
    if (count === 0) this.#phases.delete(phase)
    else this.#phases.set(phase, count)
    this.#living += by
    if (isAtRest) this.#atRest += by
  }
}
