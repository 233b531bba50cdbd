import { expect, test } from 'vitest'
import { uris } from '../../src/redfish/uris.ts'
import { basic, startEmulator, type TestEmulator } from '../support/emulator.ts'
import { exampleUris, offeredAction, startInhabited } from '../support/inhabited.ts'
import { messageKeys } from '../support/multipart.ts'
import { validateError } from '../support/schemas.ts'

const methods = ['GET', 'HEAD', 'POST', 'PATCH', 'PUT', 'DELETE', 'OPTIONS'] as const

/** Every mounted path with the methods that its row, action or endpoint has. */
async function mountedPaths(emulator: TestEmulator): Promise<{ uri: string; allowed: string[] }[]> {
  const { rows, endpoints } = emulator.app
  const examples = await exampleUris(emulator)
  const actions = rows.flatMap(({ path, actions: own = {} }) =>
    Object.keys(own).map((name) => offeredAction(emulator, path, name)),
  )
  return [
    ...rows.map((row) => {
      const uri = examples.get(row.path) ?? ''
      const allowed = [
        'GET',
        'HEAD',
        ...(row.post ? ['POST'] : []),
        ...(row.patch ? ['PATCH'] : []),
        ...(row.put ? ['PUT'] : []),
        ...(row.delete ? ['DELETE'] : []),
      ]
      return { uri, allowed }
    }),
    ...(await Promise.all(actions)).map((uri) => ({ uri, allowed: ['POST'] })),
    ...endpoints.map((endpoint) => ({
      uri: endpoint.path.replace(/:\w+/g, '1'),
      allowed: Object.keys(endpoint.methods),
    })),
  ]
}

test('every method that a path does not have is 405 with those that it has', async () => {
  const emulator = await startInhabited()
  const paths = await mountedPaths(emulator)
  for (const { uri, allowed } of paths) {
    for (const method of methods.filter((one) => !allowed.includes(one))) {
      const { status, headers, json, text } = await emulator.send(uri, { method })
      expect({ method, uri, status, allow: headers['allow'] }).toEqual({
        method,
        uri,
        status: 405,
        allow: allowed.join(', '),
      })
      expect(headers).toMatchObject({ 'odata-version': '4.0', 'cache-control': 'no-cache' })
      const problems = method === 'HEAD' ? [text] : [...messageKeys(json), ...validateError(json)]
      expect(problems).toEqual([method === 'HEAD' ? '' : 'OperationNotAllowed'])
    }
  }
  expect(paths.length).toBeGreaterThan(25)
})

test('the Allow of a GET lists the methods that are not answered 405', async () => {
  const emulator = await startInhabited()
  for (const { uri, allowed } of await mountedPaths(emulator)) {
    // A stream of events has no end that could be waited for.
    if (!allowed.includes('GET') || uri === uris.eventStream) continue
    const { headers } = await emulator.send(uri)
    expect({ uri, allow: headers['allow'] }).toEqual({ uri, allow: allowed.join(', ') })
  }
})

test('a method that no path has is not implemented, wherever it is sent, for whoever is logged in', async () => {
  const { app } = await startEmulator()
  const send = async (path: string, headers: Readonly<Record<string, string>> = {}) => {
    const { statusCode, ...rest } = await app.fastify.inject({ method: 'TRACE', url: path, headers })
    return { statusCode, keys: messageKeys(rest.json()), problems: validateError(rest.json()) }
  }
  for (const path of [uris.root, uris.updateService, uris.multipartPush, '/elsewhere']) {
    expect(await send(path, { authorization: basic('admin') })).toEqual({
      statusCode: 501,
      keys: ['OperationNotAllowed'],
      problems: [],
    })
  }
  expect(await send(uris.updateService)).toMatchObject({ statusCode: 401 })
})

test('a resource that is not there is 404 for every method, not 405', async () => {
  const { send } = await startEmulator()
  for (const uri of [uris.firmware('none'), uris.session('none'), uris.task('99'), `${uris.root}/Nowhere`]) {
    const answers = await Promise.all(methods.map(async (method) => (await send(uri, { method })).status))
    expect({ uri, answers: [...new Set(answers)] }).toEqual({ uri, answers: [404] })
  }
})

test('an action that the resource does not offer is 404', async () => {
  const { send } = await startEmulator({ machine: 'bladed' })
  const paths = [
    uris.action(uris.system('none'), 'ComputerSystem.Reset'),
    uris.action(uris.system('Blade1'), 'Manager.Reset'),
    uris.action(uris.firmware('EnclosureManager'), 'SoftwareInventory.Activate'),
    uris.action(uris.updateService, 'UpdateService.Nothing'),
  ]
  const answers = await Promise.all(paths.map((uri) => send(uri, { method: 'POST', body: {} })))
  expect(answers.map(({ status }) => status)).toEqual([404, 404, 404, 404])
  expect(answers.flatMap(({ json }) => validateError(json))).toEqual([])
})

test('PUT is no way to change anything', async () => {
  const { send, get } = await startEmulator()
  const before = await get(uris.updateService)
  const answer = await send(uris.updateService, { method: 'PUT', body: { ServiceEnabled: false } })
  expect(answer).toMatchObject({ status: 405, headers: { allow: 'GET, HEAD, PATCH' } })
  expect(await get(uris.updateService)).toEqual(before)
})

test('an unknown path outside the service is 404 for whoever is logged in', async () => {
  const { send } = await startEmulator()
  const { status, headers, json } = await send('/elsewhere', { method: 'POST', body: {} })
  expect(status).toBe(404)
  expect(headers).toMatchObject({ 'odata-version': '4.0', 'cache-control': 'no-cache' })
  expect(messageKeys(json)).toEqual(['InvalidURI'])
  expect(validateError(json)).toEqual([])
})
