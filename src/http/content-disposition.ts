const PLAIN = /;\s*filename\s*=\s*(?:"((?:\\.|[^"\\])*)"|([^\s;"]+))/i
/** RFC 8187; in practice nobody uses another charset. */
const EXTENDED = /;\s*filename\*\s*=\s*utf-8'[^']*'([^\s;]+)/i

/** The file name in a Content-Disposition header (RFC 6266); `undefined` where it names none. */
export function fileNameOf(header: string | undefined): string | undefined {
  if (header === undefined) return undefined
  const extended = decoded(EXTENDED.exec(header)?.[1])
  if (extended !== undefined) return extended
  const [, quoted, token] = PLAIN.exec(header) ?? []
  return quoted?.replaceAll(/\\(.)/g, '$1') ?? token
}

function decoded(text: string | undefined): string | undefined {
  try {
    return text === undefined ? undefined : decodeURIComponent(text)
  } catch {
    return undefined // a broken escape: the plain name, if there is one, is as good
  }
}
