/** What is seen of a service, one after another. */
export interface Series {
  readonly name: string
  readonly values: readonly number[]
  /** What comes and goes by itself. */
  readonly tolerance: number
}

/** The beginning is no measure: compilers and caches take what they need. */
const WARM_UP_SHARE = 0.25
const PARTS = 3
/** Fewer say nothing. */
const MIN_PER_PART = 3
/** So many windows allow a verdict. */
export const MIN_WINDOWS = Math.ceil((PARTS * MIN_PER_PART) / (1 - WARM_UP_SHARE))

/**
 * The names of those that leak. What is left after the warm-up is cut into three parts of time. A series leaks when its
 * lowest value rises from each part to the next by more than the tolerance: what goes up and down comes back to where it
 * was, what fills up stops rising, and what leaks does neither.
 */
export function leaks(all: readonly Series[]): string[] {
  return all.filter(isLeaking).map(({ name }) => name)
}

function isLeaking({ values, tolerance }: Series): boolean {
  if (values.length < MIN_WINDOWS) return false
  const judged = values.slice(Math.floor(values.length * WARM_UP_SHARE))
  const size = judged.length / PARTS
  const lowest = Array.from({ length: PARTS }, (_, part) =>
    Math.min(...judged.slice(Math.floor(part * size), Math.floor((part + 1) * size))),
  )
  return lowest.every((low, part) => part === 0 || low - (lowest[part - 1] ?? low) > tolerance)
}
