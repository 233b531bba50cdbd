import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { Worker } from 'node:worker_threads'
import { describe, expect, onTestFinished, test } from 'vitest'
import { VirtualClock } from '../../src/lib/clock.ts'
import { createNetwork } from '../../src/transfer/network.ts'
import { serveHttp } from '../support/image-server.ts'

/** Listens, and never takes a connection: when the few places in its queue are taken, no other is answered. */
const DEAF = `
  const { parentPort, workerData } = require('node:worker_threads')
  const server = require('node:net').createServer()
  server.listen({ host: '127.0.0.2', port: workerData, backlog: 1 }, () => {
    parentPort.postMessage(server.address().port)
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
  })`

async function deafServer(port = 0): Promise<number> {
  const worker = new Worker(DEAF, { eval: true, workerData: port })
  onTestFinished(async () => void (await worker.terminate()))
  const [listening] = (await once(worker, 'message')) as [number]
  const waiting: Socket[] = Array.from({ length: 8 }, () =>
    connect(listening, '127.0.0.2').on('error', () => {}),
  )
  onTestFinished(() => waiting.forEach((socket) => socket.destroy()))
  await once(waiting[0] ?? worker, 'connect')
  return listening
}

/** The sockets of this process, those that are not connected yet included. */
function openSockets(): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length
}

function networkOf(addresses: readonly string[]) {
  const clock = new VirtualClock()
  return { clock, network: createNetwork({ clock, policy: () => true, lookup: async () => addresses }) }
}

const never = new AbortController().signal

describe('a connection', () => {
  test('that is not answered is given up after ten seconds', async () => {
    const { clock, network } = networkOf(['127.0.0.2'])
    const port = await deafServer()
    const before = openSockets()
    const dialled = network.dial({ host: 'images.example', port, signal: never })
    await clock.advance(9_999)
    expect(openSockets()).toBe(before + 1)
    await clock.advance(1)
    expect(await dialled).toEqual({ ok: false, problem: { kind: 'timeout' } })
    await expect.poll(openSockets).toBe(before)
  })

  test('that is not answered is followed by one to the next address', async () => {
    const server = await serveHttp(() => {})
    const { clock, network } = networkOf(['127.0.0.2', '127.0.0.1'])
    const port = await deafServer(server.port)
    const dialled = network.dial({ host: 'images.example', port, signal: never })
    await clock.advance(10_000)
    const result = await dialled
    expect(result.ok && result.value.remoteAddress).toBe('127.0.0.1')
    if (result.ok) result.value.destroy()
  })

  test('that is not answered is cancelled at once', async () => {
    const { network } = networkOf(['127.0.0.2'])
    const port = await deafServer()
    const before = openSockets()
    const cancel = new AbortController()
    const dialled = network.dial({ host: 'images.example', port, signal: cancel.signal })
    await expect.poll(openSockets).toBe(before + 1)
    cancel.abort(new Error('enough'))
    await expect(dialled).rejects.toThrow('enough')
    await expect.poll(openSockets).toBe(before)
  })
})

test('a name that has no address is not resolved, and one whose addresses are all refused says which', async () => {
  const clock = new VirtualClock()
  const lookup = async () => ['127.0.0.1', '127.0.0.2']
  const refusing = createNetwork({ clock, policy: () => false, lookup })
  expect(await refusing.addressesOf('images.example', never)).toEqual({
    ok: false,
    problem: { kind: 'address-refused', address: '127.0.0.1' },
  })
  const { network } = networkOf([])
  expect(await network.addressesOf('images.example', never)).toEqual({
    ok: false,
    problem: { kind: 'name-not-resolved', host: 'images.example' },
  })
})

test('an address is judged as it is, in brackets or not, and never looked up', async () => {
  const clock = new VirtualClock()
  const lookup = () => Promise.reject(new Error('looked up'))
  const network = createNetwork({ clock, policy: (address) => address !== '::2', lookup })
  for (const host of ['::1', '[::1]', '127.0.0.1']) {
    expect(await network.addressesOf(host, never)).toEqual({
      ok: true,
      value: [host.replaceAll(/[[\]]/g, '')],
    })
  }
  expect(await network.addressesOf('[::2]', never)).toMatchObject({ ok: false, problem: { address: '::2' } })
})
