import { describe, expect, test } from 'vitest'
import { listComponents } from '../src/bmc/bmc.ts'
import { machineNames } from '../src/bmc/mockup-folder.ts'
import { isObject, type JsonObject } from '../src/redfish/resource.ts'
import { isOwnSchema } from '../src/redfish/schema-locations.ts'
import { lastSegment, uris } from '../src/redfish/uris.ts'
import { PASSWORD, startEmulator, type TestEmulator } from './support/emulator.ts'
import { giveIdentity } from './support/identity.ts'
import { addJobWithStep, makeJob } from './support/jobs.ts'
import { push } from './support/multipart.ts'
import { loadSchemas, validateBody } from './support/schemas.ts'
import { pushVersions } from './support/versions.ts'
import { dangling, misleading, type Visited, type Walk, walk } from './support/walk.ts'

/** A job of a user, with everything that one can say of it. */
const scheduledJob = {
  Name: 'A job',
  Payload: {
    HttpOperation: 'PATCH',
    TargetUri: uris.sessionService,
    HttpHeaders: ['OData-Version: 4.0'],
    JsonBody: '{"SessionTimeout": 60}',
  },
  MaxExecutionTime: 'PT1H',
  Schedule: {
    Name: 'Acme:Monthly',
    Lifetime: 'P365D',
    MaxOccurrences: 12,
    InitialStartTime: '2026-01-02T00:00:00Z',
    RecurrenceInterval: 'P1D',
    EnabledDaysOfWeek: ['Every'],
    EnabledDaysOfMonth: [2],
    EnabledMonthsOfYear: ['Every'],
    EnabledIntervals: ['00:00:00Z/PT1H'],
  },
}

const situations: readonly (readonly [string, (emulator: TestEmulator) => Promise<void>])[] = [
  ['as it left the factory', async () => {}],
  [
    'with a session, subscriptions, jobs and an update under way',
    async (emulator) => {
      await logIn(emulator)
      await subscribe(emulator)
      await makeJob(emulator, scheduledJob)
      addJobWithStep(emulator)
      await giveIdentity(emulator)
      await pushAll(emulator)
      await emulator.clock.advance(1_000)
    },
  ],
  [
    'with updates done, others waiting for a reset, one that failed, and a log',
    async (emulator) => {
      await logIn(emulator)
      await pushAll(emulator)
      await emulator.clock.advance(900_000)
      await push(emulator, Buffer.from('no image at all'))
      await emulator.clock.advance(1_000)
    },
  ],
  [
    'with its manager updated, and failed over where that is possible',
    async (emulator) => {
      const { manager } = emulator.bmc.machine
      await pushAll(emulator)
      await emulator.clock.advance(900_000)
      const calls = { 'Manager.Reset': {}, 'Manager.ForceFailover': { NewManager: { '@odata.id': manager } } }
      for (const [action, body] of Object.entries(calls)) {
        await emulator.send(uris.action(manager, action), { method: 'POST', body })
        await emulator.clock.advance(120_000)
      }
    },
  ],
  [
    'in the middle of a reset of its systems',
    async (emulator) => {
      for (const uri of emulator.bmc.machine.systems.keys())
        await emulator.send(uris.action(uri, 'ComputerSystem.Reset'), {
          method: 'POST',
          body: { ResetType: 'ForceRestart' },
        })
      await emulator.clock.advance(20_000)
    },
  ],
]

describe.each(machineNames)('every resource of %s', (machine) => {
  describe.each(situations)('%s', (_situation, prepare) => {
    const walked = async (): Promise<Walk> => {
      const emulator = await startEmulator({ machine })
      await prepare(emulator)
      return walk(emulator)
    }

    test('is right in all that a client can see', async () => {
      const found = await walked()
      const bodies = [...found.visited.values()]
      expect(bodies.length).toBeGreaterThan(50)
      expect(
        bodies.filter(({ status }) => status !== 200).map(({ uri, status }) => `${uri} ${status}`),
      ).toEqual([])
      expect(dangling(found)).toEqual([])
      expect(misleading(found)).toEqual([])
      expect(
        bodies.flatMap(({ uri, body }) => validateBody(body).map((problem) => `${uri} ${problem}`)),
      ).toEqual([])
      expect(bodies.flatMap(wrongIdentity)).toEqual([])
      expect(bodies.flatMap(wrongCounts)).toEqual([])
      expect(bodies.flatMap(wrongPlace)).toEqual([])
      expect(bodies.flatMap(wrongMethods)).toEqual([])
      expect(bodies.filter(({ body }) => JSON.stringify(body).includes('@Redfish.Copyright'))).toEqual([])
    })
  })

  test('has endpoints that answer as what they are', async () => {
    const emulator = await startEmulator({ machine })
    await pushAll(emulator)
    await emulator.clock.advance(1_000)
    const { links } = await walk(emulator)
    const endpoints = Map.groupBy(
      links.filter(({ kind }) => kind === 'endpoint'),
      ({ at }) => lastSegment(at),
    )
    const statuses = async (member: string): Promise<number[]> => {
      const answers = (endpoints.get(member) ?? []).map(async ({ to }) => (await emulator.send(to)).status)
      return [...new Set(await Promise.all(answers))]
    }
    expect(await statuses('TaskMonitor')).toEqual([202])
    expect(await statuses('MultipartHttpPushUri')).toEqual([405])
    expect(await statuses('HttpPushUri')).toEqual([405])
    expect(await statuses('ImageDataURI')).toEqual([200])
    expect(await statuses('target')).toEqual([405])
    expect(await statuses('Uri')).toEqual([200])
  })

  test('speaks of the images that wait, and of the messages of what happened', async () => {
    const emulator = await startEmulator({ machine })
    await pushAll(emulator)
    await emulator.clock.advance(900_000)
    const { visited } = await walk(emulator)
    const texts = [...visited.values()].map(({ body }) => JSON.stringify(body))
    // Otherwise the walk above proves less than it says.
    expect(texts.filter((text) => text.includes('"Conditions"')).length).toBeGreaterThan(0)
    expect(texts.filter((text) => text.includes('#LogEntry.')).length).toBeGreaterThan(1)
  })
})

test('every row of the resource table is visited by the walk of some machine', async () => {
  const missed = await Promise.all(
    machineNames.map(async (machine) => {
      const emulator = await startEmulator({ machine })
      await logIn(emulator)
      await subscribe(emulator)
      await makeJob(emulator, scheduledJob)
      addJobWithStep(emulator)
      await giveIdentity(emulator)
      await pushAll(emulator)
      await emulator.clock.advance(900_000)
      const { visited } = await walk(emulator)
      const uriOfRow = emulator.app.rows.map(({ path }) => path).filter((path) => !path.endsWith('*'))
      return new Set(uriOfRow.filter((path) => ![...visited.keys()].some((uri) => pattern(path).test(uri))))
    }),
  )
  const [first = new Set<string>(), ...others] = missed
  expect([...first].filter((path) => others.every((paths) => paths.has(path)))).toEqual([])
})

describe('the walk', () => {
  const seeded = async (change: (body: JsonObject, uri: string) => JsonObject): Promise<Walk> => {
    const { send } = await startEmulator()
    return walk({
      send: async (url, request) => {
        const answer = await send(url, request)
        return { ...answer, json: change(answer.json, url) }
      },
    })
  }
  const at =
    (place: string, members: JsonObject) =>
    (body: JsonObject, uri: string): JsonObject =>
      uri === place ? { ...body, ...members } : body

  test('notices a link that dangles', async () => {
    const found = await seeded(at(uris.systems, { Members: [{ '@odata.id': uris.system('none') }] }))
    expect(dangling(found)).toContainEqual(
      `${uris.systems}#/Members/0/@odata.id leads to ${uris.system('none')}`,
    )
  })

  test('notices a pointer to no element', async () => {
    const wrong = `${uris.manager('1')}#/Redundancy/7`
    const found = await seeded(at(uris.system('1'), { Links: { ManagedBy: [{ '@odata.id': wrong }] } }))
    expect(dangling(found)).toEqual([`${uris.system('1')}#/Links/ManagedBy/0/@odata.id leads to ${wrong}`])
  })

  test('notices a link to a resource of another type, in a member of a shared object, too', async () => {
    const link = { '@odata.id': uris.updateService }
    const inPlace = await seeded(at(uris.updateService, { FirmwareInventory: link }))
    expect(misleading(inPlace)).toEqual([expect.stringContaining('wants a SoftwareInventoryCollection')])
    const nested = await seeded(at(uris.system('1'), { Links: { ManagedBy: [link] } }))
    expect(misleading(nested)).toEqual([expect.stringContaining('wants a Manager,')])
  })

  test('notices a wrong identity, count, place and method', async () => {
    const right = { uri: uris.tasks, status: 200, allow: ['GET', 'HEAD'] }
    const body = {
      '@odata.id': uris.tasks,
      '@odata.type': '#TaskCollection.TaskCollection',
      Members: [],
      'Members@odata.count': 0,
    }
    const task = { '@odata.id': uris.task('1'), '@odata.type': '#Task.v1_7_4.Task', Id: '1' }
    expect(
      [wrongIdentity, wrongCounts, wrongPlace, wrongMethods].flatMap((check) => check({ ...right, body })),
    ).toEqual([])
    expect(wrongIdentity({ ...right, body: { ...body, '@odata.id': `${uris.tasks}/` } })).toHaveLength(1)
    expect(
      wrongIdentity({ ...right, uri: uris.task('2'), body: { ...task, '@odata.id': uris.task('2') } }),
    ).toHaveLength(1)
    expect(wrongCounts({ ...right, body: { ...body, 'Members@odata.count': 1 } })).toHaveLength(1)
    expect(wrongPlace({ ...right, uri: `${uris.root}/Jobs`, body })).toHaveLength(1)
    expect(wrongMethods({ ...right, allow: ['GET', 'HEAD', 'DELETE'], body })).toHaveLength(1)
    expect(wrongMethods({ ...right, allow: ['GET'], body })).toHaveLength(1)
  })
})

/** `@odata.id` is the URI; the `Id` of a collection's member is its last segment. */
function wrongIdentity({ uri, body }: Visited): string[] {
  const own = body['@odata.id'] === (uri === uris.root ? `${uri}/` : uri)
  const isFixed = uri === uris.root || type(body) === 'MessageRegistry'
  const named = body['Id'] === undefined || isFixed || body['Id'] === lastSegment(uri)
  return [
    ...(own ? [] : [`${uri} says that it is ${JSON.stringify(body['@odata.id'])}`]),
    ...(named ? [] : [`${uri} has the Id ${JSON.stringify(body['Id'])}`]),
  ]
}

/** Every count is that of the array beside it. */
function wrongCounts({ uri, body }: Visited): string[] {
  const look = (value: unknown): string[] => {
    if (Array.isArray(value)) return value.flatMap((item: unknown) => look(item))
    if (!isObject(value)) return []
    return Object.entries(value).flatMap(([name, member]) => {
      if (!name.endsWith('@odata.count')) return look(member)
      const counted = value[name.slice(0, -'@odata.count'.length)]
      return Array.isArray(counted) && counted.length === member
        ? []
        : [`${uri} ${name} is ${JSON.stringify(member)}`]
    })
  }
  return look(body)
}

/** The schema lists where resources of a type may be. */
function wrongPlace({ uri, body }: Visited): string[] {
  const { uris: places } = definition(body)
  if (!Array.isArray(places)) return []
  // What is below an Oem segment is where its owner says (DSP0266, URI naming).
  if (uri.includes('/Oem/') && !isOwnSchema(type(body))) return []
  // The schema speaks of active resources; their settings stand below them (DSP0266, settings resource).
  const active = uri.replace(/\/Settings$/, '')
  return places.some((place) => pattern(String(place)).test(active))
    ? []
    : [`${uri} is no place for a ${type(body)}`]
}

/** The schema says whether clients may create, change and delete. */
function wrongMethods({ uri, allow, body }: Visited): string[] {
  const { insertable, updatable, deletable } = definition(body)
  const permitted = new Set([
    'GET',
    'HEAD',
    ...(insertable === true ? ['POST'] : []),
    ...(updatable === true ? ['PATCH', 'PUT'] : []),
    ...(deletable === true ? ['DELETE'] : []),
  ])
  const excess = allow.filter((method) => !permitted.has(method))
  const missing = ['GET', 'HEAD'].filter((method) => !allow.includes(method))
  return [
    ...excess.map((method) => `${uri} allows ${method}`),
    ...missing.map((method) => `${uri} does not allow ${method}`),
  ]
}

function definition(body: JsonObject): JsonObject {
  const name = odataType(body).slice(1)
  const schema = loadSchemas().schemas.get(`${name.slice(0, name.lastIndexOf('.'))}.json`)
  return (schema?.definitions?.[type(body)] ?? {}) as JsonObject
}

function type(body: JsonObject): string {
  return odataType(body).split('.').at(-1) ?? ''
}

function odataType({ '@odata.type': name }: JsonObject): string {
  return typeof name === 'string' ? name : ''
}

/** A path with parameters, as the schemas (`{Id}`) or our rows (`:id`) write it. */
function pattern(path: string): RegExp {
  const segments = path.replace(/\/$/, '').split('/')
  const escaped = segments.map((segment) =>
    /^[:{]/.test(segment) ? '[^/]+' : segment.replaceAll(/[.$]/g, '\\$&'),
  )
  return new RegExp(`^${escaped.join('/')}$`)
}

async function logIn({ send }: TestEmulator): Promise<void> {
  await send(uris.sessions, { method: 'POST', user: null, body: { UserName: 'admin', Password: PASSWORD } })
}

/** Two subscriptions to a place that may not be reached: one with nothing but what it needs, one with everything. */
async function subscribe({ send }: TestEmulator): Promise<void> {
  const least = { Destination: 'https://192.168.1.50/Destination1', Protocol: 'Redfish' }
  const most = {
    ...least,
    Context: 'everything',
    SubscriptionType: 'RedfishEvent',
    EventFormatType: 'Event',
    RegistryPrefixes: ['TaskEvent'],
    MessageIds: ['ResourceEvent.1.4.ResourceChanged'],
    ExcludeRegistryPrefixes: ['Base'],
    ExcludeMessageIds: ['TaskEvent.TaskRemoved'],
    ResourceTypes: ['Task'],
    OriginResources: [{ '@odata.id': uris.tasks }],
    SubordinateResources: true,
    Severities: ['OK', 'Critical'],
    EventTypes: ['Other'],
    IncludeOriginOfCondition: true,
    DeliveryRetryPolicy: 'RetryForeverWithBackoff',
    VerifyCertificate: true,
    BackupDestinations: ['http://192.168.1.51/'],
    HttpHeaders: [{ Authorization: 'Bearer secret' }],
    SendHeartbeat: true,
    HeartbeatIntervalMinutes: 5,
  }
  for (const body of [least, most]) {
    const { status } = await send(uris.eventDestinations, { method: 'POST', body })
    expect(status).toBe(201)
  }
}

/** One image with something newer for every component that takes it; it is kept, too. */
async function pushAll(emulator: TestEmulator): Promise<void> {
  const components = new Map(listComponents(emulator.bmc).map((one) => [one.softwareId, one.id]))
  const versions = Object.fromEntries([...components.values()].map((id) => [id, '99.1.0']))
  await pushVersions(emulator, versions, { LocalImage: true })
}
