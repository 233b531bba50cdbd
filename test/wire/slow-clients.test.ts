import { describe, expect, test } from 'vitest'
import { VirtualClock } from '../../src/lib/clock.ts'
import { uris } from '../../src/redfish/uris.ts'
import { errorKeys, head, rawClient, startWire } from '../support/wire.ts'

const json = { 'Content-Type': 'application/json', 'Content-Length': 100 }

describe('a client', () => {
  test.each([
    ['that never ends its headers', 'GET /redfish/v1/ HTTP/1.1\r\nHost: test\r\n'],
    ['that never ends its request line', 'GET /redfi'],
  ])('%s is answered 408, and others are served meanwhile', async (_name, bytes) => {
    const { port, url } = await startWire({ requestTimeout: 0.3 })
    const slow = rawClient(port).send(bytes)
    expect((await fetch(url + uris.root)).status).toBe(200)
    const answer = await slow.answer()
    expect([answer.status, answer.headers.get('odata-version')]).toEqual([408, '4.0'])
    expect(await slow.ended()).toBe('')
  })

  test.each([
    ['says nothing to HTTPS', ''],
    ['stops in the middle of its TLS handshake', Buffer.from('16030100c8010000c40303', 'hex')],
  ])('that %s is let go', async (_name, bytes) => {
    const wire = await startWire({ http: false, https: true, requestTimeout: 0.3 })
    expect(await rawClient(wire.port).send(bytes).ended()).toBe('')
  })

  test('that stops in the middle of a body is told so just when its time is over', async () => {
    const clock = new VirtualClock()
    const { port } = await startWire({ clock, requestTimeout: 60 })
    const headers = { ...json, 'If-Match': '*', Expect: '100-continue' }
    const slow = rawClient(port).send(head('PATCH', uris.sessionService, headers))
    // The body is asked for: from now on it is waited for.
    expect((await slow.answer()).status).toBe(100)
    let isAnswered = false
    const answering = slow
      .send('{')
      .answer()
      .finally(() => (isAnswered = true))
    await clock.advance(59_999)
    await rawClient(port).send(head('GET', uris.updateService)).answer()
    expect(isAnswered).toBe(false)
    await clock.advance(1)
    const answer = await answering
    expect([answer.status, errorKeys(answer.body)]).toEqual([408, ['OperationTimeout']])
    expect(answer.headers.get('connection')).toBe('close')
  })

  test('beyond the limit of connections is closed at once, and let in when another has gone', async () => {
    const { port } = await startWire({ maxConnections: 2 })
    const inside = [rawClient(port), rawClient(port)]
    for (const client of inside) {
      expect((await client.send(head('GET', uris.root)).answer()).status).toBe(200)
    }
    expect(await rawClient(port).send(head('GET', uris.root)).ended()).toBe('')
    inside[0]?.socket.destroy()
    const status = () =>
      rawClient(port)
        .send(head('GET', uris.root, { Connection: 'close' }))
        .answer()
        .then((answer) => answer.status)
        .catch(() => 'closed')
    await expect.poll(status).toBe(200)
  })
})
