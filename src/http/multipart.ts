import { Busboy, type BusboyInstance } from '@fastify/busboy'
import type { IncomingMessage } from 'node:http'
import type { Readable } from 'node:stream'
import { BodyError, type BodyLimits, pump } from './pump.ts'

/** One part of a multipart/form-data body (RFC 7578), in the order of arrival. */
export interface Part {
  readonly name: string
  readonly fileName: string | undefined
  /** Must be read to its end or destroyed before the next part comes. */
  readonly body: Readable
}

/**
 * Reads a body part by part, with backpressure down to the socket. Leaving the loop early leaves the rest of the body
 * unread and the socket usable. Throws a BodyError.
 */
export async function* readParts(request: IncomingMessage, limits: BodyLimits): AsyncGenerator<Part> {
  const parser = createParser(request)
  const arrived: Part[] = []
  let wake = (): void => {}
  let ended = false
  let failure: BodyError | undefined
  const settle = (error?: BodyError): void => {
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
  parser.on('error', (error) => settle(new BodyError('malformed', { cause: error })))
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
    throw new BodyError('malformed', { cause: error })
  }
}
