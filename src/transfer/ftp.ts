import type { Socket } from 'node:net'
import { PassThrough } from 'node:stream'
import { Client, FTPError } from 'basic-ftp'
import { plainHost } from '../lib/address-list.ts'
import { fail } from '../lib/result.ts'
import {
  FetchError,
  type Fetcher,
  type FetchProblem,
  type FetchRequest,
  type TransferOptions,
} from './fetcher.ts'
import { decoded, fileNameOf } from './file-name.ts'
import { interrupted, openSource, type Source } from './source.ts'
import { secure, tlsOptions } from './tls.ts'

const FTP_PORT = 21
/** Where TLS comes before the first word; anywhere else it is asked for (RFC 4217). */
const IMPLICIT_TLS_PORT = 990
const DENIAL = /permission|privilege|denied|not allowed/i
/** RFC 959. */
const CLOSING = 421
const NO_CONNECTION = 425
const NOT_LOGGED_IN = 530
const NO_ACCOUNT = 532
const NO_FILE = 550

/** Fetches by FTP, and by FTP over TLS. */
export function createFtpFetcher({ network }: TransferOptions): Fetcher {
  return {
    open: async (request) => {
      const { uri, signal } = request
      // RFC 1738 3.2.2: from the folder of the login (%2F: from the root), and images are of one type.
      const path = decoded(uri.pathname.slice(1)).replace(/;type=[aid]$/i, '')
      // oxlint-disable-next-line no-control-regex -- a line is a command
      if (path === '' || /[\r\n\0]/.test(path)) return fail({ kind: 'missing' })
      const port = uri.port === '' ? FTP_PORT : Number(uri.port)
      const dialled = await network.dial({ host: uri.hostname, port, signal })
      if (!dialled.ok) return dialled
      // The clock watches; data connections go to the same address only.
      const client = new Client(0)
      const close = (): void => {
        client.close()
        dialled.value.destroy()
      }
      return openSource({ signal, close }, async () => {
        await greet(client, dialled.value, request)
        await login(client, request)
        const file = await retrieve(client, path)
        return { ...file, fileName: fileNameOf(uri).replace(/;type=[aid]$/i, '') }
      })
    },
  }
}

/** Hears the server's first word, over TLS where the URI says so. */
async function greet(client: Client, socket: Socket, { uri, identity, signal }: FetchRequest): Promise<void> {
  const options = tlsOptions(identity, plainHost(uri.hostname))
  const isImplicit = uri.protocol === 'ftps:' && Number(uri.port) === IMPLICIT_TLS_PORT
  client.ftp.socket = isImplicit ? await secure(socket, options, signal) : socket
  const stranger = Promise.withResolvers<never>()
  client.ftp.socket.prependOnceListener('data', (text: unknown) => {
    if (!/^\d{0,3}([ -]|$)/.test(String(text))) stranger.reject(new FetchError({ kind: 'wrong-protocol' }))
  })
  const greeting = client.ftp.handle(undefined, (answer, task) => {
    if (answer instanceof Error) task.reject(answer)
    else task.resolve(answer)
  })
  await step(Promise.race([greeting, stranger.promise]), (detail) => ({ kind: 'no-connection', detail }))
  if (uri.protocol !== 'ftps:') return
  if (!isImplicit) {
    await step(client.send('AUTH TLS'), () => ({ kind: 'wrong-protocol' }))
    client.ftp.socket = await secure(socket, options, signal)
  }
  // Data connections are secured likewise.
  client.ftp.tlsOptions = options
}

async function login(client: Client, { username, password }: FetchRequest): Promise<void> {
  await step(client.sendIgnoringError('OPTS UTF8 ON'), unexpected)
  await step(client.login(username, password), (detail) => ({ kind: 'unauthorized', detail }))
  if (client.ftp.hasTLS) {
    // A server that refuses these meets TLS on the data connection all the same.
    await step(client.sendIgnoringError('PBSZ 0'), unexpected)
    await step(client.sendIgnoringError('PROT P'), unexpected)
  }
  await step(client.send('TYPE I'), unexpected)
}

/** Begins to retrieve; to what comes, when the first of it is here. */
async function retrieve(client: Client, path: string): Promise<Omit<Source, 'fileName'>> {
  // Not every server tells the size; if the connection is lost, the next command says so.
  const sizeBytes = await client.size(path).catch(() => undefined)
  const sink = new PassThrough()
  // The download itself tells what was wrong.
  sink.on('error', () => undefined)
  const download = step(client.downloadTo(sink, path), retrieveProblem)
  download.catch(() => undefined)
  await Promise.race([new Promise((resolve) => sink.once('readable', resolve)), download])
  // No bytes are an empty file, or a refusal.
  if (sink.readableLength === 0) await download
  const chunks: AsyncIterator<Buffer> = sink[Symbol.asyncIterator]()
  return {
    sizeBytes,
    next: async () => {
      const chunk = await chunks.next().catch(() => undefined)
      if (chunk !== undefined && chunk.done !== true) return chunk.value
      // A connection that is cut looks like the end of the file: the server's last word tells them apart.
      await download
      return undefined
    },
  }
}

function retrieveProblem(detail: string, { code, message }: FTPError): FetchProblem {
  if (code === NO_CONNECTION || code === CLOSING) return { kind: 'no-connection', detail }
  if (code === NOT_LOGGED_IN || code === NO_ACCOUNT) return { kind: 'unauthorized', detail }
  if (code !== NO_FILE) return unexpected(detail)
  // One code for both.
  return DENIAL.test(message) ? { kind: 'unauthorized', detail } : { kind: 'missing' }
}

function unexpected(detail: string): FetchProblem {
  return { kind: 'interrupted', detail }
}

/** A step of the conversation: what the server refuses is told apart from a conversation that ended. */
async function step<T>(
  work: Promise<T>,
  refused: (detail: string, reply: FTPError) => FetchProblem,
): Promise<T> {
  try {
    return await work
  } catch (error) {
    if (error instanceof FetchError) throw error
    // The server's own words are not repeated: nobody knows what is in them.
    if (error instanceof FTPError) throw new FetchError(refused(`FTP reply ${error.code}`, error))
    throw interrupted('the FTP connection failed')
  }
}
