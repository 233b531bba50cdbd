import { spawn, spawnSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { onTestFinished } from 'vitest'
import { temporaryFolder } from './wire.ts'

/** Debian's own: the one that its packages of Python modules are for. */
const PYTHON = '/usr/bin/python3'
export const hasPyftpdlib = spawnSync(PYTHON, ['-c', 'import pyftpdlib']).status === 0
export const hasFtpTls = spawnSync(PYTHON, ['-c', 'import pyftpdlib, OpenSSL']).status === 0

export interface FtpServerOptions {
  /** Files by their name. */
  readonly files: Readonly<Record<string, Uint8Array>>
  /** The server's certificate and its key, where it speaks TLS. */
  readonly tls?: { readonly certificate: string; readonly privateKey: string }
  /** TLS from the first byte on. */
  readonly isImplicit?: boolean
  /** The connections end (`cut`), only the data connection ends (`end`), or nothing more is said (`stall`). */
  readonly oddity?: { readonly what: 'cut' | 'end' | 'stall'; readonly afterBytes: number }
  /** Commands that the server has never heard of. */
  readonly without?: readonly string[]
}

const SERVER = `
import json, logging, select, sys, time
from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import DTPHandler, FTPHandler
from pyftpdlib.servers import FTPServer
options = json.loads(sys.argv[1])
logging.disable(logging.CRITICAL)
tell = lambda line: print(line, flush=True)
base, data = FTPHandler, DTPHandler
if options.get('pem'):
    from pyftpdlib.handlers import TLS_FTPHandler, TLS_DTPHandler
    base, data = TLS_FTPHandler, TLS_DTPHandler

class Data(data):
    sent = 0
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        tell('+')
    def close(self):
        if not self._closed: tell('-')
        super().close()
    def is_left(self):
        poll = select.poll()
        poll.register(self.socket.fileno(), select.POLLRDHUP)
        return bool(poll.poll(0))
    # As it is, it hangs up on clients that begin with TLS before they ask for a file (curl too).
    def readable(self):
        if self.receive or self._initialized or not options.get('pem'): return super().readable()
        if self.is_left(): self.close()
        return False
    def send(self, chunk):
        odd = options.get('oddity')
        if odd and self.sent >= odd['afterBytes']:
            if odd['what'] == 'stall':
                time.sleep(0.01)
                if self.is_left(): self.handle_close()
                return 0
            if odd['what'] == 'cut': self.cmd_channel.close()
            else: self.handle_close()
            return 0
        count = super().send(chunk)
        self.sent += count
        return count

class Handler(base):
    dtp_handler = Data
    use_sendfile = False
    def on_connect(self): tell('+')
    def on_disconnect(self): tell('-')
    def pre_process_command(self, line, cmd, arg):
        tell('> ' + line)
        if cmd in options.get('without', []): return self.respond('502 Never heard of it.')
        super().pre_process_command(line, cmd, arg)
    def on_login_failed(self, username, password): pass

Handler.auth_failed_timeout = 0
Handler.proto_cmds = {**base.proto_cmds}
if options.get('pem'):
    Handler.certfile = Handler.keyfile = options['pem']
    Handler.tls_control_required = Handler.tls_data_required = True
if options.get('isImplicit'):
    class Implicit(Handler):
        def handle(self):
            self.secure_connection(self.ssl_context)
        def handle_ssl_established(self):
            FTPHandler.handle(self)
    Handler = Implicit
users = DummyAuthorizer()
users.add_user('user', 'secret', options['folder'])
users.add_anonymous(options['folder'])
Handler.authorizer = users
Handler.banner = 'ready'
server = FTPServer(('127.0.0.1', 0), Handler)
tell('port ' + str(server.address[1]))
server.serve_forever(timeout=0.05, handle_exit=False)
`

/** pyftpdlib on a free port of loopback; `user` has the password `secret`. It ends with the test. */
export async function startFtpServer({ files, tls, ...options }: FtpServerOptions) {
  const [folder, secrets] = [await temporaryFolder(), await temporaryFolder()]
  for (const [name, bytes] of Object.entries(files)) await writeFile(join(folder, name), bytes)
  const pem = tls && join(secrets, 'server.pem')
  if (pem !== undefined) await writeFile(pem, `${tls?.privateKey}\n${tls?.certificate}\n`)
  const server = spawn(PYTHON, ['-c', SERVER, JSON.stringify({ ...options, folder, pem })], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  onTestFinished(() => void server.kill())
  let open = 0
  const commands: string[] = []
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  server.once('exit', () => reject(new Error('the FTP server has ended')))
  createInterface(server.stdout).on('line', (line) => {
    if (line === '+') open++
    else if (line === '-') open--
    else if (line.startsWith('port ')) resolve(Number(line.slice(5)))
    else commands.push(line.slice(2))
  })
  const port = await promise
  return { folder, port, commands, connections: () => open }
}
