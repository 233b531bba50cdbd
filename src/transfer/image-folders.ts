const ENTRY = /^(?<scheme>nfs|cifs|smb):\/\/(?<host>[^/\s=]+)(?<share>(?:\/[^/\s=]+)+)\/?=(?<folder>.+)$/i

/** Folders that stand for what file servers share, by its URI in one spelling. */
export type ImageFolders = ReadonlyMap<string, string>

export interface SharedFile {
  readonly folder: string
  /** As the URI has it, below the folder. */
  readonly path: string
}

/** Reads a list like `nfs://server/export=/srv/images`; `undefined` when an entry is none of these. */
export function parseImageFolders(text: string): ImageFolders | undefined {
  const folders = new Map<string, string>()
  for (const entry of text
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '')) {
    const { scheme = '', host = '', share = '', folder } = ENTRY.exec(entry)?.groups ?? {}
    if (folder === undefined) return undefined
    folders.set(spelled(`${scheme}:`, host, share), folder)
  }
  return folders
}

/** Where the file of a URI is: below the folder of the innermost share; `undefined` where none is known. */
export function findShared(folders: ImageFolders, { protocol, host, pathname }: URL): SharedFile | undefined {
  for (let end = pathname.lastIndexOf('/'); end > 0; end = pathname.lastIndexOf('/', end - 1)) {
    const folder = folders.get(spelled(protocol, host, pathname.slice(0, end)))
    if (folder !== undefined) return { folder, path: pathname.slice(end + 1) }
  }
  return undefined
}

function spelled(protocol: string, host: string, share: string): string {
  return `${shareScheme(protocol.slice(0, -1))}://${host.toLowerCase()}${share}`
}

/** SMB is what CIFS is called today, and NSF was a misprint of NFS; hosts and schemes have no case. */
export function shareScheme(scheme: string): string {
  const known = scheme.toLowerCase()
  return others[known] ?? known
}

const others: Readonly<Record<string, string>> = { smb: 'cifs', nsf: 'nfs' }
