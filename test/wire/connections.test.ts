import { describe, expect, test } from 'vitest'
import { loadMachine } from '../../src/bmc/mockup-folder.ts'
import { uris } from '../../src/redfish/uris.ts'
import { bundleOf } from '../support/images.ts'
import { multipartBody, pushParts } from '../support/multipart.ts'
import { errorKeys, head, lastTask, rawClient, refused, startWire } from '../support/wire.ts'

const manager = loadMachine('rackmount').manager ?? ''
const reset = uris.action(manager, 'Manager.Reset')

describe('a connection', () => {
  test.each([
    ['an unknown method', head('BREW', uris.root), 501],
    ['garbage', 'this is not HTTP\r\n\r\n', 400],
    ['a TLS handshake', Buffer.from('16030100c8010000c40303', 'hex'), 400],
    ['a header without a colon', 'GET /redfish/v1 HTTP/1.1\r\nHost test\r\n\r\n', 400],
    ['an unknown method and no HTTP', 'BREW coffee\r\n\r\n', 400],
    ['two lengths', head('POST', uris.sessions, { 'Content-Length': '1\r\nContent-Length: 2' }), 400],
    ['headers without end', head('GET', uris.root, { 'X-Long': 'x'.repeat(100_000) }), 431],
  ])('with %s is answered and closed', async (_name, bytes, status) => {
    const { port, url } = await startWire()
    const client = rawClient(port).send(bytes)
    const answer = await client.answer()
    expect(answer.status).toBe(status)
    expect(answer.headers.get('odata-version')).toBe('4.0')
    expect(await client.ended()).toBe('')
    expect((await fetch(url + uris.root)).status).toBe(200)
  })

  test('with a chunk that has no length is answered and makes room for the next upload', async () => {
    const wire = await startWire()
    const { headers, body } = multipartBody(pushParts(await bundleOf({ 'NIC-1': '22.42.1000' })))
    const client = rawClient(wire.port).send(
      head('POST', uris.multipartPush, {
        ...headers,
        'Transfer-Encoding': 'chunked',
        Expect: '100-continue',
      }),
    )
    expect((await client.answer()).status).toBe(100)
    expect((await client.send('not a length\r\n').answer()).status).toBe(400)
    await client.ended()
    client.socket.destroy()
    const push = async (): Promise<number> => {
      const length = { 'Content-Length': body.length }
      const next = rawClient(wire.port).send(
        head('POST', uris.multipartPush, { ...headers, ...length }),
        body,
      )
      return (await next.answer()).status
    }
    await expect.poll(push).toBe(202)
    await wire.spoolIsEmpty()
  })

  test('answers pipelined requests in their order', async () => {
    const { port } = await startWire()
    const client = rawClient(port).send(
      // Basic has to wait for its password check; what comes after it must not overtake.
      head('GET', uris.updateService),
      head('GET', uris.root),
      head('GET', `${uris.root}/Nothing`),
      head('HEAD', uris.root, { Connection: 'close' }),
    )
    expect(JSON.parse((await client.answer()).body)).toMatchObject({ '@odata.id': uris.updateService })
    expect((await client.answer()).status).toBe(200)
    expect((await client.answer()).status).toBe(404)
    expect(await client.ended()).toMatch(/^HTTP\/1\.1 200 [^]*\r\n\r\n$/)
  })

  test('with a JSON body hears what is wrong with it, however large it is', async () => {
    const { port } = await startWire()
    const send = async (sizeBytes: number): Promise<unknown[]> => {
      const client = rawClient(port).send(
        head('POST', uris.sessions, { 'Content-Type': 'application/json', 'Content-Length': sizeBytes }),
        Buffer.alloc(sizeBytes, 'x'),
      )
      const { status, body } = await client.answer()
      return [status, ...errorKeys(body)]
    }
    expect(await send(1)).toEqual([400, 'MalformedJSON'])
    expect(await send(2 ** 20)).toEqual([400, 'MalformedJSON'])
    expect(await send(2 ** 20 + 1)).toEqual([413, 'PayloadTooLarge'])
  })

  test('without a Host is refused (RFC 9112 §3.2)', async () => {
    const { port } = await startWire()
    const client = rawClient(port).send('GET /redfish/v1 HTTP/1.1\r\n\r\n')
    expect((await client.answer()).status).toBe(400)
  })

  test('that half-closes after its request leaves the service in order', async () => {
    const { port, url } = await startWire()
    const client = rawClient(port).send(head('GET', uris.updateService))
    client.socket.end()
    await client.ended()
    expect((await fetch(url + uris.root)).status).toBe(200)
  })
})

describe('while the manager reboots', () => {
  /** 45 seconds of boot time, in a third of a second. */
  const speed = 150

  test('connections are refused, and welcome again on the same ports', async () => {
    const { emulator, port, bmc } = await startWire({ speed, https: true })
    const httpsPort = Number(new URL(emulator.httpsUrl ?? '').port)
    const idle = rawClient(port).send(head('GET', uris.root))
    await idle.answer()
    const client = rawClient(port).send(
      head('POST', reset, { 'Content-Type': 'application/json', 'Content-Length': 2 }),
      '{}',
    )
    expect((await client.answer()).status).toBe(204)
    expect(await client.ended()).toBe('')
    expect(await idle.ended()).toBe('')
    expect(bmc.state.outage).toBe('refuse')
    expect(await Promise.all([refused(port), refused(httpsPort)])).toEqual([true, true])
    await expect.poll(() => refused(port), { timeout: 10_000 }).toBe(false)
    await expect.poll(() => refused(httpsPort)).toBe(false)
    const back = rawClient(port).send(head('GET', uris.root))
    expect((await back.answer()).status).toBe(200)
  })

  test.each([['max' as const], [speed]])('sessions end and tasks stay, at speed %s', async (pace) => {
    const wire = await startWire({ speed: pace, awaitReset: 'completed' })
    const { url, port } = wire
    const login = await fetch(url + uris.sessions, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ UserName: 'admin', Password: 'redflash' }),
    })
    const token = { 'X-Auth-Token': login.headers.get('x-auth-token') ?? '', Authorization: '' }
    const { headers, body } = multipartBody(pushParts(await bundleOf({ 'BMC-Primary': '2.5.0' })))
    const pusher = rawClient(port).send(
      head('POST', uris.multipartPush, { ...headers, ...token, 'Content-Length': body.length }),
      body,
    )
    expect((await pusher.answer()).status).toBe(202)
    const task = await lastTask(wire, wire.bmc)
    expect(task).toMatchObject({ TaskState: 'Completed' })

    const client = rawClient(port).send(
      head('POST', reset, { ...token, 'Content-Type': 'application/json', 'Content-Length': 2 }),
      '{}',
    )
    expect((await client.answer()).status).toBe(204)
    await client.ended()
    const again = async (): Promise<string> => {
      try {
        return await (await fetch(url + uris.sessions, { headers: token })).text()
      } catch {
        return '{}' // refused
      }
    }
    await expect.poll(async () => errorKeys(await again()), { timeout: 10_000 }).toEqual(['NoValidSession'])
    expect((await wire.get(uris.task(wire.bmc.state.tasks.keys().next().value ?? ''))).json).toMatchObject({
      TaskState: 'Completed',
    })
    expect((await wire.get(uris.firmware('BMC-Primary'))).json).toMatchObject({ Version: '2.5.0' })
  })

  test('an upload is cut and leaves nothing in the spool', async () => {
    const { port, spooled, spoolIsEmpty, get } = await startWire({ speed })
    const { headers, body } = multipartBody(pushParts(await bundleOf({ 'NIC-1': '22.42.1000' })))
    const pusher = rawClient(port).send(
      head('POST', uris.multipartPush, { ...headers, 'Content-Length': body.length }),
      body.subarray(0, 10_000),
    )
    await expect.poll(spooled).toHaveLength(1)
    const client = rawClient(port).send(
      head('POST', reset, { 'Content-Type': 'application/json', 'Content-Length': 2 }),
      '{}',
    )
    expect((await client.answer()).status).toBe(204)
    expect(await pusher.ended()).toBe('')
    await spoolIsEmpty()
    await expect
      .poll(() => get(uris.updateService).catch(() => ({ status: 0 })), { timeout: 10_000 })
      .toMatchObject({ status: 200 })
  })

  test('the emulator can be closed, and does not come back', async () => {
    const { emulator, port } = await startWire({ https: true, speed })
    const client = rawClient(port).send(
      head('POST', reset, { 'Content-Type': 'application/json', 'Content-Length': 2 }),
      '{}',
    )
    await client.answer()
    await client.ended()
    await emulator.close()
    expect(await refused(port)).toBe(true)
    expect(await refused(Number(new URL(emulator.httpsUrl ?? '').port))).toBe(true)
  })
})
