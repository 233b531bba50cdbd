import type { Clock } from '../lib/clock.ts'
import { fail, succeed } from '../lib/result.ts'
import type { AddressPolicy } from './addresses.ts'
import { FetchError, type Fetcher, type TransferOptions } from './fetcher.ts'
import { shareScheme } from './image-folders.ts'
import { createNetwork, type NetworkOptions } from './network.ts'

type Load = (options: TransferOptions) => Promise<Fetcher>

/** What speaks a scheme is loaded when an image comes from there. */
const http: Load = async (options) => (await import('./http.ts')).createHttpFetcher(options)
const ftp: Load = async (options) => (await import('./ftp.ts')).createFtpFetcher(options)
const sftp: Load = async (options) => (await import('./ssh.ts')).createSftpFetcher(options)
const scp: Load = async (options) => (await import('./ssh.ts')).createScpFetcher(options)
const tftp: Load = async (options) => (await import('./tftp.ts')).createTftpFetcher(options)
const folder: Load = async (options) => (await import('./folder.ts')).createFolderFetcher(options)

/** Schemes of ImageURI, and what TransferProtocolType calls them where it knows them. */
const schemes = {
  http: { load: http, type: 'HTTP' },
  https: { load: http, type: 'HTTPS' },
  ftp: { load: ftp, type: 'FTP' },
  ftps: { load: ftp, type: undefined },
  sftp: { load: sftp, type: 'SFTP' },
  scp: { load: scp, type: 'SCP' },
  tftp: { load: tftp, type: 'TFTP' },
  nfs: { load: folder, type: 'NFS' },
  nsf: { load: folder, type: 'NSF' },
  cifs: { load: folder, type: 'CIFS' },
  smb: { load: folder, type: 'CIFS' },
} as const satisfies Readonly<Record<string, { readonly load: Load; readonly type: string | undefined }>>

export type TransferProtocol = NonNullable<(typeof schemes)[keyof typeof schemes]['type']>

export interface FetcherOptions {
  readonly clock: Clock
  readonly policy: AddressPolicy
  readonly folders: TransferOptions['folders']
  /** A source that says nothing for this long, before or within an image, is given up. */
  readonly stallMs: number
  readonly lookup?: NonNullable<NetworkOptions['lookup']>
}

/** Fetches images by whatever protocol their URI names. */
export function createFetcher({ clock, folders, stallMs, ...network }: FetcherOptions): Fetcher {
  const options: TransferOptions = { clock, folders, network: createNetwork({ clock, ...network }) }
  return {
    open: async (request) => {
      request.signal.throwIfAborted()
      const scheme = request.uri.protocol.slice(0, -1)
      if (!isKnown(scheme)) return fail({ kind: 'unsupported' })
      const fetcher = await schemes[scheme].load(options)
      return watched(fetcher, clock, stallMs).open(request)
    },
  }
}

/** Values of TransferProtocolType that work: a share does where a folder stands for one. */
export function transferProtocols(folders: TransferOptions['folders']): TransferProtocol[] {
  const shared = new Set([...folders.keys()].map((uri) => uri.split(':')[0]))
  const types = Object.entries(schemes)
    .filter(([scheme, { load }]) => load !== folder || shared.has(shareScheme(scheme)))
    .flatMap(([, { type }]) => type ?? [])
  return [...new Set(types)]
}

function isKnown(scheme: string): scheme is keyof typeof schemes {
  return Object.hasOwn(schemes, scheme)
}

/** A fetcher that ends when its source is silent for too long. */
function watched(fetcher: Fetcher, clock: Clock, stallMs: number): Fetcher {
  return {
    open: async (request) => {
      const late = new AbortController()
      const signal = AbortSignal.any([request.signal, late.signal])
      const inTime = async <T>(work: () => Promise<T>): Promise<T> => {
        const cancel = clock.schedule(stallMs, () => late.abort(new FetchError({ kind: 'timeout' })))
        try {
          return await work()
        } finally {
          cancel()
        }
      }
      try {
        const opened = await inTime(() => fetcher.open({ ...request, signal }))
        if (!opened.ok) return opened
        const { body, ...rest } = opened.value
        const chunks = body[Symbol.asyncIterator]()
        const iterator: AsyncIterator<Uint8Array, undefined> = {
          next: async () => {
            const { done, value } = await inTime(() => chunks.next())
            return done === true ? { done, value: undefined } : { done: false, value }
          },
          return: async () => {
            await chunks.return?.()
            return { done: true, value: undefined }
          },
        }
        // Not a generator: one that was never begun would not be told that its reader has left.
        return succeed({ ...rest, body: { [Symbol.asyncIterator]: () => iterator } })
      } catch (error) {
        if (error instanceof FetchError) return fail(error.problem)
        throw error
      }
    },
  }
}
