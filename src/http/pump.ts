import type { IncomingMessage } from 'node:http'
import type { Clock } from '../lib/clock.ts'
import type { Place } from '../lib/turns.ts'

export interface BodyLimits {
  readonly clock: Clock
  /** A client that is waited for and sends nothing for this long is given up. */
  readonly stallMs: number
  /** The whole body, whatever its parts are. */
  readonly maxBodyBytes: number
  /** The request's place among those that may send, which others have while the client is silent. */
  readonly place?: Pick<Place, 'leave'>
}

/** A client that is silent for so long lets others go first. */
const QUIET_MS = 1_000

/** A body is not what its Content-Type says, it ended early, or it does not end. */
export class BodyError extends Error {
  readonly kind: 'malformed' | 'stalled' | 'too-large'

  constructor(kind: BodyError['kind'], options?: ErrorOptions) {
    super(`${kind} body`, options)
    this.kind = kind
  }
}

/** Where a body goes: a parser, or a stream that somebody reads. */
type Sink = Pick<NodeJS.WritableStream, 'write' | 'end' | 'on' | 'off'>

/**
 * By hand, because a pipe that breaks would destroy the request and with it the socket that the answer needs, and an
 * iterator cannot be left while the client is silent. The returned function lets go of the request.
 */
export function pump(
  request: IncomingMessage,
  sink: Sink,
  { clock, stallMs, maxBodyBytes, place }: BodyLimits,
  fail: (error: BodyError) => void,
): () => void {
  let sizeBytes = 0
  let cancelWatch = (): void => {}
  const watch = (): void => {
    const quietMs = Math.min(QUIET_MS, stallMs)
    cancelWatch = clock.schedule(quietMs, () => {
      place?.leave()
      cancelWatch = clock.schedule(stallMs - quietMs, () => give('stalled'))
    })
  }
  const stop = (): void => {
    cancelWatch()
    sink.off('drain', more)
    request.off('data', take).off('end', end).off('error', broken).off('close', broken).pause()
  }
  const give = (kind: BodyError['kind'], cause?: unknown): void => {
    stop()
    fail(new BodyError(kind, { cause }))
  }
  const take = (chunk: Uint8Array): void => {
    cancelWatch()
    sizeBytes += chunk.byteLength
    if (sizeBytes > maxBodyBytes) return give('too-large')
    try {
      if (sink.write(chunk)) watch()
      else request.pause()
    } catch (error) {
      give('malformed', error)
    }
  }
  const more = (): void => {
    watch()
    request.resume()
  }
  const end = (): void => {
    stop()
    sink.end()
  }
  const broken = (error?: Error): void => give('malformed', error)
  watch()
  sink.on('drain', more)
  request.on('data', take).on('end', end).on('error', broken).on('close', broken)
  if (request.destroyed) broken()
  return stop
}
