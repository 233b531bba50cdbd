import { expect, test } from 'vitest'
import { uris } from '../../src/redfish/uris.ts'
import { basic, startEmulator } from '../support/emulator.ts'
import { linkedUris, startInhabited } from '../support/inhabited.ts'
import { messageKeys } from '../support/multipart.ts'
import { validateError } from '../support/schemas.ts'

const ENCODED_METADATA = uris.metadata.replace('$', '%24')
const openPaths = [uris.versions, uris.root, `${uris.root}/`, uris.odata, uris.metadata, ENCODED_METADATA]

test.each(openPaths)('%s is open to everybody', async (path) => {
  const { send } = await startEmulator()
  expect(await send(path, { user: null })).toMatchObject({
    status: 200,
    headers: { 'odata-version': '4.0', 'cache-control': 'no-cache', allow: 'GET, HEAD' },
  })
  const head = await send(path, { user: null, method: 'HEAD' })
  expect(head).toMatchObject({ status: 200, text: '' })
})

test.each(openPaths)('%s does not care who asks: wrong credentials are no hindrance', async (path) => {
  const { send } = await startEmulator()
  const headers = { authorization: basic('admin', 'wrong'), 'x-auth-token': 'nonsense' }
  expect((await send(path, { headers })).status).toBe(200)
})

test('/redfish says where version 1 is', async () => {
  const { get } = await startEmulator()
  expect(await get(uris.versions)).toEqual({ v1: '/redfish/v1/' })
})

test('the service root is the same with and without its last slash', async () => {
  const { get } = await startEmulator()
  const root = await get(uris.root)
  expect(root).toMatchObject({ '@odata.id': '/redfish/v1/', Id: 'RootService' })
  expect(await get(`${uris.root}/`)).toEqual(root)
})

test('the OData service document names services that are there', async () => {
  const { get, send } = await startEmulator()
  const { value, ...rest } = (await get(uris.odata)) as {
    readonly value: readonly { readonly name: string; readonly kind: string; readonly url: string }[]
  }
  expect(rest).toEqual({ '@odata.context': uris.metadata })
  expect(value.map(({ name }) => name)).toEqual(
    expect.arrayContaining(['Service', 'Systems', 'Chassis', 'Managers', 'SessionService', 'UpdateService']),
  )
  expect(new Set(value.map(({ kind }) => kind))).toEqual(new Set(['Singleton']))
  const statuses = await Promise.all(value.map(async ({ url }) => (await send(url)).status))
  expect(new Set(statuses)).toEqual(new Set([200]))
})

test.each(['rackmount', 'bladed'])('$metadata refers to the schema of every type of %s', async (machine) => {
  const emulator = await startEmulator({ machine })
  const { text, headers } = await emulator.send(uris.metadata)
  expect(headers['content-type']).toMatch(/^application\/xml\b/)
  const bodies = await Promise.all((await linkedUris(emulator)).map((uri) => emulator.get(uri)))
  const missing = bodies
    .map((body) => /^#(.+)\.\w+$/.exec(body['@odata.type'] as string)?.[1])
    .filter((namespace) => !text.includes(`<edmx:Include Namespace="${namespace}"/>`))
  expect(bodies.length).toBeGreaterThan(50)
  expect(missing).toEqual([])
  expect(text).toMatch(
    /<EntityContainer Name="Service" Extends="ServiceRoot\.v\d+_\d+_\d+\.ServiceContainer"\/>/,
  )
})

test('$metadata is well-formed: every tag that opens closes', async () => {
  const { send } = await startEmulator()
  const { text } = await send(uris.metadata)
  const open: string[] = []
  const wrong: string[] = []
  for (const [tag, slash, name = '', selfClosing] of text.matchAll(/<(\/?)([\w:]+)[^<>]*?(\/?)>/g)) {
    if (slash === '/') wrong.push(...(open.pop() === name ? [] : [tag]))
    else if (selfClosing !== '/') open.push(name)
  }
  expect({ open, wrong }).toEqual({ open: [], wrong: [] })
  expect(text).toMatch(/^<\?xml version="1\.0" encoding="UTF-8"\?>\n<edmx:Edmx /)
})

test('every resource beyond the open ones asks who is there', async () => {
  const emulator = await startInhabited()
  const closed = (await linkedUris(emulator)).filter((uri) => uri !== uris.root)
  const answers = await Promise.all(closed.map((uri) => emulator.send(uri, { user: null })))
  const lenient = closed.filter((_uri, index) => answers[index]?.status !== 401)
  expect(closed.length).toBeGreaterThan(50)
  expect(lenient).toEqual([])
})

test.each([
  uris.updateService,
  uris.multipartPush,
  uris.taskMonitor('1'),
  `${uris.root}/Nowhere`,
  uris.firmware('no-such-component'),
  '/',
  '/favicon.ico',
  '/redfish/v2',
])('%s without credentials is 401 with a challenge, whether or not it exists', async (path) => {
  const { send } = await startEmulator()
  const { status, headers, json } = await send(path, { user: null })
  expect(status).toBe(401)
  expect(headers['www-authenticate']).toMatch(/^Basic realm=/)
  expect(messageKeys(json)).toEqual(['AccessUnauthorized'])
  expect(validateError(json)).toEqual([])
})

test.each([
  ['a wrong password', { authorization: basic('admin', 'wrong') }],
  ['an unknown user', { authorization: basic('nobody') }],
  ['no colon', { authorization: `Basic ${Buffer.from('admin').toString('base64')}` }],
  ['no Base64', { authorization: 'Basic ???' }],
  ['another scheme', { authorization: 'Bearer redflash' }],
])('Basic credentials with %s are 401', async (_what, headers) => {
  const { send } = await startEmulator()
  const answer = await send(uris.updateService, { headers })
  expect(answer.status).toBe(401)
  expect(answer.headers['www-authenticate']).toMatch(/^Basic /)
  expect(messageKeys(answer.json)).toEqual(['AccessUnauthorized'])
})

test.each([uris.updateService, '/elsewhere'])(
  'authentication comes before everything else that a request to %s says',
  async (path) => {
    const { send } = await startEmulator()
    const answer = await send(`${path}?$expand=.`, {
      method: 'POST',
      user: null,
      headers: { 'odata-version': '3.0', accept: 'text/html', 'content-type': 'application/json' },
      body: '{ broken',
    })
    expect(answer.status).toBe(401)
  },
)

test('the user name of Basic credentials ends at the first colon', async () => {
  const { send } = await startEmulator()
  expect((await send(uris.updateService, { headers: { authorization: basic('admin') } })).status).toBe(200)
  const headers = { authorization: basic('admin', 'redflash:more') }
  expect((await send(uris.updateService, { headers })).status).toBe(401)
})
