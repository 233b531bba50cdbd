import { expect } from 'vitest'
import { succeed } from '../../src/lib/result.ts'
import type { JsonObject } from '../../src/redfish/resource.ts'
import { uris } from '../../src/redfish/uris.ts'
import type { Fetcher, FetchRequest } from '../../src/transfer/fetcher.ts'
import { startEmulator, type TestEmulator, type TestOptions, type TestRequest } from './emulator.ts'

export const SIMPLE_UPDATE = uris.action(uris.updateService, 'UpdateService.SimpleUpdate')

/** Asks the service to fetch an image. */
export function pull({ send }: Pick<TestEmulator, 'send'>, body: JsonObject, request: TestRequest = {}) {
  return send(SIMPLE_UPDATE, { method: 'POST', body, ...request })
}

/** Lets the service begin to fetch an image: the Id of its task. */
export async function beginPull(emulator: TestEmulator, body: JsonObject): Promise<string> {
  const { status, json, text } = await pull(emulator, body)
  if (status !== 202) throw new Error(`not accepted: ${text}`)
  await emulator.clock.advance(0)
  return json['Id'] as string
}

/** An emulator for which this image is everywhere, and what it asked for. */
export async function startFetching(image: Buffer, options: TestOptions = {}) {
  const fetcher = recordingFetcher(image)
  return { ...(await startEmulator({ fetcher, ...options })), asked: fetcher.asked }
}

/** What the service asks for to fulfil a request that it accepts. */
export async function askedFor(emulator: Awaited<ReturnType<typeof startFetching>>, body: JsonObject) {
  await beginPull(emulator, body)
  const request = emulator.asked.at(-1)
  return { href: request?.uri.href, username: request?.username, password: request?.password }
}

function recordingFetcher(image: Buffer): Fetcher & { readonly asked: readonly FetchRequest[] } {
  const asked: FetchRequest[] = []
  const bytes = async function* (): AsyncIterable<Uint8Array> {
    yield image
  }
  return {
    asked,
    open: (request) => {
      asked.push(request)
      return Promise.resolve(succeed({ fileName: 'update.tar', sizeBytes: image.length, body: bytes() }))
    },
  }
}

/** Resolves when the service has come to an image's server, and nobody else has. */
export async function untilConnected(connections: () => number): Promise<void> {
  await expect.poll(connections, { timeout: 10_000, interval: 5 }).toBe(1)
}

/** Waits for the network until the image is here, or will not be; the clock stands still meanwhile. */
export async function untilFetched({ bmc }: TestEmulator, id = '1'): Promise<void> {
  const isFetched = (): boolean => {
    const { messages = [], endTime } = bmc.state.tasks.get(id) ?? {}
    return messages.length > 1 || endTime !== undefined
  }
  await expect.poll(isFetched, { timeout: 10_000, interval: 5 }).toBe(true)
}
