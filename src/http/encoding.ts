import type { FastifyReply, FastifyRequest } from 'fastify'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { compressedEtag, matches, names } from './etag.ts'

/** Below, compression gains less than a packet. */
const MIN_BYTES = 1_024
const compress = promisify(gzip)

/** Compressed once, and kept for as long as the body itself. */
const compressed = new WeakMap<Buffer, Buffer>()

/** What a GET answers, as it is before it is coded; its headers say `Vary: Accept-Encoding`. */
export interface Sendable {
  readonly body: Buffer
  readonly headers: Readonly<Record<string, string>>
  readonly etag?: string
}

/** Answers 304 to whoever has it, else the body, with gzip where the client prefers that (RFC 9110 §12.5.3, §13.1.2). */
export function sendCoded(
  request: FastifyRequest,
  reply: FastifyReply,
  { body, headers, etag }: Sendable,
): FastifyReply | Promise<FastifyReply> {
  const { 'if-none-match': seen, 'accept-encoding': codings } = request.headers
  const isCoded = codings !== undefined && body.length >= MIN_BYTES && prefersGzip(codings)
  void reply.headers(headers)
  if (etag !== undefined && isCoded) void reply.header('ETag', compressedEtag(etag))
  if (etag !== undefined && seen !== undefined && matches(seen, etag)) {
    // It may have the other coding, which is as good.
    if (isCoded && !names(seen, compressedEtag(etag))) void reply.header('ETag', etag)
    return reply.code(304).send()
  }
  if (!isCoded) return reply.send(body)
  void reply.header('Content-Encoding', 'gzip')
  const known = compressed.get(body)
  return known ? reply.send(known) : compress(body).then((coded) => reply.send(keep(body, coded)))
}

/** Whether an Accept-Encoding header puts gzip before the body as it is; of what it does not name, it says nothing. */
function prefersGzip(header: string): boolean {
  const weights = new Map(header.split(',').map(weightOf))
  const gzipped = weights.get('gzip') ?? weights.get('x-gzip') ?? weights.get('*') ?? 0
  return gzipped > 0 && gzipped >= (weights.get('identity') ?? 0)
}

function weightOf(coding: string): readonly [name: string, weight: number] {
  const [name = '', ...parameters] = coding.split(';').map((part) => part.trim().toLowerCase())
  const weight = parameters.find((one) => one.startsWith('q='))?.slice(2) ?? '1'
  return [name, /^(0(\.\d{0,3})?|1(\.0{0,3})?)$/.test(weight) ? Number(weight) : 0]
}

function keep(body: Buffer, coded: Buffer): Buffer {
  compressed.set(body, coded)
  return coded
}
