/** A number of bytes alone, or with its unit. */
export const SIZE = /^([1-9][0-9]*)(B|KiB|MiB|GiB)?$/
const units: Readonly<Record<string, number>> = { '': 1, B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 }

/** The bytes that a size means: a number alone, or with B, KiB, MiB or GiB; `undefined` when it is none. */
export function parseSize(text: string): number | undefined {
  const [, digits, unit = ''] = SIZE.exec(text) ?? []
  return digits === undefined ? undefined : Number(digits) * (units[unit] ?? 1)
}
