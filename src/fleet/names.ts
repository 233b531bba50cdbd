/** The number that a brace begins with, as wide as it is written; and how it counts, where not by one each time. */
const NUMBER = /\{(\d{1,9})(?:([/%])([1-9]\d{0,5}))?\}/g
const LABEL = '[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?'
const HOST_NAME = new RegExp(`^${LABEL}(\\.${LABEL})*$`)
const MAX_NAME = 253
/** Would be taken for an address wherever it is used. */
const IPV4 = /^\d+(\.\d+){3}$/

/** The name of the BMC with this number in its group, which counts from 1. */
export type Names = (number: number) => string

/**
 * Reads a naming pattern: a host name with numbers in braces. `{0001}` counts up from 1 with four digits, `{1/42}` goes
 * up every 42 BMCs, `{01%42}` begins again after 42. `undefined`: not all of the first `count` are host names.
 */
export function parseNames(pattern: string, count = 1): Names | undefined {
  const names: Names = (number) =>
    pattern.replaceAll(NUMBER, (_all, first: string, how: string | undefined, each: string | undefined) => {
      const index = number - 1
      const steps =
        how === undefined ? index : how === '/' ? Math.floor(index / Number(each)) : index % Number(each)
      return String(Number(first) + steps).padStart(first.length, '0')
    })
  for (let number = 1; number <= Math.max(1, count); number++) if (!isName(names(number))) return undefined
  return names
}

function isName(text: string): boolean {
  return HOST_NAME.test(text) && text.length <= MAX_NAME && !IPV4.test(text)
}
