import { randomBytes } from 'node:crypto'
import { Duplex } from 'node:stream'
import type { FastifyRequest } from 'fastify'
import type { Bmc } from '../bmc/bmc.ts'
import type { Actor } from '../bmc/actor.ts'

/** Whom a request from inside the process stands for, and which BMC it is for. */
export interface Pass {
  readonly bmc: Bmc
  readonly maker: Actor
}

/** The header that carries a pass. */
export const PASS_HEADER = 'x-redflash-pass'
const PASS_BYTES = 32

/**
 * Passes of requests that the service sends to itself in the name of a user. Each is random, known to nobody outside,
 * and good for one request, which has come over no socket: one that was stolen even so opens nothing.
 */
export class Passes {
  readonly #issued = new Map<string, Pass>()

  issue(pass: Pass): string {
    const secret = randomBytes(PASS_BYTES).toString('hex')
    this.#issued.set(secret, pass)
    return secret
  }

  /** The pass of a request, which is used up by it. */
  redeem({ headers, raw }: FastifyRequest): Pass | undefined {
    const secret = headers[PASS_HEADER]
    if (typeof secret !== 'string' || raw.socket instanceof Duplex) return undefined
    const pass = this.#issued.get(secret)
    this.#issued.delete(secret)
    return pass
  }
}
