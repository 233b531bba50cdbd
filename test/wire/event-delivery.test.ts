import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import { makeCertificate } from '../../src/http/certificate.ts'
import { systemClock, VirtualClock } from '../../src/lib/clock.ts'
import type { JsonObject } from '../../src/redfish/resource.ts'
import { uris } from '../../src/redfish/uris.ts'
import { basic } from '../support/emulator.ts'
import { requestBy, submitTest, told, type ToldEvent } from '../support/events.ts'
import { bundleOf } from '../support/images.ts'
import { multipartBody, pushParts } from '../support/multipart.ts'
import { lastTask, startWire, type Wire } from '../support/wire.ts'

const image = await bundleOf({ 'NIC-1': '22.42.1' })

interface Received {
  readonly headers: IncomingMessage['headers']
  readonly event: ToldEvent
}

/** A receiver of events on a port of its own; `answer` decides what it does with each. */
async function startReceiver(
  answer: (response: ServerResponse, received: Received) => void = (response) =>
    void response.writeHead(204).end(),
  tls?: { readonly key: string; readonly cert: string },
) {
  const received: Received[] = []
  const listener = (message: IncomingMessage, response: ServerResponse): void => {
    let body = ''
    message.setEncoding('utf8').on('data', (chunk: string) => (body += chunk))
    message.on('end', () => {
      const one = { headers: message.headers, event: JSON.parse(body) as ToldEvent }
      received.push(one)
      answer(response, one)
    })
  }
  const server = tls ? createHttpsServer(tls, listener) : createServer(listener)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const close = (): void => {
    server.close()
    server.closeAllConnections()
  }
  onTestFinished(close)
  const { port } = server.address() as AddressInfo
  return {
    received,
    close,
    url: `http${tls ? 's' : ''}://127.0.0.1:${port}/events?of=bmc`,
    names: () => received.flatMap(({ event }) => event.Events.map(({ MessageId }) => MessageId)),
    stories: () => received.flatMap(({ event }) => event.Events.map(told)),
  }
}

async function subscribe(wire: Wire, Destination: string, members: JsonObject = {}): Promise<string> {
  const body = { Destination, Protocol: 'Redfish', ...members }
  const answer = await requestBy(wire, 'POST', uris.eventDestinations, body)
  expect(answer.status).toBe(201)
  return answer.headers.get('location') ?? ''
}

const onlyTests = { ExcludeRegistryPrefixes: ['ResourceEvent'] }

describe('a receiver', () => {
  test('is told by POST, as JSON, with its headers and context', async () => {
    const wire = await startWire()
    const { url, received } = await startReceiver()
    await subscribe(wire, url, { Context: 'mine', HttpHeaders: [{ 'X-Key': 'secret' }] })
    await submitTest(wire, 'A')
    await expect.poll(() => received.length).toBe(1)
    expect(received[0]).toMatchObject({
      headers: { 'content-type': 'application/json; charset=utf-8', 'x-key': 'secret' },
      event: {
        '@odata.type': expect.stringMatching(/^#Event\./),
        Context: 'mine',
        Events: [{ MemberId: '0' }],
      },
    })
  })

  test('over HTTPS is told only where its certificate need not be trusted', async () => {
    const wire = await startWire()
    const receiver = await startReceiver(undefined, await makeCertificate(['127.0.0.1'], systemClock))
    const trusting = await subscribe(wire, receiver.url, { Context: 'trusting', VerifyCertificate: false })
    const careful = await subscribe(wire, receiver.url, {
      Context: 'careful',
      VerifyCertificate: true,
      DeliveryRetryPolicy: 'SuspendRetries',
    })
    await requestBy(wire, 'PATCH', uris.eventService, { DeliveryRetryAttempts: 0 })
    await expect
      .poll(async () => (await wire.get(careful)).json['Status'])
      .toMatchObject({ State: 'Disabled' })
    await expect.poll(() => receiver.received.length).toBeGreaterThan(0)
    expect(receiver.received.map(({ event }) => event.Context)).not.toContain('careful')
    expect((await wire.get(trusting)).json['Status']).toMatchObject({ State: 'Enabled' })
  })

  test('that is slow is told everything in order, one after the other', async () => {
    let underway = 0
    let most = 0
    const receiver = await startReceiver((response) => {
      most = Math.max(most, ++underway)
      setImmediate(() => {
        underway -= 1
        response.writeHead(200).end('{}')
      })
    })
    const wire = await startWire()
    await subscribe(wire, receiver.url, onlyTests)
    const names = Array.from({ length: 30 }, (_, index) => `N${index}`)
    for (const name of names) await submitTest(wire, name)
    await expect.poll(() => receiver.received.length).toBe(30)
    expect(receiver.names()).toEqual(names.map((name) => `Test.1.0.${name}`))
    expect(most).toBe(1)
  })

  test('that hangs, refuses or is gone holds up neither an update nor the others', async () => {
    const wire = await startWire()
    const hanging = await startReceiver(() => {})
    const refusing = await startReceiver((response) => void response.writeHead(500).end())
    const gone = await startReceiver()
    const good = await startReceiver()
    gone.close()
    const subscriptions: string[] = []
    for (const { url } of [hanging, refusing, gone, good]) subscriptions.push(await subscribe(wire, url))
    const { headers, body } = multipartBody(pushParts(image))
    const pushed = await fetch(wire.url + uris.multipartPush, {
      method: 'POST',
      headers: { ...headers, authorization: basic('admin') },
      body: new Uint8Array(body),
    })
    expect(pushed.status).toBe(202)
    expect(await lastTask(wire, wire.bmc)).toMatchObject({ TaskState: 'Completed', TaskStatus: 'OK' })
    await expect.poll(() => good.stories()).toContain('TaskEvent.TaskCompletedOK Tasks/1')
    // Each of them was tried, none of them moved past its first event, and all are still subscribed.
    expect([hanging.received.length, refusing.received.length]).toEqual([1, 1])
    for (const uri of subscriptions) expect((await wire.get(uri)).status).toBe(200)
  })

  test('that hangs is given up after a while, by the clock, and tried again', async () => {
    const clock = new VirtualClock()
    const wire = await startWire({ clock })
    const hanging = await startReceiver(() => {})
    await subscribe(wire, hanging.url)
    await submitTest(wire, 'A')
    await expect.poll(() => hanging.received.length).toBe(1)
    await clock.advance(10_000)
    await expect
      .poll(async () => {
        await clock.advance(30_000)
        return hanging.received.length
      })
      .toBeGreaterThan(1)
    const ids = new Set(hanging.received.map(({ event }) => event.Id))
    expect(ids.size).toBe(1)
  })

  test('that hangs does not hold up the end of the service', async () => {
    const wire = await startWire()
    const hanging = await startReceiver(() => {})
    await subscribe(wire, hanging.url)
    await submitTest(wire, 'A')
    await expect.poll(() => hanging.received.length).toBe(1)
    await wire.emulator.close()
    expect(wire.emulator.bmcs).toHaveLength(1)
  })
})
