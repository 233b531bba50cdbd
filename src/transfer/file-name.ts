const UNNAMED = 'image'

/** What an image is called by its URI: the last segment of the path. */
export function fileNameOf({ pathname }: URL): string {
  return plainName(decoded(pathname.slice(pathname.lastIndexOf('/') + 1)))
}

/** A name of somebody else's making, without folders and without what no name should hold. */
export function plainName(name: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what is meant
  const plain = name.replace(/^.*[/\\]/s, '').replaceAll(/[\x00-\x1f\x7f]/g, '')
  return plain === '' || plain === '.' || plain === '..' ? UNNAMED : plain
}

/** Percent-encoded text, or the text itself where it is not rightly encoded. */
export function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch (error) {
    if (error instanceof URIError) return text
    throw error
  }
}
