import { inspect } from 'node:util'
import { expect, test } from 'vitest'
import { MAX_SESSIONS } from '../../src/bmc/sessions.ts'
import { uris } from '../../src/redfish/uris.ts'
import { addAccount, logIn, withToken } from '../support/accounts.ts'
import { basic, PASSWORD, startEmulator } from '../support/emulator.ts'
import { messageKeys } from '../support/multipart.ts'
import { validateBody, validateError } from '../support/schemas.ts'

const DEFAULT_TIMEOUT_MS = 1_800_000

test('a login answers with the session, its location and a token that opens everything', async () => {
  const emulator = await startEmulator()
  const { status, json, uri, as } = await logIn(emulator)
  expect(status).toBe(201)
  expect(json).toMatchObject({ '@odata.id': uri, UserName: 'admin', Password: null, SessionType: 'Redfish' })
  expect(json).toMatchObject({ CreatedTime: '2026-01-01T00:00:00Z' })
  expect(validateBody(json)).toEqual([])
  expect(await emulator.send(uri, as)).toMatchObject({ status: 200, json: { ...json } })
  expect(await emulator.send(uris.sessions, as)).toMatchObject({
    json: { 'Members@odata.count': 1, Members: [{ '@odata.id': uri }] },
  })
})

test('tokens are random, and what is kept of one does not hold it', async () => {
  const emulator = await startEmulator()
  const logins = [await logIn(emulator), await logIn(emulator)]
  const secrets = logins.map(({ token }) => token.slice(-64))
  expect(new Set(secrets).size).toBe(2)
  const { state } = emulator.bmc
  const kept = inspect({ state }, { depth: Infinity, maxStringLength: Infinity })
  expect(kept).toContain(logins[0]?.uri.split('/').at(-1))
  for (const secret of secrets) {
    expect(Buffer.from(secret, 'hex').length).toBeGreaterThanOrEqual(32)
    expect(kept).not.toContain(secret)
  }
  expect(kept).not.toContain(PASSWORD)
})

test('DELETE ends a session: its token is worth nothing afterwards', async () => {
  const emulator = await startEmulator()
  const { uri, as } = await logIn(emulator)
  expect(await emulator.send(uri, { ...as, method: 'DELETE' })).toMatchObject({ status: 204, text: '' })
  const late = await emulator.send(uris.updateService, as)
  expect(late.status).toBe(401)
  expect(late.headers['www-authenticate']).toMatch(/^Basic /)
  expect(messageKeys(late.json)).toEqual(['NoValidSession'])
  expect(validateError(late.json)).toEqual([])
  expect((await emulator.send(uri)).status).toBe(404)
})

test.each([
  ['nonsense', () => 'nonsense'],
  ['nothing', () => ''],
  ['a token cut short', (token: string) => token.slice(0, -1)],
  ['the session without its secret', (token: string) => token.slice(0, token.search(/[-.]/) + 1)],
  [
    'a token with another secret',
    (token: string) => token.replace(/.$/, (last) => (last === 'A' ? 'E' : 'A')),
  ],
])('%s is no token', async (_what, forge) => {
  const emulator = await startEmulator()
  const { token } = await logIn(emulator)
  const answer = await emulator.send(uris.updateService, withToken(forge(token)))
  expect(answer.status).toBe(401)
  expect(messageKeys(answer.json)).toEqual(['NoValidSession'])
})

test('a dead token is not made good by a password beside it', async () => {
  const { send } = await startEmulator()
  const headers = { 'x-auth-token': 'dead', authorization: basic('admin') }
  expect((await send(uris.updateService, { headers })).status).toBe(401)
})

test('an idle session ends when its timeout has passed, and lives until just before', async () => {
  const emulator = await startEmulator()
  const { as, uri } = await logIn(emulator)
  await emulator.clock.advance(DEFAULT_TIMEOUT_MS - 1)
  expect((await emulator.send(uri)).status).toBe(200)
  await emulator.clock.advance(1)
  expect((await emulator.send(uri)).status).toBe(404)
  const late = await emulator.send(uris.updateService, as)
  expect(messageKeys(late.json)).toEqual(['NoValidSession'])
})

test('every use of a session starts its timeout anew', async () => {
  const emulator = await startEmulator()
  const { as } = await logIn(emulator)
  for (let use = 0; use < 3; use++) {
    await emulator.clock.advance(DEFAULT_TIMEOUT_MS - 1)
    expect((await emulator.send(uris.updateService, as)).status).toBe(200)
  }
  await emulator.clock.advance(DEFAULT_TIMEOUT_MS)
  expect((await emulator.send(uris.updateService, as)).status).toBe(401)
})

test.each([
  ['shorter', 60, 59_999],
  ['longer', 3_600, 3_599_999],
])('a %s SessionTimeout holds for sessions that are open already', async (_what, seconds, livesMs) => {
  const emulator = await startEmulator()
  const { uri } = await logIn(emulator)
  await emulator.send(uris.sessionService, { method: 'PATCH', body: { SessionTimeout: seconds } })
  await emulator.clock.advance(livesMs)
  expect((await emulator.send(uri)).status).toBe(200)
  await emulator.clock.advance(1)
  expect((await emulator.send(uri)).status).toBe(404)
})

test.each([
  [29, 400],
  [30, 200],
  [86_400, 200],
  [86_401, 400],
  [60.5, 400],
  ['60', 400],
  [null, 400],
])('a SessionTimeout of %j is answered %i', async (SessionTimeout, status) => {
  const { send, get } = await startEmulator()
  const answer = await send(uris.sessionService, { method: 'PATCH', body: { SessionTimeout } })
  expect(answer.status).toBe(status)
  const shown = (await get(uris.sessionService))['SessionTimeout']
  expect(shown).toBe(status === 200 ? SessionTimeout : 1_800)
  expect(status === 200 ? validateBody(answer.json) : validateError(answer.json)).toEqual([])
})

test('a SessionService that is switched off opens no session, and those that are open go on', async () => {
  const emulator = await startEmulator()
  const { as } = await logIn(emulator)
  const off = await emulator.send(uris.sessionService, { method: 'PATCH', body: { ServiceEnabled: false } })
  expect(off.json).toMatchObject({ ServiceEnabled: false, Status: { State: 'Disabled' } })
  const refused = await logIn(emulator)
  expect(refused.status).toBe(503)
  expect(messageKeys(refused.json)).toEqual(['ServiceDisabled'])
  expect((await emulator.send(uris.updateService, as)).status).toBe(200)
  await emulator.send(uris.sessionService, { method: 'PATCH', body: { ServiceEnabled: true } })
  expect((await logIn(emulator)).status).toBe(201)
})

test.each([
  ['a wrong password', { UserName: 'admin', Password: 'wrong' }],
  ['an unknown user', { UserName: 'nobody', Password: PASSWORD }],
  ['an empty password', { UserName: 'admin', Password: '' }],
])('a login with %s is 401 and opens nothing', async (_what, body) => {
  const { send, get } = await startEmulator()
  const answer = await send(uris.sessions, { method: 'POST', user: null, body })
  expect(answer.status).toBe(401)
  expect(answer.headers['x-auth-token']).toBeUndefined()
  expect(answer.headers['www-authenticate']).toMatch(/^Basic /)
  expect(messageKeys(answer.json)).toEqual(['AccessUnauthorized'])
  expect(validateError(answer.json)).toEqual([])
  expect(await get(uris.sessions)).toMatchObject({ 'Members@odata.count': 0 })
})

test('a login is told all of its mistakes at once, and never its password', async () => {
  const { send } = await startEmulator()
  const body = { Password: 4711, Colour: 'red' }
  const answer = await send(uris.sessions, { method: 'POST', user: null, body })
  expect(answer.status).toBe(400)
  const keys = messageKeys(answer.json)
  expect(keys.toSorted()).toEqual(['PropertyMissing', 'PropertyUnknown', 'PropertyValueTypeError'])
  expect(answer.text).not.toContain('4711')
  expect(validateError(answer.json)).toEqual([])
})

test('sessions know whose they are: own ones can be ended without managing those of others', async () => {
  const emulator = await startEmulator()
  await addAccount(emulator, 'user')
  const [mine, theirs] = [await logIn(emulator), await logIn(emulator, 'user')]
  expect(await emulator.send(theirs.uri, theirs.as)).toMatchObject({ json: { UserName: 'user' } })
  expect(await emulator.send(mine.uri, theirs.as)).toMatchObject({ status: 403 })
  expect(await emulator.send(mine.uri, { ...theirs.as, method: 'DELETE' })).toMatchObject({ status: 403 })
  expect((await emulator.send(mine.uri)).status).toBe(200)
  expect(await emulator.send(theirs.uri, { ...mine.as, method: 'DELETE' })).toMatchObject({ status: 204 })
  expect((await emulator.send(uris.updateService, theirs.as)).status).toBe(401)
})

test('two sessions of one user end independently', async () => {
  const emulator = await startEmulator()
  const [first, second] = [await logIn(emulator), await logIn(emulator)]
  expect(first.uri).not.toBe(second.uri)
  await emulator.send(first.uri, { ...second.as, method: 'DELETE' })
  expect((await emulator.send(uris.updateService, first.as)).status).toBe(401)
  expect((await emulator.send(uris.updateService, second.as)).status).toBe(200)
})

test('a session keeps what its client said of it, and tells the role of its user', async () => {
  const emulator = await startEmulator()
  const { json, uri } = await logIn(emulator, 'reader', { Context: 'night shift' })
  expect(json).toMatchObject({ Context: 'night shift', Roles: ['Guest'], ClientOriginIPAddress: '127.0.0.1' })
  expect(await emulator.get(uri)).toMatchObject({ Context: 'night shift' })
  expect(await emulator.get((await logIn(emulator)).uri)).toMatchObject({ Context: null })
})

test('a login through Members opens a session as well', async () => {
  const { send } = await startEmulator()
  const body = { UserName: 'admin', Password: PASSWORD }
  const { status, headers } = await send(`${uris.sessions}/Members`, { method: 'POST', user: null, body })
  expect(status).toBe(201)
  expect((await send(uris.updateService, withToken(String(headers['x-auth-token'])))).status).toBe(200)
})

test('a session in use ends when its absolute timeout has passed, and lives until just before', async () => {
  const emulator = await startEmulator()
  const body = { AbsoluteSessionTimeout: 3_600, AbsoluteSessionTimeoutEnabled: true }
  const set = await emulator.send(uris.sessionService, { method: 'PATCH', body })
  expect(set).toMatchObject({ status: 200, json: body })
  expect(validateBody(set.json)).toEqual([])
  const { as, uri, json } = await logIn(emulator)
  expect(json).toMatchObject({ ExpirationTime: '2026-01-01T01:00:00Z' })
  for (const stepMs of [1_700_000, 1_700_000, 199_999]) {
    await emulator.clock.advance(stepMs)
    expect((await emulator.send(uris.updateService, as)).status).toBe(200)
  }
  await emulator.clock.advance(1)
  expect(messageKeys((await emulator.send(uris.updateService, as)).json)).toEqual(['NoValidSession'])
  expect((await emulator.send(uri)).status).toBe(404)
})

test('an absolute timeout holds for sessions that are open already, and none that is switched off', async () => {
  const emulator = await startEmulator()
  const { as, uri } = await logIn(emulator)
  const patch = (body: { AbsoluteSessionTimeout?: number; AbsoluteSessionTimeoutEnabled?: boolean }) =>
    emulator.send(uris.sessionService, { method: 'PATCH', body })
  await patch({ AbsoluteSessionTimeout: 30 })
  await emulator.clock.advance(31_000)
  expect(await emulator.get(uri)).not.toHaveProperty('ExpirationTime')
  expect((await emulator.send(uris.updateService, as)).status).toBe(200)
  await patch({ AbsoluteSessionTimeoutEnabled: true })
  expect((await emulator.send(uri)).status).toBe(404)
})

test.each([
  [29, 400],
  [30, 200],
  [86_400, 200],
  [86_401, 400],
])('an AbsoluteSessionTimeout of %j is answered %i', async (AbsoluteSessionTimeout, status) => {
  const { send } = await startEmulator()
  const answer = await send(uris.sessionService, { method: 'PATCH', body: { AbsoluteSessionTimeout } })
  expect(answer.status).toBe(status)
})

test('there are as many sessions as the limit says; the next login is told, and again when one has ended', async () => {
  const emulator = await startEmulator()
  const first = await logIn(emulator)
  for (let count = 1; count < MAX_SESSIONS; count++) expect((await logIn(emulator)).status).toBe(201)
  const refused = await logIn(emulator)
  expect({ status: refused.status, keys: messageKeys(refused.json) }).toEqual({
    status: 503,
    keys: ['SessionLimitExceeded'],
  })
  expect(refused.headers['x-auth-token']).toBeUndefined()
  expect(validateError(refused.json)).toEqual([])
  // Whether there is room is nothing for whoever does not know the password.
  expect((await logIn(emulator, 'admin', { Password: 'wrong' })).status).toBe(401)
  await emulator.send(first.uri, { ...first.as, method: 'DELETE' })
  expect((await logIn(emulator)).status).toBe(201)
})

test('a SessionService that is switched off ends no session either', async () => {
  const emulator = await startEmulator()
  const { as, uri } = await logIn(emulator)
  await emulator.send(uris.sessionService, { method: 'PATCH', body: { ServiceEnabled: false } })
  const refused = await emulator.send(uri, { ...as, method: 'DELETE' })
  expect({ status: refused.status, keys: messageKeys(refused.json) }).toEqual({
    status: 503,
    keys: ['ServiceDisabled'],
  })
  expect((await emulator.send(uris.updateService, as)).status).toBe(200)
})
