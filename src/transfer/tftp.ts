import { createSocket, type Socket } from 'node:dgram'
import { isIPv6 } from 'node:net'
import type { Clock } from '../lib/clock.ts'
import { FetchError, type Fetcher, type FetchProblem, type TransferOptions } from './fetcher.ts'
import { decoded, fileNameOf } from './file-name.ts'
import { interrupted, openSource } from './source.ts'
import {
  acknowledgement,
  BLOCK_NUMBERS,
  errorCodes,
  errorPacket,
  parsePacket,
  PLAIN_BLOCK_BYTES,
  readRequest,
  type TftpPacket,
  WANTED_BLOCK_BYTES,
  WANTED_WINDOW,
} from './tftp-packets.ts'

const TFTP_PORT = 69
/** What the server has not answered by then is sent again, then after twice that, and so on. */
const RETRANSMIT_MS = 1_000
const MAX_RETRANSMIT_MS = 8_000

/** Fetches by TFTP (RFC 1350, with the options of RFC 2347, 2348, 2349 and 7440). */
export function createTftpFetcher({ clock, network }: TransferOptions): Fetcher {
  return {
    open: async ({ uri, signal }) => {
      // RFC 3617: the slash only separates, and octet is the mode of all images.
      const path = decoded(uri.pathname.slice(1)).replace(/;mode=\w+$/i, '')
      if (path === '' || path.includes('\0')) return { ok: false, problem: { kind: 'missing' } }
      const addresses = await network.addressesOf(uri.hostname, signal)
      if (!addresses.ok) return addresses
      const port = uri.port === '' ? TFTP_PORT : Number(uri.port)
      const download = new Download(clock, { address: addresses.value[0], port }, path)
      return openSource({ signal, close: () => download.close() }, async () => ({
        fileName: fileNameOf(uri).replace(/;mode=\w+$/i, ''),
        sizeBytes: await download.begin(),
        next: () => download.next(),
      }))
    },
  }
}

interface Peer {
  readonly address: string
  readonly port: number
}

/** One file on its way. Blocks are acknowledged as they are taken, so that no more than a window of them is held. */
class Download {
  readonly #clock: Clock
  readonly #server: Peer
  readonly #path: string
  readonly #socket: Socket
  /** The port that the server chose for this transfer. */
  #transferPort: number | undefined
  #blockBytes = PLAIN_BLOCK_BYTES
  #window = 1
  #sizeBytes: number | undefined

  /** Blocks that came in order, all told; not yet taken; since the last acknowledgement. */
  #received = 0
  #waiting: Uint8Array[] = []
  #unacknowledged = 0
  #hasLast = false
  /** A gap is told once, not for every block behind it. */
  #toldGap = false

  #failure: Error | undefined
  #changed = Promise.withResolvers<void>()
  #lastSent: Buffer = Buffer.alloc(0)
  /** There while the server has to send something. */
  #cancelRetransmit: (() => void) | undefined
  #isClosed = false

  constructor(clock: Clock, server: Peer, path: string) {
    this.#clock = clock
    this.#server = server
    this.#path = path
    this.#socket = createSocket(isIPv6(server.address) ? 'udp6' : 'udp4')
    this.#socket.on('message', (bytes, from) => this.#receive(bytes, from))
    this.#socket.on('error', (error) => this.#fail({ kind: 'no-connection', detail: error.message }))
  }

  /** Asks for the file; to its size, where the server says it. */
  async begin(): Promise<number | undefined> {
    this.#send(readRequest(this.#path, true))
    await this.#until(() => this.#transferPort !== undefined)
    return this.#sizeBytes
  }

  async next(): Promise<Uint8Array | undefined> {
    const isServersTurn = this.#cancelRetransmit !== undefined
    if (this.#waiting.length === 0 && !this.#hasLast && !isServersTurn) this.#acknowledge()
    await this.#until(() => this.#waiting.length > 0 || this.#hasLast)
    return this.#waiting.shift()
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#expectNothing()
    this.#failure ??= interrupted('closed')
    this.#changed.resolve()
    const isUnderWay = this.#transferPort !== undefined && !this.#hasLast
    if (!isUnderWay) this.#socket.close()
    else this.#transmit(errorPacket(errorCodes.undefined), this.#transferPort, () => this.#socket.close())
  }

  async #until(isTrue: () => boolean): Promise<void> {
    while (this.#failure === undefined && !isTrue()) {
      this.#changed = Promise.withResolvers()
      await this.#changed.promise
    }
    if (this.#failure !== undefined) throw this.#failure
  }

  #receive(bytes: Buffer, from: Peer): void {
    if (this.#isClosed || this.#hasLast || from.address !== this.#server.address) return
    const packet = parsePacket(bytes)
    if (this.#transferPort !== undefined && from.port !== this.#transferPort) {
      // RFC 1350: somebody else's packet is answered with an error, and disturbs nothing; an error is never answered.
      if (packet?.kind !== 'error') this.#transmit(errorPacket(errorCodes.unknownTransfer), from.port)
      return
    }
    if (packet === undefined) return this.#refuse(errorCodes.illegalOperation, { kind: 'wrong-protocol' })
    if (packet.kind === 'error') return this.#receiveError(packet)
    this.#transferPort ??= from.port
    if (packet.kind === 'options') this.#receiveOptions(packet.options)
    else this.#receiveBlock(packet)
    this.#changed.resolve()
  }

  #receiveError({ code, words }: TftpPacket & { readonly kind: 'error' }): void {
    // RFC 2347: the server wants no options, so it is asked without them.
    const isRefusal = code === errorCodes.optionsRefused && this.#transferPort === undefined
    const plain = readRequest(this.#path, false)
    if (isRefusal && !this.#lastSent.equals(plain)) return this.#send(plain)
    const means = (known: number, meaning: RegExp): boolean =>
      code === known || (code === errorCodes.undefined && meaning.test(words))
    if (means(errorCodes.fileNotFound, /no such file|not found/i)) return this.#fail({ kind: 'missing' })
    const isDenied = means(errorCodes.accessViolation, /permission|denied/i)
    this.#fail({ kind: isDenied ? 'unauthorized' : 'interrupted', detail: `TFTP error ${code}` })
  }

  #receiveOptions(options: ReadonlyMap<string, string>): void {
    if (this.#received > 0) return
    const accepted = (name: string, least: number, plain: number, wanted: number): number => {
      const value = options.has(name) ? Number(options.get(name)) : plain
      return Number.isInteger(value) && value >= least && value <= wanted ? value : NaN
    }
    this.#blockBytes = accepted('blksize', 8, PLAIN_BLOCK_BYTES, WANTED_BLOCK_BYTES)
    this.#window = accepted('windowsize', 1, 1, WANTED_WINDOW)
    if (Number.isNaN(this.#blockBytes + this.#window)) {
      return this.#refuse(errorCodes.optionsRefused, { kind: 'wrong-protocol' })
    }
    const size = options.get('tsize') ?? ''
    this.#sizeBytes = /^\d{1,15}$/.test(size) ? Number(size) : undefined
    this.#acknowledge()
  }

  #receiveBlock({ block, bytes }: TftpPacket & { readonly kind: 'data' }): void {
    const ahead = (block - ((this.#received + 1) % BLOCK_NUMBERS) + BLOCK_NUMBERS) % BLOCK_NUMBERS
    // A block that came before is not acknowledged again, or each of the two would be answered with two, and so on
    // (the sorcerer's apprentice, RFC 1123 4.2.3.1). If the acknowledgement was lost, ours is sent again in time.
    // More than a window is not held for a server that does not wait.
    if (ahead >= this.#window || this.#waiting.length >= this.#window) return
    if (ahead > 0) {
      if (!this.#toldGap) this.#acknowledge()
      this.#toldGap = true
      return
    }
    if (bytes.byteLength > this.#blockBytes) {
      return this.#refuse(errorCodes.illegalOperation, { kind: 'wrong-protocol' })
    }
    this.#received++
    this.#unacknowledged++
    this.#toldGap = false
    this.#hasLast = bytes.byteLength < this.#blockBytes
    if (bytes.byteLength > 0) this.#waiting.push(bytes)
    if (this.#hasLast) this.#acknowledge()
    this.#expectNothing()
    // With a window that is not yet full the server still has to send.
    if (!this.#hasLast && this.#unacknowledged < this.#window) this.#expectAnswer(RETRANSMIT_MS)
  }

  #acknowledge(): void {
    this.#unacknowledged = 0
    this.#send(acknowledgement(this.#received))
  }

  #send(packet: Buffer): void {
    this.#lastSent = packet
    this.#transmit(packet, this.#transferPort)
    this.#expectAnswer(RETRANSMIT_MS)
  }

  #expectAnswer(ms: number): void {
    this.#expectNothing()
    this.#cancelRetransmit = this.#clock.schedule(ms, () => {
      if (this.#received > 0) this.#acknowledge()
      else this.#transmit(this.#lastSent, this.#transferPort)
      this.#toldGap = false
      this.#expectAnswer(Math.min(ms * 2, MAX_RETRANSMIT_MS))
    })
  }

  #expectNothing(): void {
    this.#cancelRetransmit?.()
    this.#cancelRetransmit = undefined
  }

  #transmit(packet: Buffer, port = this.#server.port, done?: () => void): void {
    this.#socket.send(packet, port, this.#server.address, done)
  }

  #refuse(code: number, problem: FetchProblem): void {
    if (this.#transferPort !== undefined) this.#transmit(errorPacket(code), this.#transferPort)
    this.#fail(problem)
  }

  #fail(problem: FetchProblem): void {
    this.#expectNothing()
    this.#failure ??= new FetchError(problem)
    this.#changed.resolve()
  }
}
