import { type EndpointHandler, paramsOf, pathOf } from '../../http/context.ts'
import { notFound } from '../../http/errors.ts'
import type { Endpoint } from '../../http/mount.ts'
import { sendBytes } from '../../http/stored-bytes.ts'
import type { ImageStore } from '../../image/store.ts'
import { uris } from '../../redfish/uris.ts'

/** ImageDataURI: the bytes of an image that is kept, or a part of them; its digest is the ETag. */
export function imageData(images: ImageStore): Endpoint {
  const get: EndpointHandler = async (request, reply, { bmc }) => {
    const image = images.open(bmc, paramsOf(request)['id'] ?? '')
    if (image === undefined) throw notFound(pathOf(request))
    try {
      const { spooled } = image
      await sendBytes(request, reply, { ...image, read: (start, end) => spooled.read(start, end) })
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
