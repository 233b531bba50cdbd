import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { onTestFinished } from 'vitest'

/** A packet as it came: its opcode, the two bytes after it as a number, and all of it. */
export interface Received {
  readonly opcode: number
  readonly number: number
  readonly bytes: Buffer
  readonly port: number
  /** The words of a request. */
  readonly words: readonly string[]
}

/** The server's side of TFTP, played packet by packet: whatever can go wrong is done by the test. It ends with it. */
export async function startTftpPeer() {
  const [listener, transfer, stranger] = [await bound(), await bound(), await bound()]
  let client: RemoteInfo | undefined
  const waiting: { readonly on: Socket; readonly received: Received }[] = []
  let wake = (): void => {}
  for (const socket of [listener, transfer, stranger]) {
    socket.on('message', (bytes, from) => {
      client ??= from
      const words = bytes.subarray(2).toString('latin1').split('\0')
      const received = { opcode: bytes[1] ?? 0, number: bytes.readUInt16BE(2), bytes, port: from.port, words }
      waiting.push({ on: socket, received })
      wake()
    })
  }
  const heard = async (on: Socket): Promise<Received> => {
    for (;;) {
      const index = waiting.findIndex((one) => one.on === on)
      const [found] = index === -1 ? [] : waiting.splice(index, 1)
      if (found !== undefined) return found.received
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
  }
  const sending =
    (socket: Socket) =>
    (packet: Buffer): void => {
      if (client === undefined) throw new Error('nobody has asked yet')
      socket.send(packet, client.port, client.address)
    }
  return {
    uri: new URL(`tftp://127.0.0.1:${listener.address().port}/image.bin`),
    /** What comes to the well-known port. */
    request: () => heard(listener),
    /** What comes to the port of the transfer. */
    next: () => heard(transfer),
    send: sending(transfer),
    /** From a port that has nothing to do with it, and what comes back there. */
    sendStrange: sending(stranger),
    strange: () => heard(stranger),
    /** How many packets nobody has looked at: of the transfer, and before it. */
    unseen: () => waiting.filter(({ on }) => on === transfer).length,
    requests: () => waiting.filter(({ on }) => on === listener).length,
  }
}

export type TftpPeer = Awaited<ReturnType<typeof startTftpPeer>>

export interface TftpService {
  /** Ends by an error, or says nothing more, after so many bytes. */
  readonly cutsAfter?: number
  readonly stallsAfter?: number
  /** Grants smaller blocks than are asked for. */
  readonly blockBytes?: number
  readonly sent?: (bytes: number) => void
}

/** Serves one image as a good server does, with all options. */
export async function serveTftp(peer: TftpPeer, image: Uint8Array, odd: TftpService = {}): Promise<void> {
  const { cutsAfter = Infinity, stallsAfter = Infinity, sent } = odd
  const { words: asked } = await peer.request()
  const option = (name: string): number => Number(asked[asked.indexOf(name) + 1])
  const [blockBytes, window] = [odd.blockBytes ?? option('blksize'), option('windowsize')]
  peer.send(optionAcknowledgement({ tsize: image.byteLength, blksize: blockBytes, windowsize: window }))
  const blocks = Math.floor(image.byteLength / blockBytes) + 1
  let taken = 0
  await peer.next()
  while (taken < blocks) {
    const last = Math.min(taken + window, blocks)
    for (let block = taken + 1; block <= last; block++) {
      const start = (block - 1) * blockBytes
      if (start >= cutsAfter) return peer.send(tftpError(0))
      if (start >= stallsAfter) return undefined
      const bytes = image.subarray(start, start + blockBytes)
      sent?.(bytes.byteLength)
      peer.send(data(block, bytes))
    }
    const { opcode, number } = await peer.next()
    if (opcode !== ACK) return undefined
    taken += (number - (taken % 65_536) + 65_536) % 65_536
  }
}

export const ACK = 4
export const ERROR = 5

export function data(block: number, bytes: Uint8Array): Buffer {
  return Buffer.concat([numbers(3, block % 65_536), bytes])
}

export function optionAcknowledgement(options: Readonly<Record<string, number>>): Buffer {
  const pairs = Object.entries(options).map(([name, value]) => `${name}\0${value}\0`)
  return Buffer.concat([numbers(6), Buffer.from(pairs.join(''))])
}

export function tftpError(code: number, text = ''): Buffer {
  return Buffer.concat([numbers(5, code), Buffer.from(`${text}\0`)])
}

function numbers(...values: readonly number[]): Buffer {
  return Buffer.from(values.flatMap((number) => [number >> 8, number & 0xff]))
}

async function bound(): Promise<Socket> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1')
  await once(socket, 'listening')
  onTestFinished(async () => {
    socket.close()
    await once(socket, 'close')
  })
  return socket
}
