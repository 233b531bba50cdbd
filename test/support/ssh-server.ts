import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { type AuthContext, Server, type ServerChannel, type SFTPWrapper, utils } from 'ssh2'
import type { FetchProblem } from '../../src/transfer/fetcher.ts'
import { sshPrivateKey } from '../../src/transfer/ssh-key.ts'
import { listen } from './image-server.ts'

const { STATUS_CODE } = utils.sftp

export interface SshServerOptions {
  /** What a path holds; a problem is answered as the protocol has it. */
  readonly file: (
    path: string,
  ) => Uint8Array | (FetchProblem['kind'] & ('missing' | 'unauthorized' | 'interrupted'))
  /** `user` with the password `secret` unless given. */
  readonly login?: (context: AuthContext) => void
  readonly hostKeys?: readonly string[]
  /** The connection ends, or nothing more is said, after so many bytes. */
  readonly cutsAfter?: number
  readonly stallsAfter?: number
  /** Answers with no more bytes than this, however many are wanted. */
  readonly mostBytes?: number
  /** Announces so many bytes more than there are. */
  readonly overstates?: number
  /** SCP: tells at the end that not all that was sent could be read. */
  readonly spoils?: boolean
  /** What a session may be used for. */
  readonly offers?: readonly ('sftp' | 'exec')[]
}

/** An SSH server on a free port of loopback that gives files away, by SFTP and SCP; it ends with the test. */
export async function startSshServer(options: SshServerOptions) {
  const {
    hostKeys = [sshPrivateKey(generateKeyPairSync('ed25519').privateKey)],
    login = passwordLogin,
    offers = ['sftp', 'exec'],
  } = options
  const counts = { sentBytes: 0, commands: [] as string[], logins: [] as string[] }
  const server = new Server({ hostKeys: [...hostKeys] })
  const sockets: Socket[] = []
  server.on('connection', (connection) => {
    const socket = sockets.shift()
    connection.on('error', () => undefined) // clients that leave are what is tested
    connection.on('authentication', (context) => {
      counts.logins.push(context.method)
      login(context)
    })
    connection.on('session', (accept) => {
      const cut = (): void => void socket?.destroy()
      const session = accept()
      const given = { ...options, cut, sent: (bytes: number) => (counts.sentBytes += bytes) }
      session.on('sftp', (acceptSftp, reject) =>
        offers.includes('sftp') ? serveSftp(acceptSftp(), given) : reject(),
      )
      session.on('exec', (acceptExec, reject, { command }) => {
        counts.commands.push(command)
        if (!offers.includes('exec')) return reject()
        serveScp(acceptExec(), command, given).catch(() => undefined)
      })
    })
  })
  const net = createServer((socket) => {
    sockets.push(socket.setNoDelay(true))
    server.injectSocket(socket)
  })
  return { ...(await listen(net)), counts }
}

function passwordLogin(context: AuthContext): void {
  const isRight = context.method === 'password' && `${context.username}:${context.password}` === 'user:secret'
  if (isRight) context.accept()
  else context.reject(['password'])
}

interface Serving extends SshServerOptions {
  readonly cut: () => void
  readonly sent: (bytes: number) => void
}

function serveSftp(sftp: SFTPWrapper, { file, cut, sent, ...odd }: Serving): void {
  const { cutsAfter = Infinity, stallsAfter = Infinity, mostBytes = Infinity, overstates = 0 } = odd
  const statuses = {
    missing: STATUS_CODE.NO_SUCH_FILE,
    unauthorized: STATUS_CODE.PERMISSION_DENIED,
    interrupted: STATUS_CODE.FAILURE,
  }
  let contents: Uint8Array = new Uint8Array()
  sftp.on('OPEN', (id, path) => {
    const found = file(path)
    if (typeof found === 'string') return sftp.status(id, statuses[found])
    contents = found
    return sftp.handle(id, Buffer.from('it'))
  })
  sftp.on('FSTAT', (id) => {
    const size = contents.byteLength + overstates
    sftp.attrs(id, { mode: 0o100_644, uid: 0, gid: 0, size, atime: 0, mtime: 0 })
  })
  sftp.on('READ', (id, _handle, offset, length) => {
    if (offset >= cutsAfter) return cut()
    if (offset >= stallsAfter) return undefined
    const bytes = contents.subarray(offset, offset + Math.min(length, mostBytes))
    sent(bytes.byteLength)
    if (bytes.byteLength === 0) return sftp.status(id, STATUS_CODE.EOF)
    return sftp.data(id, Buffer.from(bytes))
  })
}

/** What `scp -f` does. */
async function serveScp(
  channel: ServerChannel,
  command: string,
  { file, cut, sent, ...odd }: Serving,
): Promise<void> {
  const { cutsAfter = Infinity, stallsAfter = Infinity, mostBytes = 65_536, overstates = 0 } = odd
  const words = {
    missing: 'No such file or directory',
    unauthorized: 'Permission denied',
    interrupted: 'Bad luck',
  }
  const answers = channel[Symbol.asyncIterator]()
  await answers.next()
  const found = file(/^scp -f '(.*)'$/.exec(command)?.[1] ?? '')
  if (typeof found === 'string') {
    channel.write(`\x01scp: it: ${words[found]}\n`)
    channel.exit(1)
    return void channel.end()
  }
  channel.write(`C0644 ${found.byteLength + overstates} it\n`)
  await answers.next()
  for (let at = 0; at < found.byteLength; at += mostBytes) {
    if (at >= cutsAfter) return cut()
    if (at >= stallsAfter) return
    const bytes = found.subarray(at, at + mostBytes)
    sent(bytes.byteLength)
    if (!channel.write(bytes)) await once(channel, 'drain')
  }
  if (odd.spoils === true) channel.write('\x01scp: it: Input/output error\n')
  else if (overstates === 0) channel.write('\0')
  channel.exit(0)
  channel.end()
}
