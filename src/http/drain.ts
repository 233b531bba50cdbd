import type { FastifyReply, FastifyRequest } from 'fastify'
import type { IncomingMessage } from 'node:http'
import type { Clock } from '../lib/clock.ts'
import { isHeldBack } from './expect-continue.ts'

/** How much of a refused body is swallowed before the answer, so that the client gets to read it. */
const MAX_DRAIN_BYTES = 256 * 2 ** 20
const MAX_DRAIN_MS = 10_000

/**
 * Many clients write their whole body before they read: answered early, they hang or see a reset instead of the
 * refusal. So the rest of the body is swallowed first, within limits; past those the connection ends with the answer.
 */
export async function drainBody(request: FastifyRequest, reply: FastifyReply, clock: Clock): Promise<void> {
  const { raw } = request
  if (!hasBody(raw) || raw.complete || raw.readableEnded || raw.destroyed) return
  const drained = !isHeldBack(raw) && (await swallow(raw, clock))
  if (!drained) reply.header('Connection', 'close')
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
}

/** Whether the body came to its end within the limits. */
function swallow(raw: IncomingMessage, clock: Clock): Promise<boolean> {
  return new Promise((resolve) => {
    let bytes = 0
    const stop = (drained: boolean) => () => {
      cancel()
      raw.off('data', count).off('end', ended).off('close', closed)
      raw.pause()
      resolve(drained)
    }
    const [ended, closed, late] = [stop(true), stop(false), stop(false)]
    const count = (chunk: Uint8Array): void => {
      bytes += chunk.byteLength
      if (bytes > MAX_DRAIN_BYTES) late()
    }
    const cancel = clock.schedule(MAX_DRAIN_MS, late)
    raw.on('data', count).on('end', ended).on('close', closed).resume()
  })
}
