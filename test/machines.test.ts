import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { Machine } from '../src/bmc/machine.ts'
import { MachineFile } from '../src/bmc/machine-file.ts'
import { loadMachine, machineNames } from '../src/bmc/mockup-folder.ts'
import { getPointer } from '../src/redfish/pointer.ts'
import { type JsonObject, linkUris } from '../src/redfish/resource.ts'
import { uris } from '../src/redfish/uris.ts'
import { startEmulator, type TestEmulator } from './support/emulator.ts'
import { pushVersions } from './support/versions.ts'

type Reading = JsonObject & { readonly DataSourceUri: string }

describe.each(machineNames)('the data of %s', (name) => {
  const machine = loadMachine(name)
  const file = JSON.parse(
    readFileSync(join(import.meta.dirname, '../mockups', name, 'machine.json'), 'utf8'),
  ) as JsonObject

  test('is right, as it would have to be in a folder of somebody else’s', () => {
    const folder = join(import.meta.dirname, '../mockups', name)
    expect({ ...loadMachine(folder), name }).toEqual(machine)
  })

  test('describes the behaviour of exactly its firmware components', () => {
    expect(Object.keys(file['components'] ?? {}).toSorted()).toEqual(
      [...machine.components.keys()].toSorted(),
    )
    expect(Object.keys(file['systems'] ?? {}).toSorted()).toEqual([...machine.systems.keys()].toSorted())
  })

  test('names resources that exist, and resets that they allow', () => {
    expect(machine.resources.get(machine.manager)?.['@odata.type']).toMatch(/^#Manager\./)
    const wrong = [...machine.components.values()].flatMap(({ id, behaviour: { reset, needsPowerOf } }) => {
      const hasSystem = needsPowerOf === undefined || machine.systems.has(needsPowerOf)
      return hasSystem && (reset === undefined || allows(machine, reset)) ? [] : [id]
    })
    expect(wrong).toEqual([])
  })

  test('shows versions where it says that they are shown', () => {
    const wanted = [...machine.components.values()].flatMap(({ id, behaviour }) =>
      (behaviour.shownBy ?? []).map(({ resource, pointer }) => `${resource}#${pointer} shows ${id}`),
    )
    const shown = [...machine.shown].flatMap(([resource, places]) =>
      places.map(({ pointer, component }) => `${resource}#${pointer} shows ${component}`),
    )
    expect(wanted.length).toBeGreaterThan(4)
    expect(shown.toSorted()).toEqual(wanted.toSorted())
  })

  test('is honest about resets: what says that it needs one waits for one', () => {
    const components = [...machine.components.values()]
    expect(
      components
        .filter(
          ({ resource, behaviour }) =>
            (resource['ResetRequiredOnUpdate'] === true) !== (behaviour.reset !== undefined),
        )
        .map(({ id }) => id),
    ).toEqual([])
  })
})

test('docs/machines.md tells everything that machine.json may say', () => {
  const page = readFileSync(join(import.meta.dirname, '../docs/machines.md'), 'utf8')
  const told = new Set(page.match(/`[^`]+`/g)?.flatMap((code) => code.match(/\w+/g) ?? []))
  const names = memberNames(MachineFile)
  expect(names).toContain('bootMs')
  expect(names.filter((name) => !told.has(name))).toEqual([])
})

describe('by links alone a client finds', () => {
  test('the temperature sensors of a system', async () => {
    const { get } = await startEmulator()
    const follow = async (from: JsonObject, pointer: string): Promise<JsonObject> => get(uriAt(from, pointer))
    const system = await follow(await follow(await get(`${uris.root}/`), '/Systems'), '/Members/0')
    const chassis = await follow(system, '/Links/Chassis/0')
    const metrics = await follow(await follow(chassis, '/ThermalSubsystem'), '/ThermalMetrics')
    const readings = metrics['TemperatureReadingsCelsius'] as readonly Reading[]
    expect(readings.length).toBeGreaterThan(1)
    for (const { DataSourceUri, Reading } of readings) {
      const sensor = await get(DataSourceUri)
      expect(sensor).toMatchObject({ ReadingType: 'Temperature', ReadingUnits: 'Cel', Reading })
    }
    const sensors = await follow(chassis, '/Sensors')
    const all = linkUris(sensors['Members'])
    expect(readings.filter(({ DataSourceUri }) => !all.includes(DataSourceUri))).toEqual([])
    // The older way, which many clients still go.
    const { Temperatures } = await follow(chassis, '/Thermal')
    expect(Temperatures).toHaveLength(readings.length)
  })

  test('every blade in its enclosure, its system, and the way back', async () => {
    const { get } = await startEmulator({ machine: 'bladed' })
    const enclosures = await membersOf(get, uris.chassis, (body) => body['ChassisType'] === 'Enclosure')
    expect(enclosures).toHaveLength(1)
    const [enclosure = {}] = enclosures
    const blades = linkUris(getPointer(enclosure, '/Links/Contains'))
    expect(blades).toHaveLength(4)
    const systems: string[] = []
    for (const uri of blades) {
      const blade = await get(uri)
      expect(blade['ChassisType']).toBe('Blade')
      expect(uriAt(blade, '/Links/ContainedBy')).toBe(enclosure['@odata.id'])
      const system = uriAt(blade, '/Links/ComputerSystems/0')
      systems.push(system)
      expect(linkUris(getPointer(await get(system), '/Links/Chassis'))).toContain(uri)
    }
    expect(systems.toSorted()).toEqual(linkUris((await get(uris.systems))['Members']).toSorted())
  })

  test('which fans stand in for each other, and what they cool', async () => {
    const { get } = await startEmulator({ machine: 'bladed' })
    const [enclosure = {}] = await membersOf(get, uris.chassis, (body) => body['ChassisType'] === 'Enclosure')
    const uri = uriAt(enclosure, '/Thermal')
    const thermal = await get(uri)
    const element = (reference: string): unknown => {
      expect(reference).toMatch(new RegExp(`^${uri}#/`))
      return getPointer(thermal, reference.slice(uri.length + 1))
    }
    const fans = thermal['Fans'] as readonly JsonObject[]
    const [group = {}] = thermal['Redundancy'] as readonly JsonObject[]
    const members = linkUris(group['RedundancySet']).map(element)
    expect(members).toEqual(fans)
    for (const fan of fans) {
      expect(linkUris(fan['Redundancy']).map(element)).toEqual([group])
      const related = linkUris(fan['RelatedItem'])
      expect(related).not.toEqual([])
      for (const item of related) expect(await get(item)).toHaveProperty(['@odata.type'])
    }
  })

  test('which power supplies stand in for each other', async () => {
    const { get } = await startEmulator({ machine: 'bladed' })
    const [enclosure = {}] = await membersOf(get, uris.chassis, (body) => body['ChassisType'] === 'Enclosure')
    const power = await get(uriAt(enclosure, '/PowerSubsystem'))
    const supplies = linkUris((await get(uriAt(power, '/PowerSupplies')))['Members'])
    const group = linkUris(getPointer(power, '/PowerSupplyRedundancy/0/RedundancyGroup'))
    expect(group.toSorted()).toEqual(supplies.toSorted())
    expect(supplies).toHaveLength(4)
  })
})

describe('a folder', () => {
  test('with a mockup in DMTF’s layout is a machine, whatever it leaves out', async () => {
    const folder = mockup({
      '': {
        '@odata.id': '/redfish/v1/',
        '@odata.type': '#ServiceRoot.v1_5_0.ServiceRoot',
        Chassis: { '@odata.id': uris.chassis },
      },
      Chassis: {
        '@odata.id': uris.chassis,
        '@odata.type': '#ChassisCollection.ChassisCollection',
        Members: [],
        '@Redfish.Copyright': 'x',
      },
    })
    const { get, send } = await startEmulator({ machine: folder })
    expect(await get(`${uris.root}/`)).toMatchObject({
      Chassis: { '@odata.id': uris.chassis },
      UpdateService: {},
    })
    expect(await get(uris.chassis)).not.toHaveProperty(['@Redfish.Copyright'])
    expect(await get(uris.firmwareInventory)).toMatchObject({ 'Members@odata.count': 0 })
    expect((await send(uris.systems)).status).toBe(404)
  })

  test('that does not exist is told by its name, and what would be right', () => {
    expect(() => loadMachine('/nowhere/to/be/found')).toThrow(
      /\/nowhere\/to\/be\/found.*rackmount, bladed.*folder/,
    )
  })

  test('that is no mockup is told so', () => {
    expect(() => loadMachine(mockup({}))).toThrow(/no service root \(index\.json\)/)
  })

  test('with a file that is not JSON is told which one', () => {
    const folder = mockup({ '': { '@odata.id': '/redfish/v1/' }, 'Chassis/1': '{ "half": ' })
    expect(() => loadMachine(folder)).toThrow(/Chassis.1.index\.json is not JSON/)
  })

  test('with a wrong machine.json is told all that is wrong with it', () => {
    const folder = copyOf('rackmount')
    const file = join(folder, 'machine.json')
    const data = JSON.parse(readFileSync(file, 'utf8')) as {
      components: Record<string, Record<string, unknown>>
    }
    Object.assign(data, {
      maxParallelUploads: 0,
      outage: { kind: 'explode', bootMs: -1 },
      colour: 'red',
      manager: undefined,
    })
    Object.assign(data.components['BIOS'] ?? {}, {
      verifyMs: '3 s',
      reset: { resource: '/redfish/v1/Systems/1' },
    })
    Object.assign(data.components['CPLD'] ?? {}, { identity: { raw: { version: 'V(' } } })
    writeFileSync(file, JSON.stringify(data))
    let text = ''
    try {
      loadMachine(folder)
    } catch (error) {
      text = String(error)
    }
    for (const pointer of [
      '/maxParallelUploads',
      '/outage/kind',
      '/outage/bootMs',
      '/colour',
      '/manager',
      '/components/BIOS/verifyMs',
      '/components/BIOS/reset/type',
      '/components/CPLD/identity/raw/version',
    ])
      expect(text).toContain(`  ${pointer}: `)
    expect(text).toContain('machine.json is wrong')
  })

  test('of a copied machine behaves as its changed data says', async () => {
    const folder = copyOf('rackmount')
    const file = join(folder, 'machine.json')
    const data = JSON.parse(readFileSync(file, 'utf8')) as {
      components: Record<string, Record<string, unknown>>
    }
    Object.assign(data.components['NIC-1'] ?? {}, { installMs: 1_000_000 })
    writeFileSync(file, JSON.stringify(data))
    const emulator = await startEmulator({ machine: folder })
    await pushVersions(emulator, { 'NIC-1': '99.0.0' })
    await emulator.clock.advance(900_000)
    expect(await emulator.get(uris.task('1'))).toMatchObject({ TaskState: 'Running' })
    await emulator.clock.advance(200_000)
    expect(await emulator.get(uris.task('1'))).toMatchObject({ TaskState: 'Completed' })
  })
})

/** Whether the resource that is to be reset offers that reset. */
function allows(
  machine: Machine,
  { resource, type }: { readonly resource: string; readonly type: string },
): boolean {
  const action = resource.startsWith(`${uris.systems}/`) ? 'ComputerSystem.Reset' : 'Manager.Reset'
  const pointer = `/Actions/#${action}/ResetType@Redfish.AllowableValues`
  const types = getPointer(machine.resources.get(resource), pointer)
  return Array.isArray(types) && types.includes(type)
}

async function membersOf(
  get: TestEmulator['get'],
  collection: string,
  isWanted: (body: JsonObject) => boolean,
): Promise<JsonObject[]> {
  const bodies = await Promise.all(linkUris((await get(collection))['Members']).map((uri) => get(uri)))
  return bodies.filter(isWanted)
}

/** The URI of the link at a pointer. */
function uriAt(body: JsonObject, pointer: string): string {
  const link = getPointer(body, `${pointer}/@odata.id`)
  if (typeof link !== 'string')
    throw new Error(`${JSON.stringify(body['@odata.id'])} has no link at ${pointer}`)
  return link
}

/** A folder with an `index.json` for each path below the service root. */
/** The members that a schema knows, at any depth; what goes wrong with devices has a page of its own. */
function memberNames(schema: object): string[] {
  const {
    properties = {},
    patternProperties = {},
    items,
  } = schema as {
    readonly [N in 'properties' | 'patternProperties']?: Readonly<Record<string, object>>
  } & { readonly items?: object }
  const below = [...Object.values(patternProperties), ...(items === undefined ? [] : [items])].flatMap(
    memberNames,
  )
  const own = Object.entries(properties).flatMap(([name, member]) =>
    name === 'fail' ? [name] : [name, ...memberNames(member)],
  )
  return [...own, ...below]
}

function mockup(bodies: Readonly<Record<string, JsonObject | string>>): string {
  const folder = temporaryFolder()
  for (const [path, body] of Object.entries(bodies)) {
    const file = join(folder, path, 'index.json')
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, typeof body === 'string' ? body : JSON.stringify(body))
  }
  return folder
}

function copyOf(name: string): string {
  const folder = temporaryFolder()
  cpSync(join(import.meta.dirname, '../mockups', name), folder, { recursive: true })
  return folder
}

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'redflash-test-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}
