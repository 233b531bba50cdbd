import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTlsServer, type ServerOptions } from 'node:https'
import type { AddressInfo, Server, Socket } from 'node:net'
import { pipeline } from 'node:stream/promises'
import { onTestFinished } from 'vitest'

const BLOCK_BYTES = 65_536

export interface ServedImage {
  readonly origin: string
  readonly uri: URL
  readonly port: number
  /** Whoever is connected now. */
  readonly connections: () => number
  /** Every connection that there was. */
  readonly accepted: () => number
}

/** Serves `/image.bin` by HTTP, or HTTPS where `tls` is given; the server ends with the test. */
export async function serveHttp(
  answer: (request: IncomingMessage, response: ServerResponse) => unknown,
  tls?: ServerOptions,
): Promise<ServedImage> {
  const listener = (request: IncomingMessage, response: ServerResponse): void =>
    void answer(request, response)
  const server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener)
  const { port, ...counts } = await listen(server)
  const origin = `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`
  return { origin, uri: new URL('/image.bin', origin), port, ...counts }
}

/** Listens on a free port of loopback until the test ends. */
export async function listen(server: Server) {
  const sockets = new Set<Socket>()
  let accepted = 0
  server.on('connection', (socket: Socket) => {
    accepted++
    sockets.add(socket)
    socket.on('error', () => {}) // clients that leave are what is tested
    socket.once('close', () => sockets.delete(socket))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return { port, connections: () => sockets.size, accepted: () => accepted }
}

/** Sends an image block by block, as fast as the client takes it; `sent` is told how much has gone. */
export async function sendImage(
  response: ServerResponse,
  image: Uint8Array,
  sent: (bytes: number) => void = () => {},
): Promise<void> {
  const blocks = function* (): Iterable<Uint8Array> {
    for (let at = 0; at < image.byteLength; at += BLOCK_BYTES) {
      const block = image.subarray(at, at + BLOCK_BYTES)
      sent(block.byteLength)
      yield block
    }
  }
  await pipeline(blocks, response).catch(() => {}) // clients that leave are what is tested
}

/** Whose credentials a request holds, Basic. */
export function basicUserOf({ headers }: IncomingMessage): string | undefined {
  const encoded = headers.authorization?.replace(/^Basic /, '')
  return encoded === undefined ? undefined : Buffer.from(encoded, 'base64').toString()
}
