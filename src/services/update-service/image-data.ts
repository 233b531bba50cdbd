import type { FastifyReply, FastifyRequest } from 'fastify'
import { Readable } from 'node:stream'
import { finished } from 'node:stream/promises'
import { type EndpointHandler, paramsOf, pathOf } from '../../http/context.ts'
import { notFound } from '../../http/errors.ts'
import { matches } from '../../http/etag.ts'
import type { Endpoint } from '../../http/mount.ts'
import { rangeOf } from '../../http/range.ts'
import type { ImageStore, KeptImage } from '../../image/store.ts'
import { RedfishError } from '../../redfish/errors.ts'
import { message } from '../../redfish/messages/message.ts'
import { uris } from '../../redfish/uris.ts'

/** ImageDataURI: the bytes of an image that is kept, or a part of them; its digest is the ETag. */
export function imageData(images: ImageStore): Endpoint {
  const get: EndpointHandler = async (request, reply, { bmc }) => {
    const image = images.open(bmc, paramsOf(request)['id'] ?? '')
    if (image === undefined) throw notFound(pathOf(request))
    try {
      await answer(request, reply, image)
    } finally {
      await image.spooled.discard()
    }
    return reply
  }
  return {
    path: uris.localImageData(':id'),
    privileges: {},
    methods: { GET: get, HEAD: get },
    produces: 'application/octet-stream',
  }
}

/** Resolves when the answer has been sent, or its client has gone. */
async function answer(
  { headers, method }: FastifyRequest,
  reply: FastifyReply,
  { spooled, sizeBytes, sha256 }: KeptImage,
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
  const body = Readable.from(spooled.read(start, end), { objectMode: false })
  void reply.send(body)
  // Of bytes that cannot be read Fastify tells; a client that went away needs to hear nothing.
  await finished(body).catch(() => {})
}
