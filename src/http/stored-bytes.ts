import type { FastifyReply, FastifyRequest } from 'fastify'
import { Readable } from 'node:stream'
import { finished } from 'node:stream/promises'
import { RedfishError } from '../redfish/errors.ts'
import { message } from '../redfish/messages/message.ts'
import { matches } from './etag.ts'
import { rangeOf } from './range.ts'

/** Bytes that are kept, and can be read from anywhere. */
export interface StoredBytes {
  readonly sizeBytes: number
  /** In hexadecimal: their ETag. */
  readonly sha256: string
  readonly read: (start: number, end: number) => AsyncIterable<Uint8Array>
}

/** Answers with bytes, or the part of them that is asked for; resolves when that has been sent, or its client has gone. */
export async function sendBytes(
  { headers, method }: FastifyRequest,
  reply: FastifyReply,
  { read, sizeBytes, sha256 }: StoredBytes,
): Promise<void> {
  const etag = `"${sha256}"`
  void reply.headers({ Allow: 'GET, HEAD', 'Accept-Ranges': 'bytes', ETag: etag })
  if (matches(headers['if-none-match'] ?? '', etag)) return void reply.code(304).send()
  // Of a HEAD there are no parts (RFC 9110 §14.2).
  const range = method === 'GET' ? rangeOf(headers, { sizeBytes, etag }) : undefined
  if (range === 'unsatisfiable') {
    throw new RedfishError(416, message('Base.HeaderInvalid', 'Range'), {
      'Content-Range': `bytes */${sizeBytes}`,
    })
  }
  const { start, end } = range ?? { start: 0, end: sizeBytes }
  void reply
    .code(range === undefined ? 200 : 206)
    .headers({ 'Content-Type': 'application/octet-stream', 'Content-Length': end - start })
  if (range !== undefined) void reply.header('Content-Range', `bytes ${start}-${end - 1}/${sizeBytes}`)
  if (method === 'HEAD') return void reply.send()
  const body = Readable.from(read(start, end), { objectMode: false })
  void reply.send(body)
  // Of bytes that cannot be read Fastify tells; a client that went away needs to hear nothing.
  await finished(body).catch(() => {})
}
