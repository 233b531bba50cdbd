import { describe, expect, onTestFinished, test } from 'vitest'
import { createRedfishAdapter, type RedfishOptions } from '../../src/devices/redfish/redfish-adapter.ts'
import type { JsonObject } from '../../src/redfish/resource.ts'
import { hurried, startPeer } from '../support/redfish-peer.ts'
import { type Reply, startService } from '../support/scripted-service.ts'

const V1 = '/redfish/v1'
const ITEMS = `${V1}/UpdateService/FirmwareInventory`
const link = (uri: string) => ({ '@odata.id': uri })
const collection = (...uris: string[]): Reply => ({ body: { Members: uris.map(link) } })
const item = (Id: string, more: JsonObject = {}) => ({ ...link(`${ITEMS}/${Id}`), Id, Version: '1', ...more })

/** A device with a system, a manager, a chassis, and these inventory items. */
function scriptOf(items: readonly JsonObject[], root: JsonObject = {}): Record<string, Reply> {
  const uris = items.map((one) => one['@odata.id'] as string)
  return {
    [`GET ${V1}/`]: {
      body: {
        RedfishVersion: '1.15.0',
        Name: 'Root',
        UUID: 'root-uuid',
        Systems: link(`${V1}/Systems`),
        Managers: link(`${V1}/Managers`),
        Chassis: link(`${V1}/Chassis`),
        UpdateService: link(`${V1}/UpdateService`),
        ...root,
      },
    },
    [`GET ${V1}/Systems`]: collection(`${V1}/Systems/S`),
    [`GET ${V1}/Systems/S`]: {
      body: {
        ...link(`${V1}/Systems/S`),
        Id: 'S',
        Name: 'System',
        Model: 'M1',
        PowerState: 'Off',
        Actions: { '#ComputerSystem.Reset': { target: '/reset', '@Redfish.ActionInfo': '/info' } },
      },
    },
    [`GET /info`]: { body: { Parameters: [{ Name: 'ResetType', AllowableValues: ['On', 'ForceRestart'] }] } },
    [`GET ${V1}/Managers`]: collection(`${V1}/Managers/M`),
    [`GET ${V1}/Managers/M`]: {
      body: { ...link(`${V1}/Managers/M`), Id: 'M', Links: { SoftwareImages: [link(`${ITEMS}/BMC`)] } },
    },
    [`GET ${V1}/Chassis`]: collection(`${V1}/Chassis/C`),
    [`GET ${V1}/Chassis/C`]: {
      body: { ...link(`${V1}/Chassis/C`), Id: 'C', Manufacturer: 'Maker', Model: 'other' },
    },
    [`GET ${V1}/UpdateService`]: { body: { FirmwareInventory: link(ITEMS) } },
    [`GET ${ITEMS}`]: collection(...uris),
    ...Object.fromEntries(items.map((body, at) => [`GET ${uris[at]}`, { body }])),
  }
}

async function look(
  script: Readonly<Record<string, Reply | readonly Reply[]>>,
  options: Partial<RedfishOptions> = {},
) {
  const service = await startService(script)
  const adapter = createRedfishAdapter({ clock: hurried, ...options })
  onTestFinished(() => adapter.close())
  const device = { hostName: service.hostName, userName: 'me', password: 's3cret' }
  const seen = await adapter.look(device, new AbortController().signal)
  return { ...service, seen, facts: seen.ok ? seen.value : undefined }
}

describe('a look at a device', () => {
  test('finds what it says of itself, wherever it says it', async () => {
    const { facts } = await look(scriptOf([]))
    expect(facts).toEqual({
      name: 'System',
      manufacturer: 'Maker',
      model: 'M1',
      serialNumber: undefined,
      uuid: 'root-uuid',
      serviceUuid: 'root-uuid',
      power: 'Off',
      resetTypes: ['On', 'ForceRestart'],
      managerResetTypes: [],
      firmware: [],
    })
  })

  test.each([
    ['a member that is gone', { status: 404 }],
    ['a member that cannot be read', { status: 500 }],
  ])('passes over %s', async (_what, reply: Reply) => {
    const script = scriptOf([item('A'), item('B'), item('C')])
    const { facts } = await look({ ...script, [`GET ${ITEMS}/B`]: reply })
    expect(facts?.firmware.map(({ id }) => id)).toEqual(['A', 'C'])
  })

  describe('without an inventory', () => {
    const part = (uri: string, Name: string, more: JsonObject): Reply => ({
      body: { ...link(uri), Id: Name, Name, ...more },
    })
    const parts: Record<string, Reply> = {
      [`GET ${V1}/Systems`]: collection(`${V1}/Systems/1`, `${V1}/Systems/2`, `${V1}/Systems/3`),
      [`GET ${V1}/Systems/1`]: part(`${V1}/Systems/1`, 'a', { BiosVersion: '1.1' }),
      [`GET ${V1}/Systems/2`]: part(`${V1}/Systems/2`, 'b', { BiosVersion: '1.2' }),
      [`GET ${V1}/Systems/3`]: part(`${V1}/Systems/3`, 'c', {}),
      [`GET ${V1}/Managers/M`]: part(`${V1}/Managers/M`, 'm', { FirmwareVersion: '2', Version: 'rev. A' }),
    }
    const bios = { of: 'system', updateable: true }
    const found = [
      { id: 'BIOS-a', name: 'BIOS of a', version: '1.1', nativeId: `${V1}/Systems/1`, ...bios },
      { id: 'BIOS-b', name: 'BIOS of b', version: '1.2', nativeId: `${V1}/Systems/2`, ...bios },
      {
        id: 'Firmware-m',
        name: 'Firmware',
        version: '2',
        nativeId: `${V1}/Managers/M`,
        ...bios,
        of: 'manager',
      },
    ]

    test.each<[string, Reply]>([
      ['that is linked to', { status: 404 }],
      ['that may be read', { status: 405 }],
      ['with anything in it', collection()],
    ])('%s it has what its systems and managers say that they run', async (_what, reply) => {
      const { facts } = await look({ ...scriptOf([]), ...parts, [`GET ${ITEMS}`]: reply })
      expect(facts?.firmware).toEqual(found)
    })

    test('and without a service for updates nothing of it can be updated', async () => {
      const { facts } = await look({ ...scriptOf([], { UpdateService: null }), ...parts })
      expect(facts?.firmware.map(({ updateable }) => updateable)).toEqual([false, false, false])
    })

    test('for the moment it is not looked at to the end', async () => {
      const { seen } = await look({ ...scriptOf([]), ...parts, [`GET ${ITEMS}`]: { status: 503 } })
      expect(seen).toMatchObject({ problem: { kind: 'busy' } })
    })
  })

  test('tells of what each piece is, as its item or its manager says', async () => {
    const { facts } = await look(
      scriptOf([
        item('BMC'),
        item('BIOS', { RelatedItem: [link(`${V1}/Systems/S/Bios`)] }),
        item('PSU', { RelatedItem: [link('/elsewhere'), link(`${V1}/Chassis/C/PowerSubsystem`)] }),
        item('X', { Updateable: false, SoftwareId: 'soft', Name: 'Thing' }),
      ]),
    )
    expect(facts?.firmware.map(({ id, of }) => [id, of])).toEqual([
      ['BMC', 'manager'],
      ['BIOS', 'system'],
      ['PSU', 'chassis'],
      ['X', 'system'],
    ])
    expect(facts?.firmware[3]).toMatchObject({ updateable: false, softwareId: 'soft', name: 'Thing' })
  })

  test('gives each piece an Id of its own that a URI may hold, and keeps where it is', async () => {
    const odd = { ...item('a b/c'), ...link(`${ITEMS}/1`) }
    const same = { ...item('a_b_c'), ...link(`${ITEMS}/2`) }
    const { facts } = await look(scriptOf([odd, same, item('plain')]))
    expect(facts?.firmware.map(({ id, nativeId }) => [id, nativeId])).toEqual([
      ['a_b_c', `${ITEMS}/1`],
      ['a_b_c-2', `${ITEMS}/2`],
      ['plain', undefined],
    ])
  })

  test('does not take an image that stands by for firmware', async () => {
    const standing = item('New', { Links: { StagedTargets: [link(`${ITEMS}/A`)] } })
    const { facts } = await look(scriptOf([item('A'), standing, item('Old', { Staged: true })]))
    expect(facts?.firmware.map(({ id }) => id)).toEqual(['A'])
  })

  test('turns all pages, and each once', async () => {
    const pages = {
      [`GET ${ITEMS}`]: { body: { Members: [link(`${ITEMS}/A`)], 'Members@odata.nextLink': '/page2' } },
      'GET /page2': { body: { Members: [link(`${ITEMS}/B`)], 'Members@odata.nextLink': '/page2' } },
    }
    const { facts, times } = await look({ ...scriptOf([item('A'), item('B')]), ...pages })
    expect(facts?.firmware.map(({ id }) => id)).toEqual(['A', 'B'])
    expect(times('GET /page2')).toBe(1)
  })

  test('asks a few at a time, however many there are', async () => {
    const many = Array.from({ length: 60 }, (_, at) => item(`F${at}`))
    const script = Object.entries(scriptOf(many)).map(([line, reply]) => [line, { ...reply, lagMs: 10 }])
    const { facts, mostAtOnce } = await look(Object.fromEntries(script) as Record<string, Reply>)
    expect(facts?.firmware.map(({ id }) => id)).toEqual(many.map(({ Id }) => Id))
    expect(mostAtOnce()).toBeLessThanOrEqual(4)
    expect(mostAtOnce()).toBeGreaterThan(1)
  })

  describe('where members can be had with their collection', () => {
    const expands = { ProtocolFeaturesSupported: { ExpandQuery: { NoLinks: true, Levels: true } } }
    const QUERY = '$expand=.($levels=1)'

    test('asks for no member', async () => {
      const items = [item('A'), item('B')]
      const script = { ...scriptOf(items, expands), [`GET ${ITEMS}?${QUERY}`]: { body: { Members: items } } }
      const { facts, times } = await look(script)
      expect(facts?.firmware.map(({ id }) => id)).toEqual(['A', 'B'])
      expect(times(`GET ${ITEMS}/A`)).toBe(0)
    })

    test('asks for the members where that fails', async () => {
      const script = { ...scriptOf([item('A')], expands), [`GET ${ITEMS}?${QUERY}`]: { status: 500 } }
      expect((await look(script)).facts?.firmware.map(({ id }) => id)).toEqual(['A'])
    })
  })

  test('knows a device of many systems by what they are in, and no power or reset of theirs', async () => {
    const peer = await startPeer({ machine: 'bladed' })
    onTestFinished(() => peer.adapter.close())
    const facts = await peer.look()
    const { id: enclosure } = { id: peer.bmc.machine.manager }
    expect(enclosure).toContain('EnclosureManager')
    expect(facts).toMatchObject({ power: undefined, resetTypes: [] })
    expect(facts.managerResetTypes).toContain('GracefulRestart')
    const chassis = (await peer.get(`${V1}/Chassis/Enclosure`)).json
    expect(facts).toMatchObject({ model: chassis['Model'], serialNumber: chassis['SerialNumber'] })
  })

  test.each(['0', '3'])('sees the same whatever the size of pages (%s)', async (pageSize) => {
    const peer = await startPeer({ pageSize: Number(pageSize) })
    onTestFinished(() => peer.adapter.close())
    expect((await peer.look()).firmware.map(({ id }) => id)).toEqual([...peer.bmc.machine.components.keys()])
  })
})

describe('a login', () => {
  const sessions = { Links: { Sessions: link('/sessions') } }
  const basic = `Basic ${Buffer.from('me:s3cret').toString('base64')}`

  test('opens a session, uses it and ends it', async () => {
    const { requests, facts } = await look({
      ...scriptOf([], sessions),
      'POST /sessions': { status: 201, headers: { 'X-Auth-Token': 'token', Location: '/sessions/7' } },
      'DELETE /sessions/7': { status: 204 },
    })
    expect(facts).toBeDefined()
    const [root, login, ...others] = requests
    expect([root?.headers.authorization, root?.headers['x-auth-token']]).toEqual([undefined, undefined])
    expect(JSON.parse(login?.body ?? '')).toEqual({ UserName: 'me', Password: 's3cret' })
    expect(new Set(others.map(({ headers }) => headers['x-auth-token']))).toEqual(new Set(['token']))
    expect(others.some(({ headers }) => headers.authorization !== undefined)).toBe(false)
    expect(others.at(-1)?.line).toBe('DELETE /sessions/7')
  })

  test.each([404, 405, 501, 503])('is by Basic where sessions are refused with %d', async (status) => {
    const { requests, facts } = await look({ ...scriptOf([], sessions), 'POST /sessions': { status } })
    expect(facts).toBeDefined()
    expect(requests.at(-1)?.headers.authorization).toBe(basic)
  })

  test('that is refused is not tried by Basic: accounts get locked by less', async () => {
    const { requests, seen } = await look({ ...scriptOf([], sessions), 'POST /sessions': { status: 401 } })
    expect(seen).toMatchObject({ ok: false, problem: { kind: 'unauthorized' } })
    expect(requests.map(({ headers }) => headers.authorization)).not.toContain(basic)
    expect(JSON.stringify(seen)).not.toContain('s3cret')
  })

  test('comes first where not even the service root is open', async () => {
    const script = scriptOf([])
    const root = [{ status: 401 }, script[`GET ${V1}/`] ?? {}]
    const { facts } = await look({ ...script, [`GET ${V1}/`]: root })
    expect(facts).toBeDefined()
  })
})

describe('an address', () => {
  const http = (script: Reply) => look({ [`GET ${V1}/`]: script })

  test.each([
    ['that answers 503', { status: 503 }, 'busy'],
    ['that is no Redfish service', { status: 404 }, 'unsupported'],
    ['that fails at it', { status: 500 }, 'unsupported'],
    ['that leads elsewhere', { status: 302, headers: { Location: '/login' } }, 'unsupported'],
    ['that serves anything else', { body: { Name: 'Root' } }, 'unsupported'],
    [
      'that links to what is no URI',
      { body: { RedfishVersion: '1.15.0', Systems: link('http://[') } },
      'unsupported',
    ],
    ['that lets nobody in', { status: 403 }, 'unauthorized'],
    ['that hangs up', { ending: 'lost' }, 'unreachable'],
  ] as const)('%s is a problem of its own', async (_what, reply, kind) => {
    expect((await http(reply)).seen).toMatchObject({ ok: false, problem: { kind } })
  })

  test('that never answers is given up', async () => {
    const clock = { ...hurried, schedule: (ms: number, run: () => void) => hurried.schedule(ms / 1_000, run) }
    const { seen, connections } = await look({ [`GET ${V1}/`]: { ending: 'never' } }, { clock })
    expect(seen).toMatchObject({ problem: { kind: 'unreachable', detail: 'no answer in time' } })
    await expect.poll(connections).toBe(0)
  })

  test.each(['', 'not a host', 'https://'])('that is none (%j) is told so', async (hostName) => {
    const adapter = createRedfishAdapter({ clock: hurried })
    const device = { hostName, userName: 'me', password: 's3cret' }
    const seen = await adapter.look(device, new AbortController().signal)
    expect(seen).toMatchObject({ ok: false, problem: { kind: 'unreachable' } })
  })

  test('whose certificate is not trusted is told so, and trusted where its certificate is', async () => {
    const peer = await startPeer({ https: true })
    const hostName = new URL(peer.emulator.httpsUrl ?? '').host
    const see = (trustedCertificates?: readonly string[]) => {
      const adapter = createRedfishAdapter({
        clock: hurried,
        ...(trustedCertificates && { trustedCertificates }),
      })
      onTestFinished(() => adapter.close())
      return adapter.look({ ...peer.address, hostName }, new AbortController().signal)
    }
    const shown = await peer.get(`${V1}/Managers/1/NetworkProtocol/HTTPS/Certificates/1`)
    expect(await see([])).toMatchObject({ ok: false, problem: { kind: 'untrusted' } })
    expect(await see([shown.json['CertificateString'] as string])).toMatchObject({ ok: true })
    expect(await see()).toMatchObject({ ok: true })
  })

  test('of the HTTP port leads to HTTPS where the device says so, before any password is sent', async () => {
    const peer = await startPeer({ https: true, httpMode: 'redirect' })
    onTestFinished(() => peer.adapter.close())
    expect(peer.address.hostName).toMatch(/^http:/)
    expect((await peer.look()).name).toBe('rack07-18')
  })

  test('of a device that points elsewhere is asked all the same, and nobody else is', async () => {
    const other = await startService({})
    const script = scriptOf([item('A')])
    const root = script[`GET ${V1}/`]?.body ?? {}
    const systems = link(`${other.hostName}${V1}/Systems`)
    const { facts } = await look({ ...script, [`GET ${V1}/`]: { body: { ...root, Systems: systems } } })
    expect(facts?.name).toBe('System')
    expect(other.requests).toEqual([])
  })
})
