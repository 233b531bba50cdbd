import { describe, expect, test } from 'vitest'
import * as fc from 'fast-check'
import { createBmc, machineDocument } from '../../src/bmc/bmc.ts'
import { identified } from '../../src/bmc/identity.ts'
import { loadMachine, machineNames } from '../../src/bmc/mockup-folder.ts'
import { uris } from '../../src/redfish/uris.ts'

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
const text = fc.string({ minLength: 1, maxLength: 20 })

describe('what tells a machine from its like', () => {
  const original = {
    SerialNumber: 'RFL25a-00417',
    UUID: '00a919c2-d8ef-5ffd-8550-63411d613ac8',
    Name: 'RFL25a-00417',
    Links: { Parts: [{ ServiceEntryPointUUID: '00a919c2-d8ef-5ffd-8550-63411d613ac8', SerialNumber: '' }] },
    MACAddress: '02:00:5E:10:00:01',
    Identifiers: [{ DurableName: '02005E10AB', DurableNameFormat: 'NAA' }],
    HostName: 'host',
    FQDN: 'host.lab.example',
  }

  test('keeps its shape, and what does not tell it apart stays as it is', () => {
    fc.assert(
      fc.property(text, text, (seed, id) => {
        const shown = identified({ seed, id }, original)
        expect(shown.SerialNumber).toMatch(/^[A-Z]{3}[0-9]{2}[a-z]-[0-9]{5}$/)
        expect(shown.UUID).toMatch(UUID)
        expect(shown.UUID[14]).toBe('5')
        expect(shown.MACAddress).toMatch(/^[0-9A-F][26AE](:[0-9A-F]{2}){5}$/)
        expect(shown.Identifiers[0]?.DurableName).toMatch(/^[0-9A-F]{10}$/)
        expect(shown.Name).toBe(original.Name)
        expect(shown.Identifiers[0]?.DurableNameFormat).toBe('NAA')
        expect(shown.Links.Parts[0]?.SerialNumber).toBe('')
      }),
    )
  })

  test('is the same again of the same seed and Id, and wherever the machine shows it', () => {
    fc.assert(
      fc.property(text, text, (seed, id) => {
        const shown = identified({ seed, id }, original)
        expect(identified({ seed, id }, original)).toEqual(shown)
        expect(shown.Links.Parts[0]?.ServiceEntryPointUUID).toBe(shown.UUID)
      }),
    )
  })

  test('is another of another seed, and of another Id', () => {
    fc.assert(
      fc.property(text, text, text, (seed, id, other) => {
        fc.pre(id !== other && seed !== other)
        const { UUID: uuid } = identified({ seed, id }, original)
        expect(identified({ seed, id: other }, original).UUID).not.toBe(uuid)
        expect(identified({ seed: other, id }, original).UUID).not.toBe(uuid)
      }),
    )
  })

  test('is the machine’s own without a seed', () => {
    expect(identified({ seed: undefined, id: 'bmc-0001' }, original)).toBe(original)
  })

  test('calls a host by the name of its BMC', () => {
    const { HostName, FQDN } = identified({ seed: 's', id: 'bmc-0042.rack-3' }, original)
    expect([HostName, FQDN]).toEqual(['bmc-0042-rack-3-host', 'bmc-0042-rack-3-host.lab.example'])
  })
})

test.each(machineNames)('no two of 20,000 BMCs of %s have the same UUID or serial number', (name) => {
  const machine = loadMachine(name)
  const system = [...machine.systems.keys()][0] ?? ''
  const seen = { uuids: new Set<unknown>(), roots: new Set<unknown>(), serials: new Set<unknown>() }
  for (let number = 0; number < 20_000; number++) {
    const bmc = { ...createdOnce(machine), id: `bmc-${number}`, seed: 'seed' }
    const root = machineDocument(bmc, uris.root)
    const shown = machineDocument(bmc, system)
    seen.uuids.add(shown?.['UUID'])
    seen.serials.add(shown?.['SerialNumber'])
    seen.roots.add(root?.['UUID'])
  }
  expect([seen.uuids.size, seen.serials.size, seen.roots.size]).toEqual([20_000, 20_000, 20_000])
})

const made = new Map<ReturnType<typeof loadMachine>, ReturnType<typeof createBmc>>()
function createdOnce(machine: ReturnType<typeof loadMachine>) {
  const bmc = made.get(machine) ?? createBmc('1', machine, new Map())
  made.set(machine, bmc)
  return bmc
}
