import type { FastifyReply, FastifyRequest } from 'fastify'
import type { IncomingMessage } from 'node:http'
import type { Clock } from '../lib/clock.ts'
import { isHeldBack } from './expect-continue.ts'

/** How much of a refused body is swallowed before the answer, so that the client gets to read it. */
const MAX_DRAIN_BYTES = 256 * 2 ** 20
const MAX_DRAIN_MS = 10_000
/** The answer to a client that stopped sending: waiting for the rest would be waiting twice. */
const REQUEST_TIMEOUT = 408
/** Whoever sends nothing for this long is not in the middle of writing. */
const MAX_PAUSE_MS = 1_000

/**
 * Many clients write their whole body before they read: answered early, they hang or see a reset instead of the
 * refusal. So the rest of the body is swallowed first, within limits; past those the connection ends with the answer.
 */
export async function drainBody(request: FastifyRequest, reply: FastifyReply, clock: Clock): Promise<void> {
  const { raw } = request
  const drained = !isHeldBack(raw) && reply.statusCode !== REQUEST_TIMEOUT && (await swallow(raw, clock))
  if (drained) return
  reply.header('Connection', 'close')
  lingerAtEnd(raw, clock)
}

/**
 * A socket that is closed with bytes unread resets the connection, and the answer may be lost with it. So the sending
 * side is closed first, and what the client goes on sending is read for a while.
 */
export function lingerAtEnd(raw: IncomingMessage, clock: Clock): void {
  const { socket } = raw
  // What Node calls after the last answer of a connection.
  socket.destroySoon = () => {
    socket.end()
    const cancel = clock.schedule(MAX_DRAIN_MS, () => socket.destroy())
    socket.once('close', cancel)
    // A request after the last one is not answered.
    raw.once('end', () => socket.destroy()).resume()
  }
}

/** Whether a request has a body of which something has not been read. */
export function isUnread(raw: IncomingMessage): boolean {
  const { 'transfer-encoding': coding, 'content-length': length = 0 } = raw.headers
  const hasBody = coding !== undefined || Number(length) > 0
  return hasBody && !raw.complete && !raw.readableEnded && !raw.destroyed
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
      cancelPause()
      cancelPause = clock.schedule(MAX_PAUSE_MS, late)
      if (bytes > MAX_DRAIN_BYTES) late()
    }
    const cancelLate = clock.schedule(MAX_DRAIN_MS, late)
    let cancelPause = clock.schedule(MAX_PAUSE_MS, late)
    const cancel = (): void => {
      cancelLate()
      cancelPause()
    }
    raw.on('data', count).on('end', ended).on('close', closed).resume()
  })
}
