import { randomUUID } from 'node:crypto'
import type { ServerOptions } from 'node:https'
import { pipeline } from 'node:stream/promises'
import type { FlashJob } from '../../src/devices/flasher.ts'
import { serveHttp } from './image-server.ts'

/** A server of a test that devices fetch images from, while they are published. */
export async function startPublisher(tls?: ServerOptions) {
  const images = new Map<string, FlashJob['package']>()
  const asked: string[] = []
  const server = await serveHttp(async ({ url = '' }, response) => {
    asked.push(url)
    const image = images.get(url)
    if (image === undefined) return response.writeHead(404).end()
    response.writeHead(200, { 'content-length': image.sizeBytes })
    // Whoever hangs up is what is tested.
    return pipeline(image.read(), response).catch(() => {})
  }, tls)
  return {
    ...server,
    /** What was asked for, in its order. */
    asked,
    /** How many images can be fetched now. */
    published: () => images.size,
    publish: async (image: FlashJob['package']) => {
      const path = `/${randomUUID()}`
      images.set(path, image)
      return { uri: `${server.origin}${path}`, done: () => void images.delete(path) }
    },
  }
}
