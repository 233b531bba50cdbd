import { expect, test } from 'vitest'
import { uris } from '../../src/redfish/uris.ts'
import { startEmulator } from '../support/emulator.ts'
import { exampleUris, startInhabited } from '../support/inhabited.ts'
import { messageKeys } from '../support/multipart.ts'
import { validateError } from '../support/schemas.ts'

const NIC = uris.firmware('NIC-1')
/** What stands on every answer, good or bad. */
const ALWAYS = { 'odata-version': '4.0', 'cache-control': 'no-cache' }

test('a GET of any resource names its methods, its version, its schema and its ETag', async () => {
  const emulator = await startInhabited()
  for (const uri of (await exampleUris(emulator)).values()) {
    const { status, headers, json } = await emulator.send(uri)
    const [schema = ''] = /\w+(\.v\d+_\d+_\d+)?(?=\.\w+$)/.exec(json['@odata.type'] as string) ?? []
    const place = schema.startsWith('Redflash') ? uris.oemSchemas : 'http://redfish.dmtf.org/schemas/v1'
    expect({ uri, status, headers }).toMatchObject({
      status: 200,
      headers: {
        ...ALWAYS,
        'content-type': 'application/json; charset=utf-8',
        allow: expect.stringMatching(/^GET, HEAD\b/) as string,
        etag: expect.stringMatching(/^"[^"]+"$/) as string,
        link: `<${place}/${schema}.json>; rel=describedby`,
      },
    })
    expect(json['@odata.etag']).toBe(headers['etag'])
  }
})

test('HEAD of any resource is its GET without a body', async () => {
  const emulator = await startInhabited()
  for (const uri of (await exampleUris(emulator)).values()) {
    const get = await emulator.send(uri)
    const head = await emulator.send(uri, { method: 'HEAD' })
    expect({ ...head.headers, date: '' }).toEqual({ ...get.headers, date: '' })
    expect({ uri, status: head.status, text: head.text }).toEqual({ uri, status: 200, text: '' })
  }
})

test('HEAD is refused where GET is', async () => {
  const { send } = await startEmulator()
  const statuses = await Promise.all([
    send(NIC, { method: 'HEAD', user: null }),
    send(uris.firmware('none'), { method: 'HEAD' }),
    send(uris.multipartPush, { method: 'HEAD' }),
  ])
  expect(statuses.map(({ status }) => status)).toEqual([401, 404, 405])
})

test.each([
  ['its ETag', (etag: string) => etag],
  ['its ETag made weak', (etag: string) => `W/${etag}`],
  ['a list with its ETag', (etag: string) => `"other", ${etag} , "more"`],
  ['any ETag', () => '*'],
])('If-None-Match with %s is answered 304 without a body', async (_what, header) => {
  const { send } = await startEmulator()
  const { headers } = await send(NIC)
  const etag = String(headers['etag'])
  for (const method of ['GET', 'HEAD'] as const) {
    const again = await send(NIC, { method, headers: { 'if-none-match': header(etag) } })
    expect(again).toMatchObject({ status: 304, text: '', headers: { ...ALWAYS, etag } })
  }
})

test('If-None-Match with another ETag is answered in full', async () => {
  const { send } = await startEmulator()
  const answer = await send(NIC, { headers: { 'if-none-match': '"other", W/"another"' } })
  expect(answer).toMatchObject({ status: 200, json: { Id: 'NIC-1' } })
})

test('an ETag changes with its resource and with no other', async () => {
  const { send } = await startEmulator()
  const etags = async () =>
    await Promise.all([uris.updateService, NIC].map(async (uri) => (await send(uri)).headers['etag']))
  const [service, component] = await etags()
  await send(uris.updateService, { method: 'PATCH', body: { ServiceEnabled: false } })
  const [changedService, sameComponent] = await etags()
  expect(changedService).not.toBe(service)
  expect(sameComponent).toBe(component)
})

test.each([
  ['a wrong OData-Version', 412, { 'odata-version': '3.0' }, 'HeaderInvalid'],
  ['an empty OData-Version', 412, { 'odata-version': '' }, 'HeaderInvalid'],
  ['an Accept of something else', 406, { accept: 'text/html, image/png' }, 'HeaderInvalid'],
  ['an Accept that refuses JSON', 406, { accept: 'application/json;q=0, text/html' }, 'HeaderInvalid'],
  ['an Accept that refuses all but HTML', 406, { accept: 'text/html, */*;q=0' }, 'HeaderInvalid'],
])('%s is %i', async (_what, status, headers, key) => {
  const { send } = await startEmulator()
  const answer = await send(uris.updateService, { headers })
  expect(answer).toMatchObject({ status, headers: ALWAYS })
  expect(messageKeys(answer.json)).toEqual([key])
  expect(validateError(answer.json)).toEqual([])
})

test.each([
  {},
  { 'odata-version': '4.0' },
  { accept: '' },
  { accept: '*/*' },
  { accept: 'application/*' },
  { accept: 'application/json' },
  { accept: 'Application/JSON;charset=utf-8' },
  { accept: 'text/html, application/json;q=0.1' },
  { accept: 'text/html;q=0, */*;q=0.001' },
])('a request with %j is answered', async (headers) => {
  const { send } = await startEmulator()
  expect((await send(uris.updateService, { headers })).status).toBe(200)
})

test('$metadata is XML, whoever accepts only JSON does not get it', async () => {
  const { send } = await startEmulator()
  const statuses = await Promise.all(
    ['application/xml', 'application/json'].map(
      async (accept) => (await send(uris.metadata, { headers: { accept } })).status,
    ),
  )
  expect(statuses).toEqual([200, 406])
})

test('every query option with $ is refused by name, plain ones are ignored', async () => {
  const { send } = await startEmulator()
  const refused = await send(`${NIC}?$orderby=Id&color=red&%24search=x`)
  expect(refused.status).toBe(501)
  expect(refused.json).toMatchObject({
    error: { '@Message.ExtendedInfo': [{ MessageArgs: ['$orderby'] }, { MessageArgs: ['$search'] }] },
  })
  expect(messageKeys(refused.json)).toEqual(['QueryParameterUnsupported', 'QueryParameterUnsupported'])
  expect(validateError(refused.json)).toEqual([])
  expect(await send(`${NIC}?color=red&size`)).toMatchObject({ status: 200, json: { Id: 'NIC-1' } })
})

test.each([uris.updateService, NIC, uris.sessions, uris.system('1'), `${uris.chassis}/1`])(
  '%s answers the same with a trailing slash',
  async (uri) => {
    const { get } = await startEmulator()
    const resource = await get(uri)
    expect(resource['@odata.id']).toBe(uri)
    expect(await get(`${uri}/`)).toEqual(resource)
  },
)

test.each([1, 3_000, 10_000])('a path parameter of %i characters is 404', async (length) => {
  const { send } = await startEmulator()
  const long = 'x'.repeat(length)
  for (const uri of [uris.firmware(long), uris.system(long), `${uris.chassis}/${long}/${long}`]) {
    const { status, json } = await send(uri)
    expect(status).toBe(404)
    expect(messageKeys(json)).toEqual(['InvalidURI'])
    expect(validateError(json)).toEqual([])
  }
})

test.each(['constructor', '__proto__', 'toString', '..%2f..', '%00', 'NIC-1%20', 'nic-1'])(
  'no component is called %s',
  async (id) => {
    const { send } = await startEmulator()
    const { status, json } = await send(uris.firmware(id))
    expect(status).toBe(404)
    expect(validateError(json)).toEqual([])
  },
)

test.each(['%', '%zz', '%E0%A4%A'])('a path with the broken escape %s is refused', async (id) => {
  const { send } = await startEmulator()
  const { status, headers, json } = await send(uris.firmware(id))
  expect(status).toBeGreaterThanOrEqual(400)
  expect(status).toBeLessThan(500)
  expect(headers).toMatchObject(ALWAYS)
  expect(validateError(json)).toEqual([])
})

test.each(['{', '[1,', 'true false', "{'ServiceEnabled':true}"])('the body %s is malformed', async (body) => {
  const { send } = await startEmulator()
  const headers = { 'content-type': 'application/json' }
  for (const request of [
    { url: uris.updateService, method: 'PATCH' as const },
    { url: uris.sessions, method: 'POST' as const },
    { url: uris.action(uris.manager('1'), 'Manager.Reset'), method: 'POST' as const },
  ]) {
    const answer = await send(request.url, { method: request.method, headers, body })
    expect(answer).toMatchObject({ status: 400, headers: ALWAYS })
    expect(messageKeys(answer.json)).toEqual(['MalformedJSON'])
    expect(validateError(answer.json)).toEqual([])
  }
})

test.each(['[]', '"text"', '1', 'null'])('a body of %s is no resource and no parameters', async (body) => {
  const { send } = await startEmulator()
  const headers = { 'content-type': 'application/json' }
  const patched = await send(uris.updateService, { method: 'PATCH', headers, body })
  expect(patched.status).toBe(400)
  expect(messageKeys(patched.json)).toEqual(['UnrecognizedRequestBody'])
  const login = await send(uris.sessions, { method: 'POST', headers, body })
  expect(login.status).toBe(400)
  expect(messageKeys(login.json)).toEqual(['UnrecognizedRequestBody'])
})

test('a POST without a body may still call itself JSON', async () => {
  const { send, clock, get } = await startEmulator()
  const reset = uris.action(uris.system('1'), 'ComputerSystem.Reset')
  await send(reset, { method: 'POST', body: { ResetType: 'ForceOff' } })
  await clock.advance(1)
  expect(await get(uris.system('1'))).toMatchObject({ PowerState: 'Off' })
  const on = await send(reset, { method: 'POST', headers: { 'content-type': 'application/json' } })
  expect(on.status).toBe(204)
  await clock.advance(1)
  expect(await get(uris.system('1'))).toMatchObject({ PowerState: 'On' })
})

test('a body beyond a mebibyte is 413, one of exactly that is read', async () => {
  const { send } = await startEmulator()
  const headers = { 'content-type': 'application/json' }
  const sent = [2 ** 20, 2 ** 20 + 1].map(async (length) => {
    const body = `{"ServiceEnabled":true${' '.repeat(length - 23)}}`
    return (await send(uris.updateService, { method: 'PATCH', headers, body })).status
  })
  expect(await Promise.all(sent)).toEqual([200, 413])
})
