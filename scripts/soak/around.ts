import { once } from 'node:events'
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { componentOrders } from '../../src/cli/image-order.ts'
import { buildBundle } from '../../src/image/build/bundle.ts'
import type { Surroundings } from './activities.ts'

const IMAGE_BYTES = 256 * 2 ** 10
const BOUNDARY = 'redflash-soak-4b7d'
/** Events are told soon or never. */
const MAX_HEARD = 10_000

/** The machines around a fleet: one that has an image, one that hears of events; and chance. */
export async function startAround(seed: number): Promise<Surroundings & AsyncDisposable> {
  const image = await buffer(
    buildBundle(componentOrders([{ name: 'NIC-1', version: '99.0' }], IMAGE_BYTES, 'rackmount')),
  )
  const heard = new Set<string>()
  const images = await listen((_request, response) => void response.end(image))
  const hear = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = (await buffer(request)).toString()
    for (const [told] of body.matchAll(/soak-[\d.e-]+/g)) heard.add(told)
    for (const oldest of heard) if (heard.size > MAX_HEARD) heard.delete(oldest)
    response.writeHead(204).end()
  }
  // A subscriber that is reset in the middle hears the event again.
  const receiver = await listen((request, response) => void hear(request, response).catch(() => {}))
  return {
    push: { body: multipart(image), type: `multipart/form-data; boundary=${BOUNDARY}` },
    imageUri: `${images.url}/image.tar`,
    receiver: { url: `${receiver.url}/events`, isTold: (text) => heard.delete(text) },
    random: generator(seed),
    [Symbol.asyncDispose]: async () => {
      await Promise.all([images.close(), receiver.close()])
    },
  }
}

async function listen(listener: RequestListener) {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo // it listens on TCP
  return {
    url: `http://127.0.0.1:${port}`,
    close: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

function multipart(image: Buffer): Buffer {
  const part = (disposition: string, type: string): string =>
    `--${BOUNDARY}\r\nContent-Disposition: form-data; ${disposition}\r\nContent-Type: ${type}\r\n\r\n`
  return Buffer.concat([
    Buffer.from(`${part('name="UpdateParameters"', 'application/json')}{"ForceUpdate":true}\r\n`),
    Buffer.from(part('name="UpdateFile"; filename="image.tar"', 'application/octet-stream')),
    image,
    Buffer.from(`\r\n--${BOUNDARY}--\r\n`),
  ])
}

/** Numbers from 0 to 1 that follow from a seed (a linear congruential generator modulo 2³²). */
function generator(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}
