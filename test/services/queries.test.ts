import { gunzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { commit } from '../../src/bmc/commit.ts'
import { compressedEtag } from '../../src/http/etag.ts'
import { isObject, type JsonObject, linkUris } from '../../src/redfish/resource.ts'
import { uris } from '../../src/redfish/uris.ts'
import { startEmulator, type TestEmulator } from '../support/emulator.ts'
import { linkedUris, startInhabited } from '../support/inhabited.ts'
import { messageKeys, push } from '../support/multipart.ts'
import { validateBody, validateError } from '../support/schemas.ts'

const INVENTORY = uris.firmwareInventory
const NIC = uris.firmware('NIC-1')
const SYSTEM = uris.system('1')

function membersOf(body: JsonObject): readonly JsonObject[] {
  const { Members } = body
  return Array.isArray(Members) ? Members.filter(isObject) : []
}

/** A resource of every type that there is. */
async function onePerType(emulator: TestEmulator): Promise<string[]> {
  const linked = await linkedUris(emulator)
  const types = await Promise.all(linked.map(async (uri) => (await emulator.get(uri))['@odata.type']))
  return linked.filter((_uri, index) => types.indexOf(types[index]) === index)
}

test('the service root announces the options that work, and no others', async () => {
  const { get, send } = await startEmulator()
  const { ProtocolFeaturesSupported: features } = await get(uris.root)
  expect(features).toEqual({
    ExpandQuery: { ExpandAll: true, NoLinks: true, Links: true, Levels: true, MaxLevels: 6 },
    FilterQuery: true,
    FilterQueryComparisonOperations: true,
    FilterQueryCompoundOperations: true,
    SelectQuery: true,
    TopSkipQuery: true,
    OnlyMemberQuery: true,
    ExcerptQuery: true,
  })
  const options = [
    '$expand=*',
    '$expand=.',
    '$expand=~',
    '$expand=.($levels=6)',
    '$select=Id',
    '$top=1',
    '$skip=1',
  ]
  const filters = ['$filter=Id ne null', '$filter=Id eq null or not (Updateable eq false)']
  for (const option of [...options, ...filters, 'only', 'excerpt']) {
    const { status } = await send(`${INVENTORY}?${encodeURI(option)}`)
    expect({ option, status }).toEqual({ option, status: 200 })
  }
})

describe('an expanded answer', () => {
  test.each([INVENTORY, uris.systems, uris.chassis, uris.registries, uris.jsonSchemas, uris.sessions])(
    'of %s holds its members as they are',
    async (uri) => {
      const { get } = await startInhabited()
      const members = membersOf(await get(`${uri}?$expand=.`))
      expect(members.length).toBeGreaterThan(0)
      for (const member of members) {
        const [own = ''] = linkUris([member])
        expect(member).toEqual(await get(own))
        expect(validateBody(member)).toEqual([])
      }
    },
  )

  test('goes as deep as it was told', async () => {
    const { get } = await startEmulator()
    const one = (await get(`${uris.root}?$expand=.`))['UpdateService'] as JsonObject
    expect(one).toMatchObject({ Name: 'Update service', FirmwareInventory: { '@odata.id': INVENTORY } })
    expect(one['FirmwareInventory']).not.toHaveProperty('Members')
    const two = (await get(`${uris.root}?$expand=.($levels=2)`))['UpdateService'] as JsonObject
    expect(membersOf(two['FirmwareInventory'] as JsonObject)).toContainEqual({ '@odata.id': NIC })
    const three = (await get(`${uris.root}?$expand=.($levels=3)`))['UpdateService'] as JsonObject
    expect(three['FirmwareInventory']).toEqual(await get(`${INVENTORY}?$expand=.`))
  })

  test('of any resource, all levels deep, is answered', async () => {
    const emulator = await startInhabited()
    for (const uri of await onePerType(emulator)) {
      const { status, json } = await emulator.send(`${uri}?$expand=*($levels=6)`)
      expect({ uri, status, id: json['@odata.id'] }).toEqual({
        uri,
        status: 200,
        id: (await emulator.get(uri))['@odata.id'],
      })
    }
  })

  test('holds what its reader may read, and links to the rest', async () => {
    const { send } = await startEmulator()
    const asNobody = await send(`${uris.root}?$expand=.`, { user: null })
    expect(asNobody.status).toBe(200)
    expect(asNobody.json['UpdateService']).toEqual({ '@odata.id': uris.updateService })
    const asReader = await send(`${uris.root}?$expand=.`, { user: 'reader' })
    expect(asReader.json['UpdateService']).toMatchObject({ Id: 'UpdateService' })
  })

  test('holds nothing for an account that must change its password first', async () => {
    const { bmc, send } = await startEmulator()
    const account = [...bmc.state.accounts.values()].find(({ username }) => username === 'admin')
    if (account === undefined) throw new Error('there is no admin')
    commit(bmc, { accounts: [[account.id, { ...account, mustChangePassword: true }]] })
    const { status, json } = await send(`${uris.root}?$expand=.`)
    expect(status).toBe(200)
    expect(json['UpdateService']).toEqual({ '@odata.id': uris.updateService })
  })

  test('is not made for who may not ask', async () => {
    const { send } = await startEmulator()
    expect((await send(`${INVENTORY}?$expand=.`, { user: null })).status).toBe(401)
  })
})

test('a filter finds components by what they are now', async () => {
  const { get } = await startInhabited()
  const found = await get(
    `${INVENTORY}?$filter=${encodeURIComponent("Version eq '22.42.1' and Updateable eq true")}`,
  )
  expect(found).toMatchObject({ 'Members@odata.count': 1, Members: [{ '@odata.id': NIC }] })
  const spaced = await get(`${INVENTORY}?$filter=Status/Health+ne+'OK'`)
  expect(spaced).toMatchObject({ 'Members@odata.count': 0, Members: [] })
})

test('only shows the one system as if it had been asked for itself', async () => {
  const { send, get } = await startEmulator()
  const { json, headers } = await send(`${uris.systems}?only`)
  expect(json).toEqual(await get(uris.system('1')))
  expect(headers['link']).toContain('/ComputerSystem.v')
  expect(await get(`${INVENTORY}?only`)).toEqual(await get(INVENTORY))
})

test('an excerpt of a sensor is its reading', async () => {
  const { get } = await startEmulator()
  const [uri = ''] = linkUris((await get(`${uris.chassis}/1/Sensors`))['Members'])
  const whole = await get(uri)
  const short = await get(`${uri}?excerpt`)
  expect(short).toMatchObject({ '@odata.id': uri, Reading: whole['Reading'] })
  expect(short).not.toHaveProperty('Status')
  const [first] = membersOf(await get(`${uris.chassis}/1/Sensors?excerpt&$expand=.`))
  expect(first).toEqual(short)
})

describe('a refusal', () => {
  test.each([
    [uris.sessions, 'only=foo', 400, ['QueryParameterValueError']],
    [uris.root, 'excerpt=foo', 400, ['QueryParameterValueError']],
    [NIC, '$filter=Id eq 1', 400, ['QueryNotSupportedOnResource']],
    [NIC, 'only', 400, ['QueryNotSupportedOnResource']],
    [uris.odata, '$select=value', 400, ['QueryNotSupportedOnResource']],
    [INVENTORY, '$expand=Members', 400, ['QueryParameterValueFormatError']],
    [INVENTORY, '$expand=.($levels=7)', 400, ['QueryParameterOutOfRange']],
    [INVENTORY, '$top=-1&$filter=%', 400, ['QueryParameterOutOfRange', 'QueryParameterValueFormatError']],
    [INVENTORY, 'only&$top=1', 400, ['QueryCombinationInvalid']],
    [INVENTORY, '$count=true', 501, ['QueryParameterUnsupported']],
  ])('of %s?%s is %i', async (uri, query, status, keys) => {
    const { send } = await startEmulator()
    for (const method of ['GET', 'HEAD'] as const) {
      expect((await send(`${uri}?${query}`, { method })).status).toBe(status)
    }
    const { json } = await send(`${uri}?${query}`)
    expect(messageKeys(json)).toEqual(keys)
    expect(validateError(json)).toEqual([])
  })

  test.each([
    ['PATCH', uris.updateService, { ServiceEnabled: false }],
    ['POST', uris.sessions, { UserName: 'admin', Password: 'redflash' }],
    ['DELETE', undefined, undefined],
  ] as const)('meets a %s with an option, and nothing happens', async (method, given, body) => {
    const { send, get } = await startInhabited()
    const uri = given ?? linkUris((await get(uris.sessions))['Members'])[0] ?? ''
    const before = [await get(uris.updateService), await get(uris.sessions)]
    const answer = await send(`${uri}?$select=Id`, { method, ...(body && { body }) })
    expect(answer.status).toBe(400)
    expect(messageKeys(answer.json)).toEqual(['QueryNotSupportedOnOperation'])
    expect([await get(uris.updateService), await get(uris.sessions)]).toEqual(before)
    // What is no option is nobody's business.
    expect((await send(`${uri}?color=red`, { method, ...(body && { body }) })).status).toBeLessThan(300)
  })
})

describe('pages', () => {
  /** All members, page by page. */
  const walk = async ({ get }: TestEmulator, uri: string): Promise<(readonly JsonObject[])[]> => {
    const pages: (readonly JsonObject[])[] = []
    for (let next: unknown = uri; typeof next === 'string';) {
      const page: JsonObject = await get(next)
      pages.push(membersOf(page))
      next = page['Members@odata.nextLink']
    }
    return pages
  }

  /** An emulator with more than one log entry. */
  const startLogged = async (pageSize = 0): Promise<TestEmulator> => {
    const emulator = await startInhabited({ pageSize })
    await push(emulator, Buffer.from('no image at all'))
    await emulator.clock.advance(1_000)
    return emulator
  }

  test.each([INVENTORY, `${uris.manager('1')}/LogServices/Log/Entries`])(
    'of %s show all of it',
    async (uri) => {
      const all = membersOf(await (await startLogged()).get(uri))
      expect(all.length).toBeGreaterThan(1)
      for (const pageSize of [1, all.length - 1, all.length]) {
        const emulator = await startLogged(pageSize)
        const pages = await walk(emulator, uri)
        expect(pages.map(({ length }) => length)).toEqual(
          Array.from({ length: Math.ceil(all.length / pageSize) }, (_, index) =>
            Math.min(pageSize, all.length - index * pageSize),
          ),
        )
        expect(pages.flat()).toEqual(all)
        const first = await emulator.get(uri)
        expect(first['Members@odata.count']).toBe(all.length)
        expect(validateBody(first)).toEqual([])
      }
    },
  )

  test('go on with the query that began them', async () => {
    const emulator = await startEmulator({ pageSize: 2 })
    const pages = await walk(emulator, `${INVENTORY}?$expand=.&$filter=Updateable+eq+true&$select=Version`)
    expect(pages.length).toBeGreaterThan(1)
    for (const member of pages.flat()) expect(member).toHaveProperty('Version')
    const whole = await startEmulator()
    expect(pages.flat()).toHaveLength(
      membersOf(await whole.get(`${INVENTORY}?$filter=Updateable+eq+true`)).length,
    )
  })

  test('hold a collection within an expanded answer, too', async () => {
    const { get } = await startEmulator({ pageSize: 1 })
    const { FirmwareInventory: inner } = await get(`${uris.updateService}?$expand=.`)
    expect(inner).toEqual(await get(INVENTORY))
    expect(inner).toHaveProperty(['Members@odata.nextLink'], `${INVENTORY}?$skip=1`)
  })
})

describe('the ETag of a query', () => {
  test('of one resource is the ETag of that resource, by which it may be changed', async () => {
    const { send } = await startEmulator()
    const plain = await send(uris.updateService)
    const selected = await send(`${uris.updateService}?$select=ServiceEnabled`)
    expect(selected.headers['etag']).toBe(plain.headers['etag'])
    expect(selected.json).toMatchObject({ '@odata.etag': plain.headers['etag'], ServiceEnabled: true })
    const headers = { 'if-match': String(selected.headers['etag']) }
    const body = { ServiceEnabled: false }
    expect((await send(uris.updateService, { method: 'PATCH', headers, body })).status).toBe(200)
  })

  test('of several changes with each of them', async () => {
    const { send } = await startEmulator()
    const url = `${uris.root}?$expand=.`
    const first = await send(url)
    const headers = { 'if-none-match': String(first.headers['etag']) }
    expect(await send(url, { headers })).toMatchObject({ status: 304, text: '' })
    await send(uris.updateService, { method: 'PATCH', body: { ServiceEnabled: false } })
    expect((await send(url, { headers })).status).toBe(200)
    expect(first.json['@odata.etag']).toBe((await send(uris.root)).headers['etag'])
  })
})

describe('gzip', () => {
  const BIG = `${uris.registries}/Base.1.22/Base.1.22`
  const fetchCoded = async (
    { app }: TestEmulator,
    url: string,
    headers: Readonly<Record<string, string>>,
  ) => {
    const authorization = `Basic ${Buffer.from('admin:redflash').toString('base64')}`
    return app.fastify.inject({ url, headers: { authorization, ...headers } })
  }

  test.each([
    ['gzip', true],
    ['GZip, deflate, br', true],
    ['x-gzip', true],
    ['*', true],
    ['gzip;q=0.5', true],
    ['gzip;q=0.001, identity;q=0', true],
    ['gzip;q=1.0, identity;q=0.5', true],
    ['br;q=1, gzip;q=0.1', true],
    ['', false],
    ['identity', false],
    ['deflate, br', false],
    ['gzip;q=0', false],
    ['gzip;q=0.000, *', false],
    ['gzip;q=0.5, identity;q=0.9', false],
    ['*;q=0', false],
    ['gzip;q=nonsense', false],
  ])('where Accept-Encoding is %j: %s', async (codings, isCoded) => {
    const emulator = await startEmulator()
    const plain = await fetchCoded(emulator, BIG, {})
    for (const url of [BIG, BIG, `${BIG}?$select=Messages`, uris.metadata]) {
      const { headers, rawPayload } = await fetchCoded(emulator, url, { 'accept-encoding': codings })
      expect(headers['content-encoding']).toBe(isCoded ? 'gzip' : undefined)
      expect(headers['vary']).toBe('Accept-Encoding')
      expect(Number(headers['content-length'])).toBe(rawPayload.length)
    }
    const { rawPayload } = await fetchCoded(emulator, BIG, { 'accept-encoding': codings })
    expect((isCoded ? gunzipSync(rawPayload) : rawPayload).equals(plain.rawPayload)).toBe(true)
    expect(rawPayload.length < plain.rawPayload.length).toBe(isCoded)
  })

  test('is for bodies of a kibibyte and more', async () => {
    const emulator = await startEmulator()
    const sizes = new Map<boolean, number[]>([
      [true, []],
      [false, []],
    ])
    for (const uri of await onePerType(await startInhabited())) {
      const plain = await fetchCoded(emulator, uri, {})
      const { headers } = await fetchCoded(emulator, uri, { 'accept-encoding': 'gzip' })
      sizes.get(headers['content-encoding'] === 'gzip')?.push(plain.rawPayload.length)
    }
    expect(Math.min(...(sizes.get(true) ?? []))).toBeGreaterThanOrEqual(1_024)
    expect(Math.max(...(sizes.get(false) ?? []))).toBeLessThan(1_024)
  })

  test('has an ETag of its own, and whoever has either coding has the resource', async () => {
    const emulator = await startEmulator()
    const gzip = { 'accept-encoding': 'gzip' }
    const [plain, coded] = [await fetchCoded(emulator, SYSTEM, {}), await fetchCoded(emulator, SYSTEM, gzip)]
    const [plainTag, codedTag] = [String(plain.headers.etag), String(coded.headers.etag)]
    expect(coded.headers['content-encoding']).toBe('gzip')
    expect(codedTag).not.toBe(plainTag)
    expect(codedTag).toBe(compressedEtag(plainTag))
    expect(codedTag).toMatch(/^"[^"]+"$/)
    for (const [codings, tag] of [
      [{}, plainTag],
      [gzip, plainTag],
      [gzip, codedTag],
    ] as const) {
      const again = await fetchCoded(emulator, SYSTEM, { ...codings, 'if-none-match': tag })
      expect(again).toMatchObject({ statusCode: 304, headers: { etag: tag, vary: 'Accept-Encoding' } })
      expect(again.headers).not.toHaveProperty('content-encoding')
    }
  })

  test('has an ETag by which a resource may be changed', async () => {
    const { send } = await startEmulator()
    const { headers } = await send(uris.updateService)
    const coded = compressedEtag(String(headers['etag']))
    const change = async (tag: string) =>
      (
        await send(uris.updateService, {
          method: 'PATCH',
          headers: { 'if-match': tag },
          body: { ServiceEnabled: false },
        })
      ).status
    expect(await change(`${coded}foobar`)).toBe(412)
    expect(await change(coded)).toBe(200)
    expect(await change(coded)).toBe(412)
  })

  test('of a changed resource is of what it is now', async () => {
    const emulator = await startEmulator()
    const power = async () => {
      const { rawPayload } = await fetchCoded(emulator, SYSTEM, { 'accept-encoding': 'gzip' })
      return (JSON.parse(gunzipSync(rawPayload).toString()) as JsonObject)['PowerState']
    }
    expect(await power()).toBe('On')
    const reset = uris.action(SYSTEM, 'ComputerSystem.Reset')
    await emulator.send(reset, { method: 'POST', body: { ResetType: 'ForceOff' } })
    await emulator.clock.advance(1)
    expect(await power()).toBe('Off')
  })
})

test.each(['rackmount', 'bladed'])(
  '%s names the JSON schema of every type that it shows',
  async (machine) => {
    const emulator = await startInhabited({ machine })
    const collection = await emulator.get(`${uris.jsonSchemas}?$expand=.`)
    const schemas = new Map(membersOf(collection).map((file) => [file['Schema'], file]))
    const bodies = await Promise.all((await linkedUris(emulator)).map((uri) => emulator.get(uri)))
    expect(bodies.map((body) => body['@odata.type']).filter((type) => !schemas.has(type))).toEqual([])
    expect(schemas.get('#JsonSchemaFileCollection.JsonSchemaFileCollection')).toMatchObject({
      Id: 'JsonSchemaFileCollection',
      Location: [{ PublicationUri: 'http://redfish.dmtf.org/schemas/v1/JsonSchemaFileCollection.json' }],
    })
    expect([...schemas.values()].flatMap((file) => validateBody(file))).toEqual([])
    expect((await emulator.send(uris.jsonSchema('constructor'))).status).toBe(404)
  },
)
