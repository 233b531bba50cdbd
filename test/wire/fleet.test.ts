import { Agent } from 'node:http'
import { Agent as SecureAgent } from 'node:https'
import { connect } from 'node:net'
import { networkInterfaces } from 'node:os'
import { describe, expect, onTestFinished, test } from 'vitest'
import { machineMember } from '../../src/bmc/bmc.ts'
import { commit } from '../../src/bmc/commit.ts'
import { uris } from '../../src/redfish/uris.ts'
import { ask, connectTo, endOf, type FleetWire, problemOf, startFleet } from '../support/fleet-wire.ts'
import { messageKeys } from '../support/multipart.ts'
import { head, RawClient } from '../support/wire.ts'

const schemes = ['http', 'https'] as const
type Scheme = (typeof schemes)[number]
const root = `${uris.root}/`
const networkProtocol = uris.networkProtocol(uris.manager('1'))

/** The UUID by which a BMC's service root is told from all others. */
const uuidOf = (wire: FleetWire, slot: number): unknown => machineMember(wire.bmc(slot), uris.root, 'UUID')

const answers = async (...asked: Parameters<typeof ask>): Promise<unknown> =>
  (await ask(...asked)).json['UUID']

/** An agent that keeps one connection to each place. */
function keepAlive(scheme: Scheme): Agent {
  const agent = scheme === 'http' ? new Agent({ keepAlive: true }) : new SecureAgent({ keepAlive: true })
  onTestFinished(() => agent.destroy())
  return agent
}

/** The connections that an agent keeps, by where they lead. */
function socketsOf(agent: Agent): string[] {
  return Object.values(agent.freeSockets).flatMap((sockets = []) =>
    sockets.map(({ remoteAddress, localPort }) => `${remoteAddress} ${localPort}`),
  )
}

describe.each(schemes)('by address, over %s', (scheme) => {
  test('every BMC of a fleet answers at its own', async () => {
    const wire = await startFleet(3)
    for (const slot of [0, 1, 2]) {
      expect(await answers({ url: wire.at(slot, scheme) + root })).toBe(uuidOf(wire, slot))
    }
    expect(new Set([0, 1, 2].map((slot) => uuidOf(wire, slot))).size).toBe(3)
  })

  test.each([
    ['before the first', -1],
    ['after the last', 3],
    ['far away', 500_000],
  ])('there is nobody at the address %s: connections are reset', async (_where, slot) => {
    const wire = await startFleet(3)
    expect(await endOf(wire.at(slot, scheme))).toBe('ECONNRESET')
    expect(await problemOf({ url: wire.at(slot, scheme) + root })).toBe('ECONNRESET')
    expect(await problemOf({ url: `${scheme}://127.0.0.1:${wire.portOf(scheme)}${root}` })).toBe('ECONNRESET')
  })

  test('a name says nothing where names do not count', async () => {
    const wire = await startFleet(3)
    expect(await answers({ url: wire.at(1, scheme) + root, host: wire.bmc(2).id })).toBe(uuidOf(wire, 1))
  })
})

/** An address of this machine by which it comes as a stranger. */
const foreign = Object.values(networkInterfaces())
  .flat()
  .find((one) => one?.family === 'IPv4' && !one.internal)?.address

test.skipIf(foreign === undefined).each(schemes)(
  'a peer that is not on loopback is dropped, whomever it names, over %s',
  async (scheme) => {
    const wire = await startFleet(2, ['address', 'name'])
    const host = wire.bmc(0).id
    const url = (address = '127.0.0.1'): string => `${scheme}://${address}:${wire.portOf(scheme)}${root}`
    expect(await problemOf({ url: url(foreign), host })).toBe('ECONNRESET')
    expect(await problemOf({ url: url(), host })).toBe(200)
  },
)

test('a TLS client that stops in the middle of its handshake holds up nobody', async () => {
  const wire = await startFleet(2)
  const { hostname: address, port } = new URL(wire.at(1, 'https'))
  const client = new RawClient(connect({ host: address, port: Number(port) }))
  client.send(Buffer.from('16030100c8010000c40303', 'hex'))
  await client.flushed()
  expect(await problemOf({ url: wire.at(1, 'https') + root })).toBe(200)
  commit(wire.bmc(1), { outage: 'refuse' })
  expect(await client.ended()).toBe('')
  expect(await problemOf({ url: wire.at(0, 'https') + root })).toBe(200)
})

describe.each(schemes)('an outage, over %s', (scheme) => {
  test('of one resets what is open and what comes, while the others answer on what is open', async () => {
    const wire = await startFleet(3)
    const agent = keepAlive(scheme)
    const get = (slot: number) => ({ url: wire.at(slot, scheme) + root, agent })
    const idle = new Promise((resolve) => {
      agent.once('free', (socket) => socket.once('close', resolve))
    })
    expect(await problemOf(get(1))).toBe(200)
    expect(await problemOf(get(0))).toBe(200)
    const before = socketsOf(agent)
    const silent = endOf(wire.at(1, scheme))
    // The server has seen the silent one, too, once it has answered somebody who came later.
    expect(await problemOf({ url: wire.at(1, scheme) + root })).toBe(200)
    commit(wire.bmc(1), { outage: 'refuse' })
    await idle
    expect(await silent).toBe('ECONNRESET')
    expect(await endOf(wire.at(1, scheme))).toBe('ECONNRESET')
    expect(await problemOf(get(1))).toBe('ECONNRESET')
    expect(await problemOf({ url: wire.at(1, scheme) + root })).toBe('ECONNRESET')
    expect(await problemOf(get(0))).toBe(200)
    expect(await problemOf(get(2))).toBe(200)
    expect(socketsOf(agent)).toContain(before.find((name) => name.includes('127.1.0.1')))
    commit(wire.bmc(1), { outage: undefined })
    expect(await problemOf(get(1))).toBe(200)
  })

  test('of one cuts a request of it that is under way', async () => {
    const wire = await startFleet(2)
    const socket = await connectTo(wire.at(1, scheme))
    const other = await connectTo(wire.at(0, scheme))
    const start = head('POST', uris.sessions, { 'Content-Type': 'application/json', 'Content-Length': 2 })
    const [client, neighbour] = [
      new RawClient(socket).send(start, '{'),
      new RawClient(other).send(start, '{'),
    ]
    await neighbour.flushed()
    // The server has seen both once it has answered somebody who came later.
    expect(await problemOf({ url: wire.at(1, scheme) + root })).toBe(200)
    commit(wire.bmc(1), { outage: 'refuse' })
    expect(await client.ended()).toBe('')
    expect((await neighbour.send('}').answer()).status).toBe(400)
  })

  test('of one that does not refuse is answered 503 at its address, and nowhere else', async () => {
    const wire = await startFleet(2)
    commit(wire.bmc(1), { outage: 'unavailable' })
    expect(await problemOf({ url: wire.at(1, scheme) + root })).toBe(503)
    expect(await problemOf({ url: wire.at(0, scheme) + root })).toBe(200)
  })
})

test('the reset of a manager is an outage of its BMC alone, until it has booted', async () => {
  const wire = await startFleet(2)
  const { machine, state } = wire.bmc(1)
  const url = wire.at(1) + uris.action(machine.manager ?? '', 'Manager.Reset')
  expect(await problemOf({ url, method: 'POST', body: '{}' })).toBe(204)
  await expect.poll(() => state.outage).toBe('refuse')
  expect(await problemOf({ url: wire.at(1) + root })).toBe('ECONNRESET')
  expect(await problemOf({ url: wire.at(0) + root })).toBe(200)
  await expect.poll(() => problemOf({ url: wire.at(1) + root }), { timeout: 10_000 }).toBe(200)
})

describe.each(schemes)('by name, over %s', (scheme) => {
  /** Nobody's: Node's agent would ask for whom the header names, and over a connection for each. */
  const servername = 'localhost'

  test('the Host header says whom a request is for, on one connection as on many', async () => {
    const wire = await startFleet(3, ['name'])
    const agent = keepAlive(scheme)
    const url = `${scheme}://127.0.0.1:${wire.portOf(scheme)}${root}`
    for (const slot of [0, 2, 1]) {
      expect(await answers({ url, agent, servername, host: wire.bmc(slot).id })).toBe(uuidOf(wire, slot))
      const withPort = `${wire.bmc(slot).id.toUpperCase()}:${wire.portOf(scheme)}`
      expect(await answers({ url, agent, servername, host: withPort })).toBe(uuidOf(wire, slot))
    }
    expect(socketsOf(agent)).toHaveLength(1)
  })

  test('nobody has the name: 421, and the connection goes on', async () => {
    const wire = await startFleet(1, ['name'])
    const agent = keepAlive(scheme)
    const url = `${scheme}://127.0.0.1:${wire.portOf(scheme)}${root}`
    const { status, headers, json } = await ask({ url, agent, servername, host: 'nobody.example' })
    expect([status, ...messageKeys(json)]).toEqual([421, 'HeaderInvalid'])
    expect(headers['odata-version']).toBe('4.0')
    expect(await problemOf({ url, agent, servername, host: wire.bmc(0).id })).toBe(200)
    expect(socketsOf(agent)).toHaveLength(1)
  })

  test('who is in an outage resets its clients when they ask for it, and those who did last', async () => {
    const wire = await startFleet(2, ['name'])
    const url = `${scheme}://127.0.0.1:${wire.portOf(scheme)}${root}`
    const agent = keepAlive(scheme)
    const idle = new Promise((resolve) => {
      agent.once('free', (socket) => socket.once('close', resolve))
    })
    expect(await problemOf({ url, agent, host: wire.bmc(1).id })).toBe(200)
    commit(wire.bmc(1), { outage: 'refuse' })
    await idle
    expect(await endOf(url, head('GET', root, { Host: wire.bmc(1).id }))).toBe('ECONNRESET')
    expect(await problemOf({ url, host: wire.bmc(0).id })).toBe(200)
  })
})

test('by address and name, the name goes first', async () => {
  const wire = await startFleet(2, ['address', 'name'])
  expect(await answers({ url: wire.at(0) + root, host: wire.bmc(1).id })).toBe(uuidOf(wire, 1))
  expect(await answers({ url: wire.at(0) + root })).toBe(uuidOf(wire, 0))
})

test('by name, a TLS client may ask by SNI alone', async () => {
  const wire = await startFleet(2, ['name'])
  const url = wire.at(0, 'https').replace('127.1.0.1', '127.0.0.1') + root
  const servername = wire.bmc(1).id
  expect(await answers({ url, servername })).toBe(uuidOf(wire, 1))
  expect(await problemOf({ url })).toBe(421)
  commit(wire.bmc(1), { outage: 'refuse' })
  expect(await problemOf({ url, servername })).toBe('ECONNRESET')
})

describe.each(schemes)('by port, over %s', (scheme) => {
  const portOf = (wire: FleetWire, slot: number): number | undefined => {
    const { httpPort, httpsPort } = wire.bmc(slot).state.network
    return scheme === 'http' ? httpPort : httpsPort
  }
  const urlOf = (port: number | undefined): string => `${scheme}://127.0.0.1:${port}${root}`

  test('every BMC has its own, and tells it', async () => {
    const wire = await startFleet(3, ['port'])
    for (const slot of [0, 1, 2]) {
      expect(await answers({ url: urlOf(portOf(wire, slot)) })).toBe(uuidOf(wire, slot))
    }
    expect(new Set([0, 1, 2].map((slot) => portOf(wire, slot))).size).toBe(3)
    const { json } = await ask({ url: urlOf(portOf(wire, 2)).replace(root, networkProtocol) })
    expect(json).toMatchObject({ [scheme.toUpperCase()]: { Port: portOf(wire, 2) } })
  })

  test('who is in an outage resets connections, who is gone refuses them', async () => {
    const wire = await startFleet(3, ['port'])
    commit(wire.bmc(1), { outage: 'refuse' })
    expect(await problemOf({ url: urlOf(portOf(wire, 1)) })).toBe('ECONNRESET')
    const last = urlOf(portOf(wire, 2))
    expect(await problemOf({ url: last })).toBe(200)
    await wire.remove(wire.bmc(2))
    expect(await problemOf({ url: last })).toBe('ECONNREFUSED')
    expect(await problemOf({ url: urlOf(portOf(wire, 0)) })).toBe(200)
  })
})

describe('by path', () => {
  test('the prefix says whom a request is for, and 404 answers for nobody', async () => {
    const wire = await startFleet(2, ['path'])
    const base = `http://127.0.0.1:${wire.portOf('http')}`
    const at = (slot: number): string => `${base}/bmc/${wire.bmc(slot).id}`
    for (const slot of [0, 1]) {
      expect(await answers({ url: at(slot) + root })).toBe(uuidOf(wire, slot))
      const { json } = await ask({ url: `${at(slot)}${uris.root}?$select=UUID` })
      expect(json['UUID']).toBe(uuidOf(wire, slot))
    }
    expect((await ask({ url: `${at(0)}/redfish` })).json).toEqual({ v1: root })
    const { status, json } = await ask({ url: `${base}/bmc/nobody${root}` })
    expect([status, ...messageKeys(json)]).toEqual([404, 'InvalidURI'])
    expect(await problemOf({ url: base + root })).toBe(421)
  })

  test('beside an address it is for who wants it', async () => {
    const wire = await startFleet(2, ['address', 'path'])
    expect(await answers({ url: `${wire.at(0)}/bmc/${wire.bmc(1).id}${root}` })).toBe(uuidOf(wire, 1))
    expect(await answers({ url: wire.at(0) + root })).toBe(uuidOf(wire, 0))
  })

  test('is no path of a BMC where it does not count', async () => {
    const wire = await startFleet(1)
    expect(await problemOf({ url: `${wire.at(0)}/bmc/${wire.bmc(0).id}${root}` })).toBe(404)
  })
})

describe('a fleet that changes', () => {
  test.each(schemes)('closes the connections of who goes, over %s', async (scheme) => {
    const wire = await startFleet(2)
    const [leaving, staying] = [wire.at(1, scheme), wire.at(0, scheme)]
    const gone = new RawClient(await connectTo(leaving))
    const kept = new RawClient(await connectTo(staying))
    expect((await gone.send(head('GET', uris.root)).answer()).status).toBe(200)
    await wire.remove(wire.bmc(1))
    expect(await gone.ended()).toBe('')
    expect((await kept.send(head('GET', uris.root)).answer()).status).toBe(200)
    expect(await problemOf({ url: leaving + root })).toBe('ECONNRESET')
  })

  test('serves who comes in the place that was left', async () => {
    const wire = await startFleet(3)
    const before = uuidOf(wire, 1)
    await wire.remove(wire.bmc(1))
    expect(await problemOf({ url: wire.at(1) + root })).toBe('ECONNRESET')
    await wire.add()
    expect(await answers({ url: wire.at(1) + root })).toBe(uuidOf(wire, 1))
    expect(uuidOf(wire, 1)).toBe(before)
  })
})

test('three hundred BMCs answer each for itself, at two ports', async () => {
  const wire = await startFleet(300)
  const slots = [...Array(300).keys()]
  const seen = await Promise.all(
    slots.map((slot) => answers({ url: wire.at(slot, slot % 20 === 0 ? 'https' : 'http') + root })),
  )
  expect(seen).toEqual(slots.map((slot) => uuidOf(wire, slot)))
})
