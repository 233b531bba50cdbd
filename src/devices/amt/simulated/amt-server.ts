import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo, Server, Socket } from 'node:net'
import type { Clock } from '../../../lib/clock.ts'
import { CONTENT_TYPE, PATH } from '../wsman.ts'
import { partsOf } from './firmware.ts'
import { type Account, DigestGuard } from './digest-guard.ts'
import type { AmtMachine } from './machine.ts'
import { WsmanService } from './wsman-service.ts'

export interface ServerOptions {
  readonly clock: Clock
  readonly host: string
  /** 0 for any free one; `undefined`: not served. */
  readonly port: number | undefined
  readonly tlsPort: number | undefined
  /** In PEM; of use where HTTPS is served. */
  readonly keyPair?: { readonly cert: string; readonly key: string } | undefined
  readonly account: Account
  /** A nonce is too old after so long. */
  readonly nonceLifetimeMs: number
}

/** Where a machine is reached. */
export interface AmtServer {
  readonly url: string | undefined
  readonly httpsUrl: string | undefined
  /** How many clients are connected now. */
  readonly connections: () => number
  close(): Promise<void>
}

const MAX_REQUEST_BYTES = 65_536

/** Serves a machine's WS-Management by HTTP and HTTPS; while its AMT starts anew, connections are cut. */
export async function serveAmt(machine: AmtMachine, options: ServerOptions): Promise<AmtServer> {
  const { clock, host, port, tlsPort, keyPair, account, nonceLifetimeMs: lifetimeMs } = options
  const realm = `Digest:${createHash('md5').update(machine.options.identity.uuid).digest('hex').toUpperCase()}`
  const guard = new DigestGuard(clock, account, { realm, lifetimeMs })
  const service = new WsmanService(machine)
  const listener: RequestListener = (request, response) => {
    // Whoever leaves early is no concern of ours.
    void clock.io(answer({ machine, guard, service }, request, response)).catch(() => response.destroy())
  }
  const servers = await Promise.all([
    port === undefined ? undefined : listen(createServer(listener), machine, { host, port }),
    tlsPort === undefined || keyPair === undefined
      ? undefined
      : listen(createTlsServer(keyPair, listener), machine, { host, port: tlsPort }),
  ])
  const [plain, secure] = servers
  return {
    url: plain && `http://${host}:${plain.port}`,
    httpsUrl: secure && `https://${host}:${secure.port}`,
    connections: () => servers.reduce((sum, server) => sum + (server?.connections() ?? 0), 0),
    close: async () => {
      await Promise.all(servers.map(async (server) => server?.close()))
    },
  }
}

async function listen(server: Server, machine: AmtMachine, at: { host: string; port: number }) {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    if (!machine.isReachable) return void socket.destroy()
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    socket.on('error', () => {}) // closed is all that matters
  })
  server.listen(at)
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo // a TCP server's address, once it listens
  return {
    port,
    connections: () => sockets.size,
    close: async () => {
      const closed = once(server, 'close')
      server.close()
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}

interface Desk {
  readonly machine: AmtMachine
  readonly guard: DigestGuard
  readonly service: WsmanService
}

async function answer(
  { machine, guard, service }: Desk,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (!machine.isReachable) return void request.destroy()
  const { method = '', url = '', headers, socket } = request
  const body = await bodyOf(request)
  response.setHeader(
    'server',
    `Intel(R) Active Management Technology ${partsOf(machine.versions.csme).numbers}`,
  )
  const end = (status: number, type = 'text/html', text = ''): void =>
    void response
      .writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(text) })
      .end(text)
  if (url !== PATH) return end(404)
  if (method !== 'POST') return end(405)
  const verdict = guard.judge(headers.authorization, method, url)
  const address = socket.remoteAddress ?? ''
  if (verdict.kind === 'challenged') {
    if (verdict.isWrong)
      machine.auditLog.add('invalidCredentials', { user: undefined, address }, Buffer.of(0))
    response.setHeader('www-authenticate', verdict.challenge)
    return end(401)
  }
  if (body === undefined) return end(413)
  const told = service.answer(body, { user: verdict.user, address })
  end(told.status, CONTENT_TYPE, told.body)
}

/** `undefined` where it is too large. */
async function bodyOf(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Uint8Array>) {
    size += chunk.byteLength
    if (size <= MAX_REQUEST_BYTES) chunks.push(chunk)
  }
  return size > MAX_REQUEST_BYTES ? undefined : Buffer.concat(chunks).toString('utf8')
}
