import { describe, expect, test } from 'vitest'
import { RedfishError } from '../src/redfish/errors.ts'
import { applyQuery } from '../src/redfish/query/apply.ts'
import { expand, type Lookup, MAX_LEVELS } from '../src/redfish/query/expand.ts'
import { parseQuery } from '../src/redfish/query/parse.ts'
import {
  isObject,
  type Json,
  type JsonObject,
  link,
  linkUris,
  type Resource,
} from '../src/redfish/resource.ts'

const system: Resource = {
  '@odata.id': '/s/1',
  '@odata.type': '#ComputerSystem.v1_27_0.ComputerSystem',
  '@odata.etag': '"1"',
  Id: '1',
  Name: 'System',
  Status: { State: 'Enabled', Health: 'OK' },
  'Status@Redfish.Deprecated': 'no',
  Boot: [{ Id: 'a', Type: 'x' }, { Id: 'b' }],
  Memory: link('/m'),
  Links: { Chassis: [link('/c/1')], 'Chassis@odata.count': 1 },
}

/** What a query makes of a resource in a small world. */
function ask(resource: Resource, query: string, world: readonly Resource[] = [], pageSize = 0): JsonObject {
  const parsed = parseQuery(query)
  if (parsed === undefined) throw new Error(`${query} gives no option`)
  return applyQuery(resource, parsed, { lookup: lookupIn(world), pageSize })
}

function lookupIn(world: readonly Resource[]): Lookup {
  return (uri) => world.find((one) => one['@odata.id'] === uri)
}

function refusal(query: string, resource = system): { status: number; messages: string[] } {
  try {
    ask(resource, query)
  } catch (error) {
    if (!(error instanceof RedfishError)) throw error
    const messages = error.messages.map(({ MessageId }) => MessageId.split('.').at(-1) ?? '')
    return { status: error.status, messages }
  }
  return { status: 200, messages: [] }
}

const always = { '@odata.id': '/s/1', '@odata.type': system['@odata.type'], '@odata.etag': '"1"' }

describe('$select', () => {
  test.each<[string, JsonObject]>([
    ['Id', { Id: '1' }],
    ['Id, Name', { Id: '1', Name: 'System' }],
    ['Status', { Status: { State: 'Enabled', Health: 'OK' }, 'Status@Redfish.Deprecated': 'no' }],
    ['Status/Health', { Status: { Health: 'OK' }, 'Status@Redfish.Deprecated': 'no' }],
    [
      'Status,Status/Health',
      { Status: { State: 'Enabled', Health: 'OK' }, 'Status@Redfish.Deprecated': 'no' },
    ],
    [
      'Status/Health,Status',
      { Status: { State: 'Enabled', Health: 'OK' }, 'Status@Redfish.Deprecated': 'no' },
    ],
    ['Boot/Type', { Boot: [{ Type: 'x' }, {}] }],
    ['Memory/Name', { Memory: { '@odata.id': '/m' } }],
    ['Links/Chassis@odata.count', { Links: { 'Chassis@odata.count': 1 } }],
    ['NoSuchProperty,constructor,Id/Deeper', {}],
  ])('of %s leaves that, and what every answer has', (paths, expected) => {
    expect(ask(system, `$select=${paths}`)).toEqual({ ...always, ...expected })
  })

  test.each(['', ',', 'Id,', 'Id//Name', '/Id', 'Id/', 'a b', '*', 'Id;Name'])(
    'of %j is refused',
    (paths) => {
      expect(refusal(`$select=${encodeURIComponent(paths)}`)).toEqual({
        status: 400,
        messages: ['QueryParameterValueFormatError'],
      })
    },
  )
})

function collectionOf(members: readonly Json[], id = '/x'): Resource {
  return {
    '@odata.id': id,
    '@odata.type': '#ChassisCollection.ChassisCollection',
    Name: 'Many',
    'Members@odata.count': members.length,
    Members: members,
  }
}

const chassis: readonly Resource[] = ['1', '2', '3', '4', '5'].map((id) => ({
  '@odata.id': `/x/${id}`,
  '@odata.type': '#Chassis.v1_28_0.Chassis',
  Id: id,
  Name: `Chassis ${id}`,
  Height: Number(id),
}))
const links = chassis.map((one) => link(one['@odata.id']))
const five = collectionOf(links)

describe('$skip, $top and pages', () => {
  test.each<[string, number, number[], string | undefined]>([
    ['$top=2', 0, [1, 2], undefined],
    ['$top=0', 0, [], undefined],
    ['$top=9', 0, [1, 2, 3, 4, 5], undefined],
    ['$skip=3', 0, [4, 5], undefined],
    ['$skip=5', 0, [], undefined],
    ['$skip=99', 0, [], undefined],
    ['$skip=1&$top=2', 0, [2, 3], undefined],
    ['$skip=0', 2, [1, 2], '/x?$skip=2'],
    ['$skip=2', 2, [3, 4], '/x?$skip=4'],
    ['$skip=4', 2, [5], undefined],
    ['$skip=3', 2, [4, 5], undefined],
    ['$top=2', 2, [1, 2], undefined],
    ['$top=3', 2, [1, 2], '/x?$skip=2&$top=1'],
    ['$top=9&$skip=1', 2, [2, 3], '/x?$skip=3&$top=7'],
  ])('%s with pages of %i shows %j and leads on to %s', (query, pageSize, ids, next) => {
    const answer = ask(five, query, chassis, pageSize)
    expect(linkUris(answer['Members'])).toEqual(ids.map((id) => `/x/${id}`))
    expect(answer['Members@odata.count']).toBe(5)
    expect(answer['Members@odata.nextLink']).toBe(next)
  })

  test('the next page is asked for with the same filter, selection and expansion', () => {
    const filter = encodeURIComponent("Name ne 'a&b'")
    const first = ask(five, `$filter=${filter}&$expand=.&excerpt&color=red`, chassis, 4)
    const query = `$filter=${filter}&$expand=.&excerpt&$skip=4`
    expect(first['Members@odata.nextLink']).toBe(`/x?${query}`)
    expect(ask(five, query, chassis, 4)).toMatchObject({ Members: [{ Id: '5' }] })
  })

  test('what is filtered out is neither counted, skipped nor paged', () => {
    const answer = ask(five, '$filter=Height gt 1&$skip=1&$top=2', chassis)
    expect(linkUris(answer['Members'])).toEqual(['/x/3', '/x/4'])
    expect(answer['Members@odata.count']).toBe(4)
  })

  test('a member that cannot be read fits no filter, not even a negative one', () => {
    const answer = ask(five, '$filter=not (Height gt 9)', chassis.slice(1))
    expect(linkUris(answer['Members'])).toEqual(['/x/2', '/x/3', '/x/4', '/x/5'])
  })
})

describe('only', () => {
  test('shows the one member of a collection, link or not', () => {
    expect(ask(collectionOf(links.slice(1, 2)), 'only', chassis)).toEqual(chassis[1])
    expect(ask(collectionOf(chassis.slice(1, 2)), 'only')).toEqual(chassis[1])
  })

  test('shows the collection where there are none, several, or one that cannot be read', () => {
    for (const members of [[], links, links.slice(0, 1)]) {
      expect(ask(collectionOf(members), 'only')).toEqual(collectionOf(members))
    }
  })
})

const memory = { '@odata.id': '/m', '@odata.type': '#M.M', Up: link('/s/1'), Peer: link('/n') }
const next = { '@odata.id': '/n', '@odata.type': '#N.N', Links: { Memory: link('/m'), Far: link('/c/1') } }
const box = { '@odata.id': '/c/1', '@odata.type': '#C.C', Part: { '@odata.id': '/c/1#/Fans/0' } }
const world: readonly Resource[] = [system, memory, next, box]

describe('$expand', () => {
  test.each<[string, JsonObject]>([
    ['.', { Memory: memory, Links: { Chassis: [link('/c/1')], 'Chassis@odata.count': 1 } }],
    ['~', { Memory: link('/m'), Links: { Chassis: [box], 'Chassis@odata.count': 1 } }],
    ['*', { Memory: memory, Links: { Chassis: [box], 'Chassis@odata.count': 1 } }],
    ['.($levels=1)', { Memory: memory, Links: { Chassis: [link('/c/1')], 'Chassis@odata.count': 1 } }],
    [
      '.($levels=2)',
      { Memory: { ...memory, Peer: next }, Links: { Chassis: [link('/c/1')], 'Chassis@odata.count': 1 } },
    ],
    [
      '*($levels=3)',
      {
        // not the system within itself, nor the memory
        Memory: { ...memory, Peer: { ...next, Links: { Memory: link('/m'), Far: box } } },
        Links: { Chassis: [box], 'Chassis@odata.count': 1 },
      },
    ],
  ])('%s replaces what it says', (how, expected) => {
    expect(ask(system, `$expand=${how}`, world)).toEqual({ ...system, ...expected })
  })

  test('a resource that may not be read stays a link', () => {
    const answer = ask(five, '$expand=.', chassis.slice(0, 4))
    expect(answer['Members']).toEqual([...chassis.slice(0, 4), link('/x/5')])
  })

  test('what stands in a collection in full is a level of its own', () => {
    const entry = { '@odata.id': '/e/1', '@odata.type': '#LogEntry.v1_0_0.LogEntry', Origin: link('/m') }
    const entries = collectionOf([entry])
    expect(ask(entries, '$expand=.', world)).toEqual(entries)
    expect(ask(entries, '$expand=.($levels=2)', world)).toMatchObject({ Members: [{ Origin: memory }] })
  })

  test('a part of a resource belongs to its level, and a reference to a part leads nowhere', () => {
    const lookedUp: string[] = []
    const fan = { '@odata.id': '/c/1#/Fans/0', Sensor: link('/m') }
    const fans: Resource = { ...box, Part: link('/c/1#/Fans/0'), Fans: [fan] }
    const answer = expand(fans, { which: 'all', levels: 1 }, (uri) => {
      lookedUp.push(uri)
      return lookupIn(world)(uri)
    })
    expect(answer).toEqual({ ...fans, Fans: [{ ...fan, Sensor: memory }] })
    expect(lookedUp).toEqual(['/m'])
  })

  test('nothing that was looked up is changed by a deep answer', () => {
    const before = structuredClone(world)
    ask(system, `$expand=*($levels=${MAX_LEVELS})`, world)
    expect(world).toEqual(before)
  })

  test('an answer has an end, and its deepest links stay links', () => {
    const names = Array.from({ length: 12 }, (_, index) => `/r/${index}`)
    const mesh = names.map((uri) => ({
      '@odata.id': uri,
      '@odata.type': '#R.R',
      All: names.map((name) => link(name)),
    }))
    const [first = system] = mesh
    const answer = expand(first, { which: 'all', levels: MAX_LEVELS }, lookupIn(mesh))
    expect(countResources(answer)).toBe(4_001)
    // Every resource but the first itself stands on the first level.
    expect((answer['All'] as readonly JsonObject[]).filter((one) => 'All' in one)).toHaveLength(11)
  })

  test.each([
    ['', 'QueryParameterValueFormatError'],
    ['Memory', 'QueryParameterValueFormatError'],
    ['.;*', 'QueryParameterValueFormatError'],
    ['.($levels=x)', 'QueryParameterValueFormatError'],
    ['.($levels=1', 'QueryParameterValueFormatError'],
    ['.($levels=0)', 'QueryParameterOutOfRange'],
    ['.($levels=-1)', 'QueryParameterOutOfRange'],
    [`.($levels=${MAX_LEVELS + 1})`, 'QueryParameterOutOfRange'],
  ])('%j is refused with %s', (value, key) => {
    expect(refusal(`$expand=${value}`)).toEqual({ status: 400, messages: [key] })
  })

  test(`${MAX_LEVELS} levels are within range`, () => {
    expect(refusal(`$expand=.($levels=${MAX_LEVELS})`).status).toBe(200)
  })
})

describe('options together', () => {
  test('a selection speaks of the members where they are expanded', () => {
    expect(ask(five, '$expand=.&$select=Height&$top=1', chassis)).toEqual({
      '@odata.id': '/x',
      '@odata.type': five['@odata.type'],
      'Members@odata.count': 5,
      Members: [{ '@odata.id': '/x/1', '@odata.type': '#Chassis.v1_28_0.Chassis', Height: 1 }],
    })
  })

  test('a selection of the collection itself leaves its members out, or as they are', () => {
    expect(ask(five, '$select=Members@odata.count', chassis)).toEqual({
      '@odata.id': '/x',
      '@odata.type': five['@odata.type'],
      'Members@odata.count': 5,
    })
    const whole = ask(five, '$expand=.&$select=Members', chassis)
    expect(whole['Members']).toEqual(chassis)
    expect(whole).not.toHaveProperty('Name')
  })

  test('an excerpt of a sensor holds its reading, other types stay whole', () => {
    const sensor: Resource = {
      '@odata.id': '/x/T',
      '@odata.type': '#Sensor.v1_12_0.Sensor',
      Id: 'T',
      Name: 'Temperature',
      Reading: 21,
      ReadingUnits: 'Cel',
      Status: {},
    }
    const short = { '@odata.id': '/x/T', '@odata.type': sensor['@odata.type'], Reading: 21 }
    expect(ask(sensor, 'excerpt')).toEqual(short)
    expect(ask(system, 'excerpt')).toEqual(system)
    const sensors = collectionOf([link('/x/T')])
    expect(ask(sensors, 'excerpt', [sensor])).toEqual(sensors)
    expect(ask(sensors, 'excerpt&$expand=.', [sensor])).toMatchObject({ Members: [short] })
    expect(ask(sensors, 'excerpt&$expand=.', [sensor])['Members']).toEqual([short])
  })

  test.each([
    ['only&$top=1', ['QueryCombinationInvalid']],
    ['only&$expand=.', ['QueryCombinationInvalid']],
    ['only&only', ['QueryCombinationInvalid']],
    ['$top=1&$top=2', ['QueryCombinationInvalid']],
    ['only=foo', ['QueryParameterValueError']],
    ['excerpt=foo', ['QueryParameterValueError']],
    ['$top=', ['QueryParameterValueTypeError']],
    ['$top=1.5', ['QueryParameterValueTypeError']],
    ['$skip=few', ['QueryParameterValueTypeError']],
    ['$top=-1', ['QueryParameterOutOfRange']],
    ['$skip=99999999999999999999', ['QueryParameterOutOfRange']],
    ['$filter=nonsense', ['QueryParameterValueFormatError']],
    ['$top=x&$filter=y', ['QueryParameterValueTypeError', 'QueryParameterValueFormatError']],
  ])('%s is 400 with every mistake', (query, messages) => {
    expect(refusal(query, five)).toEqual({ status: 400, messages })
  })

  test.each(['$top=1', '$skip=1', '$filter=Id eq 1', 'only'])('%s is for collections alone', (query) => {
    expect(refusal(query)).toEqual({ status: 400, messages: ['QueryNotSupportedOnResource'] })
    expect(refusal(query, five).status).toBe(200)
  })

  test('every unknown option with $ is named, whatever else is wrong', () => {
    expect(refusal('$count=true&$top=x&$orderby=Id&$count=false')).toEqual({
      status: 501,
      messages: ['QueryParameterUnsupported', 'QueryParameterUnsupported'],
    })
  })

  test.each(['', 'color=red', 'Only', 'EXCERPT=1', '&&', '='])('%j gives no option at all', (query) => {
    expect(parseQuery(query)).toBeUndefined()
  })
})

function countResources(value: unknown): number {
  if (Array.isArray(value)) return value.reduce((sum: number, item: unknown) => sum + countResources(item), 0)
  if (!isObject(value)) return 0
  const inner = Object.values(value).reduce<number>((sum, item) => sum + countResources(item), 0)
  return inner + ('@odata.type' in value ? 1 : 0)
}
