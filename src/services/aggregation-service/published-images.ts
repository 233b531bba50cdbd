import type { Published } from '../../console/published.ts'
import { type EndpointHandler, paramsOf, pathOf } from '../../http/context.ts'
import { notFound } from '../../http/errors.ts'
import type { Endpoint } from '../../http/mount.ts'
import { sendBytes } from '../../http/stored-bytes.ts'
import { open } from '../../redfish/resource-table.ts'
import { uris } from '../../redfish/uris.ts'

/** The images that devices fetch themselves: whoever knows the URI has been given it. */
export function publishedImages(published: Published): Endpoint {
  const get: EndpointHandler = async (request, reply) => {
    const image = published.find(paramsOf(request)['token'] ?? '')
    if (image === undefined) throw notFound(pathOf(request))
    await sendBytes(request, reply, image)
    return reply
  }
  return {
    path: uris.publishedImage(':token'),
    privileges: open,
    methods: { GET: get, HEAD: get },
    produces: 'application/octet-stream',
  }
}
