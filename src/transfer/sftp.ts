import type { Client, SFTPWrapper, Stats } from 'ssh2'
import { FetchError } from './fetcher.ts'
import { interrupted, type Source } from './source.ts'

/** What every server gives in one answer. */
const READ_BYTES = 32_768
/** So many answers are on their way at once: more is faster far away, and all of it is memory. */
const READS_AHEAD = 16
/** Of draft-ietf-secsh-filexfer-02, which everybody speaks. */
const NO_SUCH_FILE = 2
const PERMISSION_DENIED = 3

/** Opens a file by SFTP. */
export async function openSftp(client: Client, path: string): Promise<Omit<Source, 'fileName'>> {
  const sftp = await started(client)
  // A request made after the channel is lost would never be answered.
  const lost = new AbortController()
  sftp.on('close', () => lost.abort())
  // All open requests are told; without a listener it would end the process.
  sftp.on('error', () => lost.abort())
  const handle = await answer<Buffer>((done) => sftp.open(path, 'r', done))
  const stats = await answer<Stats>((done) => sftp.fstat(handle, done))
  if (stats.isDirectory()) throw new FetchError({ kind: 'missing' })

  const ahead: Promise<Buffer>[] = []
  let position = 0
  const readAhead = (): void => {
    const read = readFully(sftp, handle, position)
    // What goes wrong counts when its turn comes.
    read.catch(() => undefined)
    ahead.push(read)
    position += READ_BYTES
  }
  const next = async (): Promise<Buffer | undefined> => {
    for (let more = READS_AHEAD - ahead.length; more > 0 && !lost.signal.aborted; more--) readAhead()
    const bytes = await ahead.shift()
    if (bytes === undefined) throw interrupted('the SFTP server is gone')
    return bytes.byteLength === 0 ? undefined : bytes
  }
  // Not every server knows the size.
  return { sizeBytes: Number.isSafeInteger(stats.size) ? stats.size : undefined, next }
}

async function started(client: Client): Promise<SFTPWrapper> {
  try {
    return await answer<SFTPWrapper>((done) => client.sftp(done))
  } catch {
    // The server does SSH, and no SFTP.
    throw new FetchError({ kind: 'wrong-protocol' })
  }
}

/** That many bytes from a position; fewer only at the end of the file. Servers may answer with fewer at any time. */
async function readFully(sftp: SFTPWrapper, handle: Buffer, position: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(READ_BYTES)
  let filled = 0
  while (filled < READ_BYTES) {
    const came = await answer<number>((done) =>
      sftp.read(handle, bytes, filled, READ_BYTES - filled, position + filled, done),
    )
    if (came === 0) break
    filled += came
  }
  return bytes.subarray(0, filled)
}

type Answered<T> = (error: (Error & { readonly code?: number | string }) | null | undefined, value: T) => void

function answer<T>(ask: (done: Answered<T>) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    ask((error, value) => (error ? reject(problemOf(error.code)) : resolve(value)))
  })
}

function problemOf(code: number | string | undefined): FetchError {
  if (code === NO_SUCH_FILE) return new FetchError({ kind: 'missing' })
  if (code !== PERMISSION_DENIED) return interrupted(`SFTP status ${code ?? 'unknown'}`)
  return new FetchError({ kind: 'unauthorized', detail: 'the SFTP server denies permission' })
}
