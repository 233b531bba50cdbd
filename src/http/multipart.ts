import { Busboy, type BusboyInstance } from '@fastify/busboy'
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import type { Readable } from 'node:stream'

/** One part of a multipart/form-data body (RFC 7578), in the order of arrival. */
export interface Part {
  readonly name: string
  readonly fileName: string | undefined
  /** Must be read to its end or destroyed before the next part comes. */
  readonly body: Readable
}

/** The body is not what its Content-Type says, or it ended early. */
export class MultipartError extends Error {}

/**
 * Reads a body part by part, with backpressure down to the socket. Leaving the loop early leaves the rest of the body
 * unread and the socket usable. Throws a MultipartError.
 */
export async function* readParts(request: IncomingMessage): AsyncGenerator<Part> {
  const parser = createParser(request)
  const arrived: Part[] = []
  let wake = (): void => {}
  let ended = false
  let failure: Error | undefined
  const stop = new AbortController()
  const settle = (error?: Error): void => {
    ended = true
    failure ??= error
    wake()
  }
  parser.on('file', (name, body, fileName) => {
    // The reader of the part learns of a failure by reading; nobody else may end the process with it.
    body.on('error', () => {})
    arrived.push({ name, fileName, body })
    wake()
  })
  parser.on('finish', () => settle())
  parser.on('error', (error) => settle(error instanceof Error ? error : new Error(String(error))))
  const pumped = pump(request, parser, stop.signal).catch((error: unknown) => {
    for (const part of arrived) part.body.destroy()
    settle(error instanceof Error ? error : new Error(String(error)))
  })
  try {
    for (;;) {
      const part = arrived[0]
      if (part !== undefined) {
        yield part
        arrived.shift()
        continue
      }
      if (failure) throw new MultipartError('broken multipart body', { cause: failure })
      if (ended) return
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
  } finally {
    stop.abort()
    await pumped
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
    throw new MultipartError('not a multipart body', { cause: error })
  }
}

/** By hand, because a pipe that breaks would destroy the request and with it the socket that the answer needs. */
async function pump(request: IncomingMessage, parser: BusboyInstance, signal: AbortSignal): Promise<void> {
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    if (signal.aborted) return
    if (!parser.write(chunk)) {
      try {
        await once(parser, 'drain', { signal })
      } catch (error) {
        if (signal.aborted) return
        throw error
      }
    }
  }
  parser.end()
}
