import { expect, test } from 'vitest'
import { MAX_FAILURES, WINDOW_MS } from '../../src/bmc/login-addresses.ts'
import { MAX_JSON_DEPTH } from '../../src/redfish/json-body.ts'
import { loadMachine } from '../../src/bmc/mockup-folder.ts'
import { uris } from '../../src/redfish/uris.ts'
import { basic, PASSWORD, startEmulator } from '../support/emulator.ts'
import { bundleOf } from '../support/images.ts'
import { messageKeys, multipartBody } from '../support/multipart.ts'

const json = { 'content-type': 'application/json' }
/** `{ "Colour": … }` with that many brackets around nothing, its own counted. */
const nested = (depth: number): string => `{"Colour":${'['.repeat(depth - 1)}${']'.repeat(depth - 1)}}`

test.each([
  ['as deep as may be', nested(MAX_JSON_DEPTH), 'PropertyUnknown'],
  ['one deeper', nested(MAX_JSON_DEPTH + 1), 'UnrecognizedRequestBody'],
  ['far deeper', nested(100_000), 'UnrecognizedRequestBody'],
  ['deep and cut off', '['.repeat(100_000), 'UnrecognizedRequestBody'],
  ['with brackets in its strings', `{"Colour":"${'[{\\"'.repeat(1_000)}"}`, 'PropertyUnknown'],
])('a body %s is judged, or refused before anybody looks into it', async (_name, body, key) => {
  const { send } = await startEmulator()
  const answer = await send(uris.sessionService, {
    method: 'PATCH',
    headers: { ...json, 'if-match': '*' },
    body,
  })
  expect([answer.status, messageKeys(answer.json)]).toEqual([400, [key]])
})

test('UpdateParameters that are nested too deep are refused with their image', async () => {
  const { send, bmc } = await startEmulator()
  const parts = [
    { name: 'UpdateParameters', body: nested(MAX_JSON_DEPTH + 1), type: 'application/json' },
    { name: 'UpdateFile', body: await bundleOf({ 'NIC-1': '22.42.1' }), file: 'update.tar' },
  ]
  const answer = await send(uris.multipartPush, { method: 'POST', ...multipartBody(parts) })
  expect([answer.status, messageKeys(answer.json)]).toEqual([400, ['UnrecognizedRequestBody']])
  expect(bmc.state.tasks.size).toBe(0)
})

test('half a character has no place in a signing request', async () => {
  const { send } = await startEmulator()
  const certificate = uris.httpsCertificate(loadMachine('rackmount').manager ?? '')
  const answer = await send(uris.action(certificate, 'Certificate.Rekey'), {
    method: 'POST',
    body: { ChallengePassword: 'x\ud800' },
  })
  expect([answer.status, messageKeys(answer.json)]).toEqual([400, ['ActionParameterValueFormatError']])
})

test('who logs in wrongly too often from one address is not asked for a while, and sessions go on', async () => {
  const { send, clock } = await startEmulator()
  const logIn = (Password: string) =>
    send(uris.sessions, { method: 'POST', user: null, body: { UserName: 'reader', Password } })
  const token = String((await logIn(PASSWORD)).headers['x-auth-token'])
  const wrong = { user: null, headers: { authorization: basic('nobody', 'wrong') } }
  const guesses = Array.from({ length: MAX_FAILURES }, () => send(uris.sessions, wrong))
  expect(new Set((await Promise.all(guesses)).map(({ status }) => status))).toEqual(new Set([401]))

  const refused = await logIn(PASSWORD)
  expect([refused.status, messageKeys(refused.json)]).toEqual([503, ['ServiceTemporarilyUnavailable']])
  expect(refused.headers['retry-after']).toBe(String(WINDOW_MS / 1_000))
  expect((await send(uris.sessions)).status).toBe(503)
  expect((await send(uris.sessions, { user: null, headers: { 'x-auth-token': token } })).status).toBe(200)
  await clock.advance(WINDOW_MS - 1)
  expect((await logIn(PASSWORD)).status).toBe(503)
  await clock.advance(1)
  expect((await logIn(PASSWORD)).status).toBe(201)
})

test('who logs in rightly may do so as often as they like', async () => {
  const { send } = await startEmulator()
  const logins = Array.from({ length: MAX_FAILURES + 1 }, () => send(uris.sessions))
  expect(new Set((await Promise.all(logins)).map(({ status }) => status))).toEqual(new Set([200]))
})
