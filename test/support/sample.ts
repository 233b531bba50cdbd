/** Whether everything is tried: before an issue is resolved (`npm run proof`). */
export const isProof = process.env['PROOF'] !== undefined

/**
 * Of a table the cases that show something for the first time, in every run the same ones: of all that `facetsOf` tells
 * of the cases, nothing is missing. In a proof, the whole table.
 */
export function sample<T>(table: readonly T[], facetsOf: (one: T) => readonly string[]): readonly T[] {
  const seen = new Set<string>()
  return table.filter((one) => {
    const news = facetsOf(one).filter((facet) => !seen.has(facet))
    for (const facet of news) seen.add(facet)
    return isProof || news.length > 0
  })
}

/** Each row with each column, row by row; every row begins with another column, so that a sample takes of all. */
export function rotated<R, C>(rows: readonly R[], columns: readonly C[]): readonly (readonly [R, C])[] {
  return columns.flatMap((_, turn) =>
    rows.flatMap((row, index) => {
      const column = columns[(index + turn) % columns.length]
      return column === undefined ? [] : [[row, column] as const]
    }),
  )
}
