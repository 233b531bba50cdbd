/** One line of the table: what was measured, against what, and whether that is good enough. */
export interface Row {
  readonly name: string
  readonly ours: string
  readonly baseline: string
  readonly ratio: number
  readonly target: string
  readonly isMissed: boolean
}

export interface Measured {
  readonly name: string
  readonly ours: number
  readonly baseline: number
  /** A number of what is measured, as people read it. */
  readonly show: (value: number) => string
}

/** More is better: ours must reach this share of the baseline. */
export function atLeast(ratio: number, measured: Measured): Row {
  const row = compare(measured)
  return { ...row, target: `at least ${ratio}`, isMissed: !(row.ratio >= ratio) }
}

/** Less is better: ours must stay below this multiple of the baseline. */
export function under(ratio: number, measured: Measured): Row {
  const row = compare(measured)
  return { ...row, target: `under ${ratio}`, isMissed: !(row.ratio < ratio) }
}

/** Less is better, with a limit in the unit itself; the baseline is told for comparison. */
export function below(limit: number, measured: Measured): Row {
  const isMissed = !(measured.ours < limit)
  return { ...compare(measured), target: `under ${measured.show(limit)}`, isMissed }
}

/** Reported, without a target. */
export function noted(measured: Measured): Row {
  return { ...compare(measured), target: '', isMissed: false }
}

function compare({ name, ours, baseline, show }: Measured): Omit<Row, 'target' | 'isMissed'> {
  return { name, ours: show(ours), baseline: show(baseline), ratio: ours / baseline }
}

/** What a run among noisy neighbours is judged by. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted[Math.floor(sorted.length / 2)]
  if (middle === undefined) throw new Error('nothing was measured')
  return middle
}

export const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(0)} MB`
export const kilobytes = (bytes: number): string => `${(bytes / 1e3).toFixed(1)} KB`
