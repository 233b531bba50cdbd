import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createControl } from '../../src/fleet/control.ts'
import { urlsOf } from '../../src/fleet/urls.ts'
import { uris } from '../../src/redfish/uris.ts'
import { startFleet } from '../support/fleet.ts'
import { bundleOf } from '../support/images.ts'
import { push } from '../support/multipart.ts'

const image = await bundleOf({ 'NIC-1': '99.1.0' })

type Method = 'GET' | 'POST' | 'DELETE' | 'PATCH'

interface Shown {
  readonly id: string
  readonly slot: number
  readonly state: string
  readonly operations: number
  readonly tasks: number
}

async function startControl(
  given: Parameters<typeof startFleet>[0] = 3,
  more: Pick<Parameters<typeof createControl>[0], 'authority'> = {},
) {
  const started = await startFleet(given)
  const failures: unknown[] = []
  const control = createControl({
    fleet: started.fleet,
    urlsOf: (member) =>
      urlsOf({ host: '127.0.0.1', reach: new Set(['address', 'path']), firstAddress: '127.1.0.255' }, member),
    reset: started.app.reset,
    failed: (error) => failures.push(error),
    ...more,
  })
  onTestFinished(() => control.close())
  const ask = async (
    method: Method,
    url: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
  ) => {
    const payload = body === undefined ? {} : { payload: JSON.stringify(body) }
    const type = body === undefined ? {} : { 'content-type': 'application/json' }
    const answer = await control.inject({
      method,
      url,
      headers: { host: 'localhost:8100', ...type, ...headers },
      ...payload,
    })
    return { status: answer.statusCode, json: answer.body === '' ? undefined : answer.json<Page & Refused>() }
  }
  return { ...started, control, ask, failures }
}

interface Page extends Shown {
  readonly total: number
  readonly bmcs: readonly Shown[]
  readonly next?: string
}
interface Refused {
  readonly error: string
  readonly mistakes?: readonly string[]
}

describe('the list of a fleet', () => {
  test('says of each BMC who and where it is, and what it does', async () => {
    const { at, ask, clock } = await startControl(2)
    await push(at('bmc-0002'), image)
    await clock.advance(1)
    const { status, json } = await ask('GET', '/bmcs')
    expect(status).toBe(200)
    const same = { group: 'bmc', machine: 'rackmount', urls: [], state: 'up' }
    expect(json).toEqual({
      total: 2,
      bmcs: [
        { id: 'bmc-0001', slot: 0, operations: 0, tasks: 0, ...same },
        { id: 'bmc-0002', slot: 1, operations: 1, tasks: 1, ...same },
      ],
    })
    expect(await ask('GET', '/bmcs/bmc-0002')).toEqual({ status: 200, json: json?.bmcs[1] })
  })

  test('comes in pages that lead from one to the next, each BMC once', async () => {
    const { ask } = await startControl(250)
    const pages: Page[] = []
    for (let url: string | undefined = '/bmcs'; url !== undefined; url = pages.at(-1)?.next) {
      const { json } = await ask('GET', url)
      if (json) pages.push(json)
    }
    expect(pages.map(({ bmcs, total }) => [bmcs.length, total])).toEqual([
      [100, 250],
      [100, 250],
      [50, 250],
    ])
    expect(pages.flatMap(({ bmcs }) => bmcs.map(({ slot }) => slot))).toEqual([...Array(250).keys()])
  })

  test.each([
    ['skip=2&top=1', ['bmc-0003']],
    ['top=0', []],
    ['skip=9', []],
    ['group=other', []],
    ['group=bmc&top=1', ['bmc-0001']],
    ['state=in-reset', ['bmc-0002']],
    ['state=up', ['bmc-0001', 'bmc-0003']],
  ])('may be asked for in part: %s', async (query, ids) => {
    const { ask, at, app, clock } = await startControl()
    app.reset(at('bmc-0002').bmc, uris.manager('1'), 'ForceRestart')
    await clock.advance(1)
    const { json } = await ask('GET', `/bmcs?${query}`)
    expect(json?.bmcs.map(({ id }) => id)).toEqual(ids)
  })
})

test('the authority of a fleet is there as text, for whoever may see the list', async () => {
  const { control, ask } = await startControl(1, { authority: async () => 'PEM of it' })
  const answer = await control.inject({ url: '/ca.pem', headers: { host: 'localhost:8100' } })
  expect(answer).toMatchObject({ statusCode: 200, body: 'PEM of it' })
  expect(answer.headers['content-type']).toMatch(/^text\/plain/)
  expect((await ask('GET', '/ca.pem', undefined, { host: 'evil.example' })).status).toBe(403)
  const without = await startControl(1, { authority: async () => undefined })
  expect((await without.ask('GET', '/ca.pem')).status).toBe(404)
})

describe('a fleet under control', () => {
  test('gets BMCs added, which can be used at once', async () => {
    const { ask, at, ids } = await startControl()
    const { status, json } = await ask('POST', '/bmcs', { group: 'bmc', count: 2 })
    expect([status, json?.bmcs.map(({ id }) => id)]).toEqual([201, ['bmc-0004', 'bmc-0005']])
    expect((await at('bmc-0005').send(uris.updateService)).status).toBe(200)
    expect((await ask('POST', '/bmcs', { group: 'bmc' })).json?.bmcs).toHaveLength(1)
    expect(ids()).toHaveLength(6)
  })

  test('loses one that is removed, and its place is used again', async () => {
    const { ask, ids } = await startControl()
    expect(await ask('DELETE', '/bmcs/bmc-0002')).toEqual({ status: 204, json: undefined })
    expect(ids()).toEqual(['bmc-0001', 'bmc-0003'])
    expect((await ask('GET', '/bmcs/bmc-0002')).status).toBe(404)
    expect((await ask('POST', '/bmcs', { group: 'bmc' })).json?.bmcs).toMatchObject([
      { id: 'bmc-0002', slot: 1 },
    ])
  })

  test('has one reset: its manager, unless another resource is named', async () => {
    const { ask, at, clock } = await startControl()
    expect(await ask('POST', '/bmcs/bmc-0002/reset', {})).toEqual({
      status: 202,
      json: { id: 'bmc-0002', resource: uris.manager('1'), type: 'GracefulRestart' },
    })
    await clock.advance(1)
    expect((await ask('GET', '/bmcs/bmc-0002')).json?.state).toBe('in-reset')
    expect((await ask('GET', '/bmcs/bmc-0001')).json?.state).toBe('up')
    await clock.advance(45_000)
    expect((await ask('GET', '/bmcs/bmc-0002')).json?.state).toBe('up')
    const off = { resource: uris.system('1'), type: 'ForceOff' }
    expect((await ask('POST', '/bmcs/bmc-0003/reset', off)).status).toBe(202)
    await clock.advance(1)
    expect((await at('bmc-0003').get(uris.system('1')))['PowerState']).toBe('Off')
  })

  test.each<[string, string, unknown, number, RegExp]>([
    ['a path that there is not', 'GET /fleet', undefined, 404, /GET \/fleet/],
    ['a method that there is not', 'PATCH /bmcs', {}, 404, /PATCH/],
    ['a BMC that there is not', 'GET /bmcs/bmc-9999', undefined, 404, /bmc-9999/],
    ['a path that cannot be decoded', 'GET /bmcs/%zz', undefined, 400, /%zz/],
    ['to remove none', 'DELETE /bmcs/constructor', undefined, 404, /constructor/],
    ['to reset none', 'POST /bmcs/x/reset', {}, 404, /called x/],
    ['a group that there is not', 'POST /bmcs', { group: 'x' }, 404, /group called x/],
    ['no group', 'POST /bmcs', {}, 400, /\/group: missing/],
    ['no body', 'POST /bmcs', undefined, 400, /\/group: missing/],
    ['no BMCs', 'POST /bmcs', { group: 'bmc', count: 0 }, 400, /\/count: range/],
    ['a list', 'POST /bmcs', [], 400, /type/],
    [
      'two mistakes',
      'POST /bmcs',
      { count: 1.5, x: 1 },
      400,
      /\/x: unknown.*\/count: type|\/count: type.*\/x/,
    ],
    ['another resource', 'POST /bmcs/bmc-0001/reset', { resource: '/x' }, 400, /\/resource: expected/],
    ['another reset', 'POST /bmcs/bmc-0001/reset', { type: 'On' }, 400, /\/type: expected/],
    ['a page that is none', 'GET /bmcs?top=-1', undefined, 400, /\/top: format/],
    ['another filter', 'GET /bmcs?name=x', undefined, 400, /\/name: unknown/],
    ['another state', 'GET /bmcs?state=down', undefined, 400, /\/state: choice/],
  ])('refuses %s', async (...[, request, body, status, told]) => {
    const [method = '', url = ''] = request.split(' ')
    const { ask, ids, failures } = await startControl()
    const answer = await ask(method as Method, url, body)
    expect(answer.status).toBe(status)
    expect([answer.json?.error, ...(answer.json?.mistakes ?? [])].join(' ')).toMatch(told)
    expect([ids().length, failures]).toEqual([3, []])
  })

  test('refuses what is no JSON', async () => {
    const { ask } = await startControl()
    expect((await ask('POST', '/bmcs', undefined, { 'content-type': 'application/json' })).status).toBe(400)
    expect((await ask('POST', '/bmcs', {}, { 'content-type': 'text/plain' })).status).toBe(415)
  })

  test('gets nobody where somebody else listens already, and is told so', async () => {
    const { ask, fleet, ids, failures } = await startControl()
    const server = createServer()
    await once(server.listen(0, '127.0.0.1'), 'listening')
    onTestFinished(() => void server.close())
    const { port } = server.address() as AddressInfo
    fleet.onAdded(async () => {
      await once(createServer().listen(port, '127.0.0.1'), 'listening')
    })
    const { status, json } = await ask('POST', '/bmcs', { group: 'bmc', count: 2 })
    expect([status, json?.error, ids().length]).toEqual([409, expect.stringContaining('EADDRINUSE'), 3])
    expect(failures).toEqual([])
  })

  test('has no more BMCs than can be reached', async () => {
    const { ask, fleet } = await startControl()
    const add = fleet.add.bind(fleet)
    fleet.add = async (...what) =>
      fleet.size >= 3 ? { ok: false, problem: { kind: 'full', capacity: 3 } } : add(...what)
    expect((await ask('POST', '/bmcs', { group: 'bmc' })).status).toBe(409)
  })
})

describe('whoever asks', () => {
  test.each(['localhost', 'localhost:8100', '127.0.0.1:8100', '127.4.5.6', '[::1]:8100', 'LOCALHOST'])(
    'may mean %s',
    async (host) => {
      const { ask } = await startControl(2)
      expect((await ask('GET', '/bmcs', undefined, { host })).status).toBe(200)
    },
  )

  test.each(['evil.example', 'localhost.evil.example', '127.0.0.1.evil.example', '192.0.2.1'])(
    'may not mean %j: a name may lead anybody here',
    async (host) => {
      const { ask, ids } = await startControl(2)
      expect((await ask('DELETE', '/bmcs/bmc-0001', undefined, { host })).status).toBe(403)
      expect(ids()).toHaveLength(2)
    },
  )

  test('is no page in a browser', async () => {
    const { ask } = await startControl(2)
    expect((await ask('GET', '/bmcs', undefined, { origin: 'http://127.0.0.1:8100' })).status).toBe(403)
  })
})
