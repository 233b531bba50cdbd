import { describe, expect, test } from 'vitest'
import { machineDocument } from '../../src/bmc/bmc.ts'
import { machineNames } from '../../src/bmc/mockup-folder.ts'
import { isObject, type JsonObject } from '../../src/redfish/resource.ts'
import { uris } from '../../src/redfish/uris.ts'
import { startFleet } from '../support/fleet.ts'
import { validateBody } from '../support/schemas.ts'
import { dangling, misleading, walk } from '../support/walk.ts'

const telling = new Set([
  'SerialNumber',
  'UUID',
  'ServiceEntryPointUUID',
  'MACAddress',
  'PermanentMACAddress',
  'HostName',
])

describe.each(machineNames)('every resource of a fleet’s %s', (machine) => {
  const groups = [{ name: 'x', count: 3, machine, versions: { 'NIC-1': '1.2.3' } }]
  const started = async () => {
    const versions = machine === 'rackmount' ? groups : groups.map(({ versions: _none, ...group }) => group)
    return startFleet({ seed: 'walked', groups: versions })
  }

  test('is right in all that a client can see', async () => {
    const { at } = await started()
    const found = await walk(at('x-0002'))
    const bodies = [...found.visited.values()]
    expect(bodies.length).toBeGreaterThan(50)
    expect(bodies.filter(({ status }) => status !== 200)).toEqual([])
    expect([...dangling(found), ...misleading(found)]).toEqual([])
    expect(
      bodies.flatMap(({ uri, body }) => validateBody(body).map((problem) => `${uri} ${problem}`)),
    ).toEqual([])
  })

  test('shows nothing that tells a machine from its like as the machine has it, nor as its neighbour', async () => {
    const { at } = await started()
    const [one, other] = await Promise.all(
      ['x-0001', 'x-0002'].map(async (id) => (await walk(at(id))).visited),
    )
    const original = at('x-0001').bmc.machine.resources
    const ofMachine = new Set([...original.values()].flatMap((body) => tellingIn(body)))
    const shown = [one, other].map(
      (all) => new Set([...(all?.values() ?? [])].flatMap(({ body }) => tellingIn(body))),
    )
    expect(ofMachine.size).toBeGreaterThan(10)
    // Certificates of the service have serial numbers, too.
    expect(shown.every(({ size }) => size >= ofMachine.size)).toBe(true)
    expect([...ofMachine].filter((value) => shown.some((all) => all.has(value)))).toEqual([])
    expect([...(shown[0] ?? [])].filter((value) => shown[1]?.has(value))).toEqual([])
  })

  test('says the same of one thing in all places', async () => {
    const { at } = await started()
    const { bmc, get } = at('x-0003')
    const root = await get(`${uris.root}/`)
    const manager = await get(bmc.machine.manager)
    const same = bmc.machine.resources.get(bmc.machine.manager)?.['ServiceEntryPointUUID']
    expect(same).toBe(bmc.machine.resources.get(uris.root)?.['UUID'])
    expect(manager['ServiceEntryPointUUID']).toBe(root['UUID'])
    expect(root['UUID']).toBe(machineDocument(bmc, uris.root)?.['UUID'])
  })
})

test('versions of a group are what its BMCs run, wherever that is shown', async () => {
  const { at } = await startFleet({ groups: [{ name: 'x', count: 1, versions: { BIOS: '9.9.9' } }] })
  const { get } = at('x-0001')
  expect((await get(uris.firmware('BIOS')))['Version']).toBe('9.9.9')
  expect((await get(uris.system('1')))['BiosVersion']).toBe('9.9.9')
})

function tellingIn(value: unknown, name = ''): string[] {
  if (Array.isArray(value)) return value.flatMap((item: unknown) => tellingIn(item, name))
  if (isObject(value))
    return Object.entries<JsonObject[string]>(value).flatMap(([key, member]) => tellingIn(member, key))
  return telling.has(name) && typeof value === 'string' && value !== '' ? [value] : []
}
