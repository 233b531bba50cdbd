import type { Socket } from 'node:net'
import { createSecureContext, type SecureContext, TLSSocket } from 'node:tls'
import type { Bmc } from '../bmc/bmc.ts'
import { reset } from './connections.ts'
import { Bounded } from '../lib/bounded.ts'
import type { KeyPair } from './certificate.ts'

const MIN_TLS = 'TLSv1.2'
/** A context takes 28 KB, and a third of a millisecond to make. */
const MAX_CONTEXTS = 512

export interface HandshakeOptions {
  /** The certificate that a BMC shows; without a BMC, that of the service. */
  readonly keyPair: (bmc: Bmc | undefined) => Promise<KeyPair>
  /** Whom a client asks for by name (SNI), where names count. */
  readonly named: (name: string) => Bmc | undefined
  /** What is spoken over it (ALPN): HTTP, unless given. */
  readonly protocols?: readonly string[]
  /** TLS is spoken over this connection now. */
  readonly done: (secured: Socket, carrier: Socket) => void
}

/**
 * TLS over connections that were accepted elsewhere, each with the certificate of its BMC. Node's own TLS server has one
 * for all who come without a name; a server for each BMC would cost each some 36 KB.
 */
export class Handshakes {
  readonly #options: HandshakeOptions
  readonly #contexts = new Bounded<KeyPair, SecureContext>(MAX_CONTEXTS)

  constructor(options: HandshakeOptions) {
    this.#options = options
  }

  /** `bmc` is whose certificate is shown to a client that asks for nobody else by name. */
  begin(carrier: Socket, bmc: Bmc | undefined): void {
    this.#contextOf(bmc).then(
      (secureContext) => this.#shake(carrier, secureContext),
      (error: Error) => carrier.destroy(error),
    )
  }

  #shake(carrier: Socket, secureContext: SecureContext): void {
    if (carrier.destroyed) return
    const secured = new TLSSocket(carrier, {
      isServer: true,
      secureContext,
      ALPNProtocols: [...(this.#options.protocols ?? ['http/1.1'])],
      SNICallback: (name, done) => {
        const asked = this.#options.named(name)
        if (asked?.state.outage === 'refuse') return reset(carrier)
        if (asked === undefined) return done(null)
        this.#contextOf(asked).then((context) => done(null, context), done)
      },
    })
    // Whatever is wrong with TLS, also later: there is nobody to speak to. (Node's own TLS server listens to these two.)
    secured.on('_tlsError', () => carrier.destroy())
    secured.once('secure', () => this.#options.done(secured, carrier))
    secured.on('error', () => {})
  }

  async #contextOf(bmc: Bmc | undefined): Promise<SecureContext> {
    const pair = await this.#options.keyPair(bmc)
    const known = this.#contexts.get(pair)
    if (known !== undefined) return known
    const made = createSecureContext({ ...pair, minVersion: MIN_TLS })
    this.#contexts.set(pair, made)
    return made
  }
}
