import { describe, expect, test } from 'vitest'
import { listen, startBroker, startClient, startManager, until } from '../support/mqtt.ts'

const tokens = new Map([
  ['pump/p-1', 'its own'],
  ['pump/*', 'of pumps'],
  ['*', 'of all'],
])
const url = ({ port }: { readonly port: number }): string => `mqtt://127.0.0.1:${port}`

describe('the broker of our own', () => {
  test.each([
    ['d:org:pump:p-1', 'use-token-auth', 'its own', true],
    ['d:org:pump:p-1', 'use-token-auth', 'of pumps', false],
    ['d:org:pump:p-2', 'use-token-auth', 'of pumps', true],
    ['d:org:fan:f-1', 'use-token-auth', 'of all', true],
    ['g:org:fan:f-1', 'use-token-auth', 'of all', true],
    ['a:org:app', 'use-token-auth', 'of all', true],
    ['a:org:app', 'use-token-auth', 'of pumps', false],
    ['d:org:fan:f-1', 'use-token-auth', 'of all ', false],
    ['d:org:fan:f-1', 'use-token-auth', undefined, false],
    ['d:org:fan:f-1', 'somebody', 'of all', false],
    ['somebody', 'use-token-auth', 'of all', false],
    ['d:org:fan', 'use-token-auth', 'of all', false],
  ])('%s comes as %s with the token “%s”: %s', async (clientId, username, password, isIn) => {
    const broker = await startBroker({ tokens })
    const come = startClient(url(broker), clientId, { username, ...(password !== undefined && { password }) })
    const came = await come.then(
      () => true,
      () => false,
    )
    expect(came).toBe(isIn)
  })

  test.each([
    ['p-9', 'its registered', true],
    ['p-9', 'of pumps', false],
    ['p-8', 'of pumps', true],
  ])('%s, some of which have tokens of their own, comes with “%s”: %s', async (id, password, isIn) => {
    const isOwnToken = (key: string, token: string) =>
      key === 'pump/p-9' ? token === 'its registered' : undefined
    const broker = await startBroker({ tokens, isOwnToken })
    const come = startClient(url(broker), `d:org:pump:${id}`, { username: 'use-token-auth', password })
    expect(await come.then(Boolean, () => false)).toBe(isIn)
  })

  test('asks nobody where there are no tokens', async () => {
    const broker = await startBroker()
    expect(await startClient(url(broker), 'd:org:pump:p-1')).toMatchObject({ granted: [1] })
    await expect(startClient(url(broker), 'somebody')).rejects.toThrow(/./)
  })

  test('says that its port is taken', async () => {
    const { port } = await startBroker()
    await expect(startBroker({ port })).rejects.toThrow('EADDRINUSE')
  })

  test('a device hears what is for it, and nothing else', async () => {
    const broker = await startBroker()
    const manager = startManager(broker)
    const [one, other] = [
      await startClient(url(broker), 'd:org:pump:p-1', {
        filters: ['iotdm-1/#', '#', 'iotdm-1/type/+/id/+/#'],
      }),
      await startClient(url(broker), 'd:org:pump:p-2'),
    ]
    expect(one.granted).toEqual([1, 128, 128])
    other.say('iotdevice-1/mgmt/manage', { reqId: 'other' })
    await other.hears(({ message }) => message['reqId'] === 'other')
    one.say('iotdevice-1/mgmt/manage', { reqId: 'one' })
    await one.hears(({ message }) => message['reqId'] === 'one')
    expect(one.heard).toEqual([{ topic: 'iotdm-1/response', message: { rc: 200, reqId: 'one' } }])
    expect(manager.devices().map(({ key }) => key)).toEqual(['pump/p-2', 'pump/p-1'])
  })

  test.each([
    'iotdevice-1/type/pump/id/p-2/mgmt/manage',
    'iotdm-1/type/pump/id/p-2/response',
    'iotdm-1/response',
    'elsewhere',
  ])('a device that speaks where it may not is sent away: %s', async (topic) => {
    const broker = await startBroker()
    const manager = startManager(broker)
    const client = await startClient(url(broker), 'd:org:pump:p-1')
    client.say(topic, { reqId: 'x' })
    await client.gone
    expect(manager.devices()).toEqual([])
  })

  test('a message may be as long as the platform takes it, and not longer', async () => {
    const broker = await startBroker()
    const client = await startClient(url(broker), 'd:org:pump:p-1')
    const manager = startManager(broker)
    client.say('iotdevice-1/mgmt/manage', { reqId: 'm' })
    await client.hears(({ message }) => message['reqId'] === 'm')
    const text = JSON.stringify({ reqId: 'l', d: { message: '' } })
    const log = (bytes: number): Buffer =>
      Buffer.from(JSON.stringify({ reqId: 'l', d: { message: 'x'.repeat(bytes - text.length) } }))
    client.sayBytes('iotdevice-1/add/diag/log', log(131_072))
    await client.hears(({ message }) => message['reqId'] === 'l')
    expect(manager.device('pump/p-1')?.log).toHaveLength(1)
    client.sayBytes('iotdevice-1/add/diag/log', log(131_073))
    await client.gone
  })

  test('what a device says is for who listens then', async () => {
    const broker = await startBroker()
    const manager = startManager(broker)
    const client = await startClient(url(broker), 'd:org:pump:p-1')
    client.sayBytes('iotdevice-1/mgmt/manage', Buffer.from('{"reqId":"kept"}'), true)
    await client.hears(({ message }) => message['reqId'] === 'kept')
    const said = await listen(broker)
    client.say('iotdevice-1/mgmt/manage', { reqId: 'now' })
    await client.hears(({ message }) => message['reqId'] === 'now')
    expect(said.map(({ message }) => message['reqId'])).not.toContain('kept')
    expect(manager.devices()).toHaveLength(1)
  })

  test('a gateway speaks for the devices behind it, and hears what is for them', async () => {
    const broker = await startBroker()
    const manager = startManager(broker)
    const filters = ['iotdm-1/type/+/id/+/#']
    const [hub, other] = [
      await startClient(url(broker), 'g:org:hub:h-1', { filters }),
      await startClient(url(broker), 'g:org:hub:h-2', { filters }),
    ]
    hub.say('iotdevice-1/type/pump/id/p-1/mgmt/manage', { reqId: 'p' })
    hub.say('iotdevice-1/mgmt/manage', { reqId: 'h' })
    await hub.hears(({ message }) => message['reqId'] === 'h')
    await until(manager, () => manager.device('hub/h-1') !== undefined)
    expect(hub.heard.map(({ topic }) => topic)).toEqual([
      'iotdm-1/type/pump/id/p-1/response',
      'iotdm-1/type/hub/id/h-1/response',
    ])
    expect(manager.devices().map(({ key }) => key)).toEqual(['pump/p-1', 'hub/h-1'])
    other.say('iotdevice-1/mgmt/manage', { reqId: 'o' })
    await other.hears(({ message }) => message['reqId'] === 'o')
    expect(other.heard).toHaveLength(1)
  })

  test('a gateway does not speak for a device that is connected itself', async () => {
    const broker = await startBroker()
    startManager(broker)
    const pump = await startClient(url(broker), 'd:org:pump:p-1')
    const hub = await startClient(url(broker), 'g:org:hub:h-1')
    hub.say('iotdevice-1/type/pump/id/p-1/mgmt/unmanage', { reqId: 'u' })
    await hub.gone
    pump.say('iotdevice-1/mgmt/manage', { reqId: 'm' })
    expect(await pump.hears(() => true)).toMatchObject({ message: { reqId: 'm' } })
  })
})
