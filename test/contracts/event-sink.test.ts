import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { EventSink } from '../../src/events/event-sink.ts'
import { createHttpSink } from '../../src/events/http-sink.ts'
import { VirtualClock } from '../../src/lib/clock.ts'
import { recordingSink } from '../support/events.ts'

type Behaviour = 'takes' | 'refuses' | 'hangs'

/** A sink whose receiver behaves as it is told. */
type StartSink = (behaviour: Behaviour) => Promise<{ readonly sink: EventSink; readonly destination: string }>

async function startHttp(behaviour: Behaviour) {
  const server = createServer((request, response: ServerResponse) => {
    request.resume()
    if (behaviour !== 'hangs') response.writeHead(behaviour === 'takes' ? 204 : 500).end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const sink = createHttpSink(new VirtualClock())
  onTestFinished(async () => {
    await sink.close()
    server.closeAllConnections()
    server.close()
  })
  return { sink, destination: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` }
}

const startRecording: StartSink = async (behaviour) => {
  const { sink } = recordingSink(() =>
    behaviour === 'hangs' ? new Promise(() => {}) : behaviour === 'takes',
  )
  return { sink, destination: 'http://127.0.0.1:9/' }
}

describe.each<[string, StartSink]>([
  ['http', startHttp],
  ['recording', startRecording],
])('the %s sink', (_name, start) => {
  const delivery = (destination: string, signal = new AbortController().signal) => ({
    destination,
    headers: {},
    body: '{}',
    verifyCertificate: true,
    signal,
  })

  test.each([
    ['takes', true],
    ['refuses', false],
  ] as const)('tells that a receiver %s: %s', async (behaviour, expected) => {
    const { sink, destination } = await start(behaviour)
    expect(await sink.deliver(delivery(destination))).toBe(expected)
    expect(await sink.deliver(delivery(destination))).toBe(expected)
  })

  test('rejects with the reason of its signal, whether the receiver hangs or was never asked', async () => {
    const { sink, destination } = await start('hangs')
    const abort = new AbortController()
    const delivered = sink.deliver(delivery(destination, abort.signal))
    abort.abort(new Error('enough'))
    await expect(delivered).rejects.toThrow('enough')
    await expect(sink.deliver(delivery(destination, abort.signal))).rejects.toThrow('enough')
  })
})

test('the http sink tells of nobody there that nobody took it', async () => {
  const { sink, destination } = await startHttp('takes')
  const nobody = createServer().listen(0, '127.0.0.1')
  await once(nobody, 'listening')
  const { port } = nobody.address() as AddressInfo
  nobody.close()
  await once(nobody, 'close')
  const signal = new AbortController().signal
  const rest = { headers: {}, body: '{}', verifyCertificate: true, signal }
  expect(await sink.deliver({ ...rest, destination: `http://127.0.0.1:${port}/` })).toBe(false)
  expect(await sink.deliver({ ...rest, destination })).toBe(true)
})
