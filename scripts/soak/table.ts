import type { Tally } from './actors.ts'
import type { Series } from './leak.ts'
import type { Taken } from './served.ts'

interface Column {
  readonly name: string
  readonly show: (taken: Taken) => string
  /** What is judged, and what comes and goes by itself; the others are only shown. */
  readonly judged?: { readonly value: (taken: Taken) => number; readonly tolerance: number }
}

const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(1)

const columns: readonly Column[] = [
  {
    name: 'heap MB',
    show: ({ heapBytes }) => megabytes(heapBytes),
    judged: { value: ({ heapBytes }) => heapBytes, tolerance: 0.5e6 },
  },
  {
    // What is beside the heap: TLS, SQLite. It goes up in steps, and little of what is freed is given back.
    name: 'RSS MB',
    show: ({ rssBytes }) => megabytes(rssBytes),
    judged: { value: ({ rssBytes }) => rssBytes, tolerance: 20e6 },
  },
  {
    name: 'handles',
    show: ({ resources }) => String(resources),
    judged: { value: ({ resources }) => resources, tolerance: 4 },
  },
  {
    name: 'descriptors',
    show: ({ descriptors }) => String(descriptors ?? ''),
    judged: { value: ({ descriptors = 0 }) => descriptors, tolerance: 4 },
  },
  {
    name: 'images',
    show: ({ images }) => String(images),
    judged: { value: ({ images }) => images, tolerance: 2 },
  },
  {
    name: 'database MB',
    show: ({ databaseBytes }) => megabytes(databaseBytes),
    judged: { value: ({ databaseBytes }) => databaseBytes, tolerance: 0.2e6 },
  },
  { name: 'lag p99 ms', show: ({ lagP99Ms }) => lagP99Ms.toFixed(1) },
]

const all = ['seconds', ...columns.map(({ name }) => name), 'done', 'failures']
export const header = all.join('  ')

/** A line of the table. */
export function line(seconds: number, taken: Taken, { done, failures }: Tally): string {
  const count = [...done.values()].reduce((sum, one) => sum + one, 0)
  const cells = [seconds.toFixed(0), ...columns.map(({ show }) => show(taken)), count, failures.length]
  return cells.map((cell, index) => String(cell).padStart(all[index]?.length ?? 0)).join('  ')
}

/** What is judged, over time. */
export function seriesOf(seen: readonly Taken[]): Series[] {
  return columns.flatMap(({ name, judged }) =>
    judged === undefined ? [] : [{ name, values: seen.map(judged.value), tolerance: judged.tolerance }],
  )
}
