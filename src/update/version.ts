/** How a component's versions are ordered (SoftwareInventory.VersionScheme); anything else is natural order. */
type Token = { readonly number: bigint } | { readonly text: string }

interface Key {
  readonly release: readonly Token[]
  /** SemVer: what follows the first hyphen; its absence is the later version. */
  readonly preRelease: readonly Token[] | undefined
}

/**
 * Orders two firmware versions: negative when `a` is older, 0 when they are the same version.
 * A total order: each version is turned into a key by itself, never by looking at the other.
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
  const [withoutBuild = ''] = bare.split('+')
  const hyphen = withoutBuild.indexOf('-')
  if (hyphen === -1) return { release: tokens(withoutBuild), preRelease: undefined }
  return {
    release: tokens(withoutBuild.slice(0, hyphen)),
    preRelease: tokens(withoutBuild.slice(hyphen + 1)),
  }
}

function tokens(text: string): Token[] {
  return (text.match(/\d+|\D+/g) ?? []).map((part) =>
    /^\d/.test(part) ? { number: BigInt(part) } : { text: part },
  )
}

function compareTokens(a: readonly Token[], b: readonly Token[]): number {
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const [left, right] = [a[i], b[i]]
    if (left === undefined || right === undefined) return left === undefined ? -1 : 1
    const order = compareToken(left, right)
    if (order !== 0) return order
  }
  return 0
}

/** Numbers by value and before text, text by code unit (SemVer 2.0.0 §11.4). */
function compareToken(a: Token, b: Token): number {
  if ('number' in a) return 'number' in b ? sign(a.number, b.number) : -1
  return 'number' in b ? 1 : sign(a.text, b.text)
}

function sign<T extends bigint | string>(a: T, b: T): number {
  return a < b ? -1 : Number(a > b)
}
