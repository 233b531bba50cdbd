import type { Client, ClientChannel } from 'ssh2'
import { FetchError } from './fetcher.ts'
import { interrupted, type Source } from './source.ts'

const GO_ON = '\0'
const NEWLINE = 0x0a
const MAX_LINE_BYTES = 4_096
const MAX_CHUNK_BYTES = 2 ** 20

/** Opens a file by SCP: by the `scp` of the server, told to send. */
export async function openScp(client: Client, path: string): Promise<Omit<Source, 'fileName'>> {
  const channel = await executed(client, `scp -f ${quoted(path)}`)
  // What nobody reads stops the channel.
  channel.stderr.resume()
  const bytes = reading(channel)
  channel.write(GO_ON)
  const sizeBytes = await announced(bytes)
  channel.write(GO_ON)
  let leftBytes = sizeBytes
  const next = async (): Promise<Buffer | undefined> => {
    if (leftBytes > 0) {
      const some = await bytes.some(Math.min(leftBytes, MAX_CHUNK_BYTES))
      if (some.byteLength === 0) throw interrupted('the server ended the copy')
      leftBytes -= some.byteLength
      return some
    }
    // Only now the server tells whether it could read all that it sent: it fills up with zeros what it could not.
    if ((await bytes.some(1))[0] !== 0) throw interrupted('the server could not read the file')
    channel.end(GO_ON)
    return undefined
  }
  return { sizeBytes, next }
}

/** One word for the server's shell. */
function quoted(path: string): string {
  return `'${path.replaceAll("'", String.raw`'\''`)}'`
}

async function executed(client: Client, command: string): Promise<ClientChannel> {
  try {
    return await new Promise((resolve, reject) => {
      client.exec(command, (error, channel) => (error ? reject(error) : resolve(channel)))
    })
  } catch {
    // The server does SSH, and runs no commands.
    throw new FetchError({ kind: 'wrong-protocol' })
  }
}

/** The size that the server announces, in the only line that may come: `C0644 1234 name`. */
async function announced(bytes: Reading): Promise<number> {
  const line = await bytes.line()
  const [, size] = /^C[0-7]{4} (\d{1,15}) ./.exec(line) ?? []
  if (size !== undefined) return Number(size)
  // Errors and warnings have no numbers, only their first byte and the words of the server's system.
  if (!/^[\x01\x02]/.test(line)) throw new FetchError({ kind: 'wrong-protocol' }) // oxlint-disable-line no-control-regex
  if (/no such file|not a regular file|is a directory/i.test(line)) throw new FetchError({ kind: 'missing' })
  if (/permission denied/i.test(line)) {
    throw new FetchError({ kind: 'unauthorized', detail: 'the server denies permission' })
  }
  throw interrupted('the server cannot send the file')
}

interface Reading {
  /** The next bytes, at most so many; none when the server has ended. */
  some(maxBytes: number): Promise<Buffer>
  /** A line without its end; what there is of it when the server ends before. */
  line(): Promise<string>
}

function reading(channel: AsyncIterable<Buffer>): Reading {
  const chunks = channel[Symbol.asyncIterator]()
  let rest: Buffer = Buffer.alloc(0)
  const some = async (maxBytes: number): Promise<Buffer> => {
    if (rest.byteLength === 0) {
      const chunk = await chunks.next()
      rest = chunk.done === true ? Buffer.alloc(0) : chunk.value
    }
    const taken = rest.subarray(0, maxBytes)
    rest = rest.subarray(taken.byteLength)
    return taken
  }
  return {
    some,
    line: async () => {
      let line = ''
      while (line.length < MAX_LINE_BYTES) {
        const [byte] = await some(1)
        if (byte === undefined || byte === NEWLINE) break
        line += String.fromCharCode(byte)
      }
      return line
    },
  }
}
