import { Busboy, type BusboyInstance } from '@fastify/busboy'
import type { IncomingMessage } from 'node:http'
import type { Readable } from 'node:stream'
import type { Clock } from '../lib/clock.ts'

/** One part of a multipart/form-data body (RFC 7578), in the order of arrival. */
export interface Part {
  readonly name: string
  readonly fileName: string | undefined
  /** Must be read to its end or destroyed before the next part comes. */
  readonly body: Readable
}

export interface BodyLimits {
  readonly clock: Clock
  /** A client that is waited for and sends nothing for this long is given up. */
  readonly stallMs: number
  /** The whole body, whatever its parts are. */
  readonly maxBodyBytes: number
}

/** The body is not what its Content-Type says, it ended early, or it does not end. */
export class MultipartError extends Error {
  readonly kind: 'malformed' | 'stalled' | 'too-large'

  constructor(kind: MultipartError['kind'], options?: ErrorOptions) {
    super(`${kind} multipart body`, options)
    this.kind = kind
  }
}

/**
 * Reads a body part by part, with backpressure down to the socket. Leaving the loop early leaves the rest of the body
 * unread and the socket usable. Throws a MultipartError.
 */
export async function* readParts(request: IncomingMessage, limits: BodyLimits): AsyncGenerator<Part> {
  const parser = createParser(request)
  const arrived: Part[] = []
  let wake = (): void => {}
  let ended = false
  let failure: MultipartError | undefined
  const settle = (error?: MultipartError): void => {
    ended = true
    failure ??= error
    wake()
  }
  // Without a name in its header a part has none, whatever the parser's types say.
  parser.on('file', (name: string | undefined, body, fileName) => {
    // The reader of the part learns of a failure by reading; nobody else may end the process with it.
    body.on('error', () => {})
    arrived.push({ name: name ?? '', fileName, body })
    wake()
  })
  parser.on('finish', () => settle())
  parser.on('error', (error) => settle(new MultipartError('malformed', { cause: error })))
  const stop = pump(request, parser, limits, (error) => {
    for (const part of arrived) part.body.destroy()
    settle(error)
  })
  try {
    for (;;) {
      const part = arrived[0]
      if (part !== undefined) {
        yield part
        arrived.shift()
        continue
      }
      if (failure) throw failure
      if (ended) return
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
  } finally {
    stop()
    for (const part of arrived) part.body.destroy()
    parser.destroy()
  }
}

/** Every part as a stream, whether or not it has a file name: clients differ in what they give one. */
function createParser(request: IncomingMessage): BusboyInstance {
  const contentType = request.headers['content-type'] ?? ''
  try {
    return new Busboy({
      headers: { ...request.headers, 'content-type': contentType },
      isPartAFile: () => true,
      limits: { parts: 32, headerPairs: 64 },
    })
  } catch (error) {
    throw new MultipartError('malformed', { cause: error })
  }
}

/**
 * By hand, because a pipe that breaks would destroy the request and with it the socket that the answer needs, and an
 * iterator cannot be left while the client is silent. The returned function lets go of the request.
 */
function pump(
  request: IncomingMessage,
  parser: BusboyInstance,
  { clock, stallMs, maxBodyBytes }: BodyLimits,
  fail: (error: MultipartError) => void,
): () => void {
  let sizeBytes = 0
  let cancelWatch = (): void => {}
  const watch = (): void => {
    cancelWatch = clock.schedule(stallMs, () => give('stalled'))
  }
  const stop = (): void => {
    cancelWatch()
    parser.off('drain', more)
    request.off('data', take).off('end', end).off('error', broken).off('close', broken).pause()
  }
  const give = (kind: MultipartError['kind'], cause?: unknown): void => {
    stop()
    fail(new MultipartError(kind, { cause }))
  }
  const take = (chunk: Uint8Array): void => {
    cancelWatch()
    sizeBytes += chunk.byteLength
    if (sizeBytes > maxBodyBytes) return give('too-large')
    try {
      if (parser.write(chunk)) watch()
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
    parser.end()
  }
  const broken = (error?: Error): void => give('malformed', error)
  watch()
  parser.on('drain', more)
  request.on('data', take).on('end', end).on('error', broken).on('close', broken)
  if (request.destroyed) broken()
  return stop
}
