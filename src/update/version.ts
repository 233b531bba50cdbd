/** A run of digits, without the zeros it begins with; or text. */
type Token = { readonly digits: string } | { readonly text: string }

interface Key {
  readonly release: readonly Token[]
  /** SemVer: the identifiers that follow the first hyphen; their absence is the later version. */
  readonly preRelease: readonly Token[] | undefined
}

/**
 * Orders two firmware versions: negative when `a` is older, 0 when they are the same version. A total order of all
 * texts, those included that break the rules of their scheme: each is turned into a key by itself.
 *
 * Natural order, number by number, is all that DotIntegerNotation asks for. Its words let nothing be ignored but
 * leading zeros, so that 1.2 and 1.2.0 are two versions, the shorter one first. SemVer adds its rules for what
 * follows the numbers. Of other schemes the vendor's rules are unknown: natural order, too.
 */
export function compareVersions(a: string, b: string, scheme?: string): number {
  const [left, right] = [key(a, scheme), key(b, scheme)]
  const byRelease = compareTokens(left.release, right.release)
  if (byRelease !== 0) return byRelease
  if (left.preRelease === undefined || right.preRelease === undefined) {
    return Number(left.preRelease === undefined) - Number(right.preRelease === undefined)
  }
  return compareTokens(left.preRelease, right.preRelease)
}

function key(version: string, scheme: string | undefined): Key {
  const bare = version.trim().replace(/^v(?=\d)/i, '')
  if (scheme !== 'SemVer') return { release: tokens(bare), preRelease: undefined }
  const [withoutBuild = ''] = bare.split('+', 1)
  const hyphen = withoutBuild.indexOf('-')
  if (hyphen === -1) return { release: tokens(withoutBuild), preRelease: undefined }
  const identifiers = withoutBuild.slice(hyphen + 1).split('.')
  return { release: tokens(withoutBuild.slice(0, hyphen)), preRelease: identifiers.map(token) }
}

function tokens(text: string): Token[] {
  return (text.match(/\d+|\D+/g) ?? []).map(token)
}

function token(part: string): Token {
  return /^\d+$/.test(part) ? { digits: part.replace(/^0+/, '') } : { text: part }
}

/** Where one ends first, more follows in the later one (SemVer 2.0.0 §11.4.4). */
function compareTokens(a: readonly Token[], b: readonly Token[]): number {
  for (const [i, left] of a.entries()) {
    const right = b[i]
    if (right === undefined) return 1
    const order = compareToken(left, right)
    if (order !== 0) return order
  }
  return a.length - b.length
}

/** Numbers by value and before text, text by code unit (SemVer 2.0.0 §11.4). */
function compareToken(a: Token, b: Token): number {
  if ('text' in a) return 'text' in b ? compare(a.text, b.text) : 1
  if ('text' in b) return -1
  // Of any length: as text, because to make a number of a million digits takes its time.
  return compare(a.digits.length, b.digits.length) || compare(a.digits, b.digits)
}

function compare<T extends number | string>(a: T, b: T): number {
  return a < b ? -1 : Number(a > b)
}
