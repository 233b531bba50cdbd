import { describe, expect, test } from 'vitest'
import type { Row } from '../../src/bmc/bmc.ts'
import { isObject, type JsonObject } from '../../src/redfish/resource.ts'
import { factsOfType } from '../../src/redfish/schema-facts.ts'
import { uris } from '../../src/redfish/uris.ts'
import { startEmulator, type TestEmulator } from '../support/emulator.ts'
import { exampleUris, startInhabited } from '../support/inhabited.ts'
import { messageKeys } from '../support/multipart.ts'
import { validateBody, validateError } from '../support/schemas.ts'

const system = uris.system('1')
const chassis = uris.chassisMember('1')
const manager = uris.manager('1')
const port = uris.ethernetInterface(manager, '1')
const settings = uris.biosSettings(system)

const patch = ({ send }: TestEmulator, uri: string, body: JsonObject, headers = {}) =>
  send(uri, { method: 'PATCH', body, headers })

/** The keys of the messages beside a representation. */
function annotations(body: JsonObject): string[] {
  return messageKeys({ Messages: body['@Message.ExtendedInfo'] ?? [] })
}

async function rowsWith(emulator: TestEmulator, has: (row: Row) => boolean): Promise<string[]> {
  const examples = await exampleUris(emulator)
  return emulator.app.rows.filter(has).map(({ path }) => examples.get(path) ?? '')
}

test.each<[string, string, JsonObject]>([
  ['a system', system, { AssetTag: 'LAB-9', LocationIndicatorActive: true }],
  ['a chassis', chassis, { AssetTag: 'LAB-9', LocationIndicatorActive: true }],
  ['a manager', manager, { LocationIndicatorActive: true }],
  ['an interface of a manager', port, { HostName: 'bmc9', FQDN: 'bmc9.lab.example' }],
  ['a VLAN', port, { VLAN: { VLANEnable: true, VLANId: 4094 } }],
  [
    'a boot override',
    system,
    { Boot: { BootSourceOverrideEnabled: 'Once', BootSourceOverrideTarget: 'Pxe' } },
  ],
  ['BIOS settings', settings, { Attributes: { BootTimeoutSeconds: 30, ProcTurbo: false } }],
])('a PATCH of %s is answered with the resource as it is then, and stays', async (_what, uri, body) => {
  const emulator = await startEmulator()
  const before = await emulator.send(uri)
  const answer = await patch(emulator, uri, body)
  expect(answer).toMatchObject({ status: 200, json: body })
  expect(validateBody(answer.json)).toEqual([])
  const after = await emulator.send(uri)
  expect(after.json).toEqual(answer.json)
  expect(after.headers['etag']).toBe(answer.headers['etag'])
  expect(after.headers['etag']).not.toBe(before.headers['etag'])
})

test('members that a PATCH of an object does not name stay as they are', async () => {
  const emulator = await startEmulator()
  const { Boot: before } = await emulator.get(system)
  await patch(emulator, system, { Boot: { BootSourceOverrideTarget: 'Hdd' } })
  expect((await emulator.get(system))['Boot']).toEqual({
    ...(before as JsonObject),
    BootSourceOverrideTarget: 'Hdd',
  })
})

test('a PATCH that is right in part changes that part and says what is wrong with the rest', async () => {
  const emulator = await startEmulator()
  const answer = await patch(emulator, system, {
    AssetTag: 'LAB-9',
    PowerState: 'Off',
    Colour: 'red',
    Boot: { BootSourceOverrideTarget: 'Moon', BootSourceOverrideEnabled: 'Once' },
  })
  expect(answer).toMatchObject({
    status: 200,
    json: {
      '@odata.id': system,
      AssetTag: 'LAB-9',
      PowerState: 'On',
      Boot: { BootSourceOverrideTarget: 'None', BootSourceOverrideEnabled: 'Once' },
      '@Message.ExtendedInfo': [
        { RelatedProperties: ['/PowerState'] },
        { RelatedProperties: ['/Colour'] },
        { RelatedProperties: ['/Boot/BootSourceOverrideTarget'] },
      ],
    },
  })
  expect(annotations(answer.json)).toEqual([
    'PropertyNotWritable',
    'PropertyUnknown',
    'PropertyValueNotInList',
  ])
  expect(validateBody(answer.json)).toEqual([])
  const { '@Message.ExtendedInfo': _, ...shown } = answer.json
  const after = await emulator.send(system)
  expect(after.json).toEqual(shown)
  expect(after.headers['etag']).toBe(answer.headers['etag'])
})

test('a service of ours takes what is right beside what is wrong, too', async () => {
  const emulator = await startEmulator()
  const answer = await patch(emulator, uris.sessionService, {
    SessionTimeout: 60,
    ServiceEnabled: 'no',
    Colour: 1,
  })
  expect(answer).toMatchObject({ status: 200, json: { SessionTimeout: 60, ServiceEnabled: true } })
  expect(annotations(answer.json)).toEqual(['PropertyValueTypeError', 'PropertyUnknown'])
})

test('of a PATCH of nothing right nothing changes, whatever the row', async () => {
  const emulator = await startInhabited()
  const all = await rowsWith(emulator, ({ patch: offered }) => offered !== undefined)
  for (const uri of all) {
    const before = await emulator.get(uri)
    const answer = await patch(emulator, uri, { Id: 'Other', Colour: 'red', Name: 5 })
    expect({
      uri,
      status: answer.status,
      keys: messageKeys(answer.json),
      wrong: validateError(answer.json),
    }).toEqual({
      uri,
      status: 400,
      keys: ['PropertyNotWritable', 'PropertyUnknown', 'PropertyNotWritable'],
      wrong: [],
    })
    expect(await emulator.get(uri)).toEqual(before)
  }
  expect(all.length).toBeGreaterThan(6)
})

test.each([
  [100, 100],
  [101, 100],
])('of %i mistakes in a PATCH %i are told', async (count, told) => {
  const emulator = await startEmulator()
  const body = Object.fromEntries(Array.from({ length: count }, (_, index) => [`Colour${index}`, 1]))
  const refused = await patch(emulator, system, body)
  expect([refused.status, messageKeys(refused.json)]).toEqual([400, Array(told).fill('PropertyUnknown')])
  const mixed = await patch(emulator, system, { ...body, AssetTag: 'LAB-9' })
  expect([mixed.status, annotations(mixed.json)]).toEqual([200, Array(told).fill('PropertyUnknown')])
})

test('a PATCH of annotations only is no operation, whatever the row', async () => {
  const emulator = await startInhabited()
  for (const uri of await rowsWith(emulator, ({ patch: offered }) => offered !== undefined)) {
    const answer = await patch(emulator, uri, {
      '@odata.id': uri,
      '@odata.etag': '"x"',
      'Links@odata.count': 1,
    })
    expect({ uri, status: answer.status, keys: messageKeys(answer.json) }).toEqual({
      uri,
      status: 400,
      keys: ['NoOperation'],
    })
  }
})

test('a PATCH of what is so already succeeds and is no change', async () => {
  const emulator = await startEmulator()
  const before = await emulator.send(system)
  const answer = await patch(emulator, system, { AssetTag: before.json['AssetTag'] ?? null })
  expect(answer).toMatchObject({ status: 200, json: before.json })
  expect(emulator.bmc.state.overlays.size).toBe(0)
})

test('what was read may be sent back changed, as far as it is writable', async () => {
  const emulator = await startEmulator()
  const { headers, json } = await emulator.send(port)
  const answer = await patch(
    emulator,
    port,
    { ...json, HostName: 'bmc9' },
    { 'if-match': String(headers['etag']) },
  )
  expect(answer).toMatchObject({ status: 200, json: { HostName: 'bmc9', MACAddress: json['MACAddress'] } })
})

describe('the addresses of a manager', () => {
  const fixed = { Address: '192.0.2.9', SubnetMask: '255.255.255.0', Gateway: '192.0.2.1' }

  test('that are static are in use as soon as they are set, the gateway with the first', async () => {
    const emulator = await startEmulator()
    const second = { ...fixed, Address: '192.0.2.10' }
    const answer = await patch(emulator, port, { IPv4StaticAddresses: [fixed, second] })
    expect(answer.json).toMatchObject({ IPv4StaticAddresses: [fixed, second] })
    expect(answer.json['IPv4Addresses']).toEqual([
      { ...fixed, AddressOrigin: 'Static' },
      { Address: '192.0.2.10', SubnetMask: '255.255.255.0', AddressOrigin: 'Static' },
    ])
    const kept = await patch(emulator, port, { IPv4StaticAddresses: [null, {}] })
    expect(kept.json['IPv4StaticAddresses']).toEqual([second])
  })

  test.each<[string, JsonObject, string]>([
    ['without a mask', { Address: '192.0.2.20' }, 'PropertyMissing'],
    ['that is none', { ...fixed, Address: '192.0.2.256' }, 'PropertyValueFormatError'],
    ['that is everybody', { ...fixed, Address: '0.0.0.0' }, 'PropertyValueFormatError'],
    ['with a mask full of holes', { ...fixed, SubnetMask: '255.0.255.0' }, 'PropertyValueFormatError'],
    ['with a text for a gateway', { ...fixed, Gateway: 'gw' }, 'PropertyValueFormatError'],
  ])('refuse an address %s, and nothing changes', async (_what, added, key) => {
    const emulator = await startEmulator()
    const before = await emulator.get(port)
    const answer = await patch(emulator, port, { IPv4StaticAddresses: [{}, added] })
    expect([answer.status, messageKeys(answer.json)]).toEqual([400, [key]])
    expect(await emulator.get(port)).toEqual(before)
  })

  test('are leased while DHCP is on, and the static ones while it is off', async () => {
    const emulator = await startEmulator()
    const on = await patch(emulator, port, { DHCPv4: { DHCPEnabled: true } })
    expect(on.json['IPv4Addresses']).toMatchObject([{ Address: '198.51.100.18', AddressOrigin: 'DHCP' }])
    await patch(emulator, port, { IPv4StaticAddresses: [fixed] })
    expect((await emulator.get(port))['IPv4Addresses']).toMatchObject([{ AddressOrigin: 'DHCP' }])
    const off = await patch(emulator, port, { DHCPv4: { DHCPEnabled: false } })
    expect(off.json['IPv4Addresses']).toEqual([{ ...fixed, AddressOrigin: 'Static' }])
  })

  test('of version 6 and the name servers follow, too', async () => {
    const emulator = await startEmulator()
    const answer = await patch(emulator, port, {
      IPv6StaticAddresses: [{ Address: '2001:db8::9', PrefixLength: 56 }],
      StaticNameServers: ['192.0.2.53', {}],
    })
    expect(answer.status).toBe(200)
    expect(answer.json['IPv6Addresses']).toEqual([
      { Address: '2001:db8::9', PrefixLength: 56, AddressOrigin: 'Static', AddressState: 'Preferred' },
    ])
    // There was one name server: nothing stands where the second is to be kept.
    expect(annotations(answer.json)).toEqual(['PropertyValueTypeError'])
    const both = await patch(emulator, port, { StaticNameServers: ['192.0.2.53', '192.0.2.54'] })
    expect(both.json['NameServers']).toEqual(['192.0.2.53', '192.0.2.54'])
  })

  test('have a VLAN of the range that the schema gives', async () => {
    const emulator = await startEmulator()
    const answer = await patch(emulator, port, { VLAN: { VLANId: 4095 } })
    expect([answer.status, messageKeys(answer.json)]).toEqual([400, ['PropertyValueOutOfRange']])
  })
})

describe('Allow', () => {
  const allow = async ({ send }: TestEmulator, uri: string) => String((await send(uri)).headers['allow'])

  test('names PATCH only where something is writable, and 405 says the same', async () => {
    const emulator = await startEmulator()
    const bare = { ...emulator.bmc.machine.resources.get(chassis) } as JsonObject
    const { AssetTag: _, LocationIndicatorActive: __, ...poorer } = bare
    const resources = new Map(emulator.bmc.machine.resources)
    resources.set(chassis, poorer as typeof poorer & { '@odata.id': string; '@odata.type': string })
    const poor = await startEmulator({ machine: { ...emulator.bmc.machine, resources } })
    expect([await allow(emulator, chassis), await allow(poor, chassis)]).toEqual([
      'GET, HEAD, PATCH',
      'GET, HEAD',
    ])
    const refused = await patch(poor, chassis, { AssetTag: 'x' })
    expect(refused).toMatchObject({ status: 405, headers: { allow: 'GET, HEAD' } })
    expect(await poor.send(chassis, { method: 'DELETE' })).toMatchObject({ headers: { allow: 'GET, HEAD' } })
  })

  test('is that of the whole resource where a query shows less of it', async () => {
    const emulator = await startEmulator()
    expect(await allow(emulator, `${chassis}?$select=Name`)).toBe('GET, HEAD, PATCH')
  })

  test('names PUT for the settings of a BIOS alone, and the BIOS itself is only read', async () => {
    const emulator = await startEmulator()
    expect(await allow(emulator, settings)).toBe('GET, HEAD, PATCH, PUT')
    expect(await allow(emulator, uris.bios(system))).toBe('GET, HEAD')
    expect(emulator.app.rows.filter(({ put }) => put !== undefined)).toHaveLength(1)
  })

  test('names changes only where the schema of the type permits them', async () => {
    const emulator = await startInhabited()
    for (const uri of await rowsWith(emulator, ({ patch: offered }) => offered !== undefined)) {
      const facts = factsOfType((await emulator.get(uri))['@odata.type'] as string)
      expect([uri, facts?.schema['updatable']]).toEqual([uri, true])
    }
  })
})

test('what is said to be writable of a machine is not read-only in the schema', async () => {
  const emulator = await startInhabited()
  // What stands by has nothing to write.
  const examples = new Map(await exampleUris(emulator)).set(uris.firmware(':id'), uris.firmware('BIOS'))
  for (const row of emulator.app.rows) {
    const rule = row.patch
    if (rule?.writable === undefined) continue
    const uri = examples.get(row.path) ?? ''
    const resource = row.view(emulator.bmc, paramsIn(row.path, uri))
    const writable = resource && rule.writable(resource)
    expect([row.path, Object.keys(writable ?? {})]).not.toEqual([row.path, []])
    const { json } = await patch(emulator, uri, asRead(resource ?? {}, writable ?? {}))
    const told = json['error'] ?? json['@Message.ExtendedInfo']
    expect([row.path, annotations(json), told]).toEqual([row.path, [], undefined])
  }
})

/** What the parameters of a row's path are in a URI. */
function paramsIn(path: string, uri: string): Record<string, string> {
  const segments = uri.split('/')
  return Object.fromEntries(
    path
      .split('/')
      .flatMap((name, index) => (name.startsWith(':') ? [[name.slice(1), segments[index] ?? '']] : [])),
  )
}

/** The writable members of a resource with the values that they have. */
function asRead(resource: JsonObject, writable: JsonObject | Readonly<Record<string, unknown>>): JsonObject {
  return Object.fromEntries(
    Object.entries(writable).map(([name, below]) => {
      const value = resource[name] ?? null
      return [name, isObject(below) && isObject(value) ? asRead(value, below) : value]
    }),
  )
}
