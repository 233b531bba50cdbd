import type { Socket } from 'node:net'
import type { Bmc } from '../bmc/bmc.ts'

/** The open connections, and whose they are: what a BMC's outage or end cuts. */
export class Connections {
  readonly #open = new Map<Bmc | undefined, Set<Socket>>()
  readonly #owners = new WeakMap<Socket, Bmc>()
  /** Whom those were last asked for that are nobody's by themselves. */
  readonly #claimed = new WeakMap<Socket, Bmc>()
  /** The TCP connections beneath those of TLS. */
  readonly #carriers = new WeakMap<Socket, Socket>()
  /** Those of TLS, by what is beneath them. */
  readonly #secured = new WeakMap<Socket, Socket>()

  /** A connection that was accepted; without a BMC, its requests say for whom. */
  add(socket: Socket, bmc: Bmc | undefined): void {
    if (bmc !== undefined) this.#owners.set(socket, bmc)
    this.#put(socket, bmc)
    socket.once('close', () => this.#drop(socket))
  }

  /** TLS is spoken over a connection now. */
  secure(secured: Socket, carrier: Socket): void {
    this.#carriers.set(secured, carrier)
    this.#secured.set(carrier, secured)
  }

  /** Whose a request's connection is by itself. */
  of(socket: Socket): Bmc | undefined {
    return this.#owners.get(this.#carrierOf(socket))
  }

  /** A connection that is nobody's by itself counts as of whom it is asked for. */
  claim(socket: Socket, bmc: Bmc): void {
    const carrier = this.#carrierOf(socket)
    if (this.#owners.has(carrier) || this.#claimed.get(carrier) === bmc || !this.#drop(carrier)) return
    this.#claimed.set(carrier, bmc)
    this.#put(carrier, bmc)
  }

  /** Ends one as a machine does that is not there. */
  reset(socket: Socket): void {
    const carrier = this.#carrierOf(socket)
    if (this.#setOf(carrier)?.has(carrier) === true) reset(carrier, this.#secured.get(carrier))
  }

  /** Resets every connection of a BMC. */
  cut(bmc: Bmc): void {
    for (const socket of this.#open.get(bmc) ?? []) reset(socket, this.#secured.get(socket))
  }

  cutAll(): void {
    for (const sockets of this.#open.values()) for (const socket of sockets) socket.destroy()
  }

  #put(socket: Socket, bmc: Bmc | undefined): void {
    const sockets = this.#open.get(bmc) ?? new Set()
    this.#open.set(bmc, sockets.add(socket))
  }

  /** Whether it was there. */
  #drop(socket: Socket): boolean {
    const sockets = this.#setOf(socket)
    const isKnown = sockets?.delete(socket) === true
    if (sockets?.size === 0) this.#open.delete(this.#holderOf(socket))
    return isKnown
  }

  #setOf(socket: Socket): Set<Socket> | undefined {
    return this.#open.get(this.#holderOf(socket))
  }

  #holderOf(socket: Socket): Bmc | undefined {
    return this.#owners.get(socket) ?? this.#claimed.get(socket)
  }

  #carrierOf(socket: Socket): Socket {
    return this.#carriers.get(socket) ?? socket
  }
}

/**
 * Ends a connection as a machine does that is not there. At once: Node lets go of a connection that it cannot reset any
 * more without closing it, and it cannot while it says goodbye, which is what it would begin with. Over TLS it is
 * the secured one that says it: what is beneath knows nothing of that.
 */
export function reset(socket: Socket, secured: Socket = socket): void {
  if (socket.writableEnded || secured.writableEnded) return void socket.destroy()
  socket.destroySoon = () => socket.destroy()
  socket.resetAndDestroy()
}
