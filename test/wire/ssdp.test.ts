import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createBmc } from '../../src/bmc/bmc.ts'
import { commit } from '../../src/bmc/commit.ts'
import { loadMachine } from '../../src/bmc/mockup-folder.ts'
import { Ssdp, type SsdpOptions, startDiscovery } from '../../src/http/ssdp.ts'

const GROUP = '239.255.255.250'
const REDFISH = 'urn:dmtf-org:service:redfish-rest:1'
const UUID = '8e962832-9797-5642-809c-4aea917f0f35'

/** A responder on a port of its own, and a client that searches for it over loopback. */
async function start(options: Partial<SsdpOptions> = {}) {
  const ssdp = new Ssdp({
    host: '127.0.0.1',
    port: 0,
    urlAt: (address) => `https://${address}:8443/redfish/v1/`,
    uuid: UUID,
    minor: 23,
    isAway: () => false,
    failed: (error) => {
      throw error
    },
    ...options,
  })
  onTestFinished(() => ssdp.close())
  const port = await ssdp.open()
  const socket = createSocket('udp4')
  onTestFinished(() => void socket.close())
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  socket.setMulticastInterface('127.0.0.1')
  const answers: string[] = []
  let wake = (): void => {}
  socket.on('message', (bytes) => {
    answers.push(bytes.toString())
    wake()
  })
  const send = (text: string): void => socket.send(text, port, GROUP)
  /** What came until the answer to a search that is always answered. */
  const until = async (isDone: (all: readonly string[]) => boolean): Promise<readonly string[]> => {
    while (!isDone(answers)) {
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
    return answers
  }
  return { ssdp, port, send, until }
}

function search(target: string, man = '"ssdp:discover"'): string {
  return `M-SEARCH * HTTP/1.1\r\nHost: ${GROUP}:1900\r\nMAN: ${man}\r\nST: ${target}\r\nMX: 3\r\n\r\n`
}

describe('a search', () => {
  test.each([REDFISH, 'ssdp:all', `${REDFISH}:0`, `${REDFISH}:23`])('for %s is answered', async (target) => {
    const { send, until } = await start()
    send(search(target))
    const [answer = ''] = await until((all) => all.length > 0)
    expect(answer.split('\r\n')).toEqual([
      'HTTP/1.1 200 OK',
      'CACHE-CONTROL: max-age=1800',
      `ST: ${REDFISH}:23`,
      `USN: uuid:${UUID}::${REDFISH}:23`,
      'AL: https://127.0.0.1:8443/redfish/v1/',
      'EXT:',
      '',
      '',
    ])
  })

  test.each([
    ['for something else', search('upnp:rootdevice')],
    ['for a version to come', search(`${REDFISH}:24`)],
    ['for another major version', search('urn:dmtf-org:service:redfish-rest:2')],
    ['that is no discovery', search(REDFISH, '"ssdp:other"')],
    ['that is a notification', search(REDFISH).replace('M-SEARCH', 'NOTIFY')],
    ['that is nothing', 'hello'],
  ])('%s is not', async (_what, text) => {
    let heard = 0
    const { send, until } = await start({
      isAway: () => ++heard === 0,
      urlAt: () => `the answer to datagram ${heard}`,
    })
    send(text)
    send(search(REDFISH))
    const [first] = await until((all) => all.length > 0)
    expect(first).toContain('the answer to datagram 2')
  })

  test('of a manager that boots is not answered until it is back', async () => {
    let isAway = true
    const heard: boolean[] = []
    const { send, until } = await start({
      isAway: () => {
        heard.push(isAway)
        return isAway
      },
    })
    send(search(REDFISH))
    await expect.poll(() => heard).toEqual([true])
    isAway = false
    send(search(REDFISH))
    expect(await until((all) => all.length > 0)).toHaveLength(1)
  })

  test('is answered by each of two services on one machine', async () => {
    const { port, send, until } = await start()
    const other = new Ssdp({
      host: 'localhost',
      port,
      urlAt: () => 'http://localhost:1/redfish/v1/',
      uuid: UUID.replace('8', '9'),
      minor: 23,
      isAway: () => false,
      failed: () => {},
    })
    onTestFinished(() => other.close())
    expect(await other.open()).toBe(port)
    send(search(REDFISH))
    const answers = await until((all) => all.length > 1)
    expect(new Set(answers.map((answer) => /USN: uuid:([^:]+)/.exec(answer)?.[1])).size).toBe(2)
  })

  test('is not answered once it is closed, and again when it is open', async () => {
    const { ssdp, port, send, until } = await start()
    expect(await ssdp.open()).toBe(port)
    ssdp.close()
    ssdp.close()
    const again = await start({ port })
    send(search(REDFISH))
    again.send(search(REDFISH))
    await again.until((all) => all.length > 0)
    expect(await until((all) => all.length > 0)).toHaveLength(1)
  })
})

test('discovery is as ManagerNetworkProtocol says, and follows its switch', async () => {
  const bmc = createBmc('1', loadMachine('rackmount'), new Map())
  const failed: Error[] = []
  const options = {
    host: '127.0.0.1',
    port: 0,
    urlAt: () => 'x',
    minor: 23,
    failed: (one: Error) => failed.push(one),
  }
  const discovery = await startDiscovery(bmc, options)
  onTestFinished(() => discovery.close())
  expect(discovery.isOpen).toBe(false)
  commit(bmc, { network: { ssdpEnabled: true } })
  expect(discovery.isOpen).toBe(true)
  commit(bmc, { network: { ntpEnabled: true } })
  expect(discovery.isOpen).toBe(true)
  commit(bmc, { network: { ssdpEnabled: false } })
  expect(discovery.isOpen).toBe(false)
  // It was switched off before it could listen: that is told, and nothing is left open.
  await expect.poll(() => failed.length).toBe(1)
  commit(bmc, { network: { ssdpEnabled: true } })
  const again = await startDiscovery(bmc, options)
  onTestFinished(() => again.close())
  expect(again.isOpen).toBe(true)
})
