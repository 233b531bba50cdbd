import { fastify } from 'fastify'
import { describe, expect, onTestFinished, test } from 'vitest'
import { PasswordChecker } from '../../src/bmc/accounts.ts'
import { machineResource, type Row } from '../../src/bmc/bmc.ts'
import { Logins } from '../../src/bmc/logins.ts'
import { Sessions } from '../../src/bmc/sessions.ts'
import { Authenticator } from '../../src/http/auth.ts'
import { mount } from '../../src/http/mount.ts'
import { indexPaths } from '../../src/http/path-index.ts'
import { Passes } from '../../src/http/passes.ts'
import { installProtocol } from '../../src/http/protocol.ts'
import { Reading } from '../../src/http/reading.ts'
import type { JsonObject } from '../../src/redfish/resource.ts'
import { uris } from '../../src/redfish/uris.ts'
import { PASSWORD, startEmulator, type TestEmulator } from '../support/emulator.ts'
import { bundleOf } from '../support/images.ts'
import { linkedUris, startInhabited } from '../support/inhabited.ts'
import { messageKeys, push } from '../support/multipart.ts'
import { reset } from '../support/updates.ts'

const system = uris.system('1')
const settings = uris.biosSettings(system)

async function openSession({ send }: TestEmulator): Promise<string> {
  const body = { UserName: 'admin', Password: PASSWORD }
  return String((await send(uris.sessions, { method: 'POST', user: null, body })).headers['location'])
}

describe('If-Match', () => {
  test.each<['PATCH' | 'PUT' | 'DELETE', (emulator: TestEmulator) => string | Promise<string>, JsonObject]>([
    ['PATCH', () => system, { AssetTag: 'LAB-9' }],
    ['PUT', () => settings, { Attributes: { ProcTurbo: false } }],
    ['DELETE', openSession, {}],
  ])('lets a %s through that knows the resource as it is, and no other', async (method, make, body) => {
    const emulator = await startEmulator()
    const uri = await make(emulator)
    const before = await emulator.send(uri)
    const etag = String(before.headers['etag'])
    const change = (ifMatch: string) =>
      emulator.send(uri, { method, headers: { 'if-match': ifMatch }, ...(method !== 'DELETE' && { body }) })
    // A weak tag promises less than a change needs (RFC 9110 §13.1.1).
    for (const wrong of ['"stale"', '', `${etag}foobar`, etag.slice(1, -1), `W/${etag}`, `"a", W/${etag}`]) {
      const refused = await change(wrong)
      expect([wrong, refused.status, messageKeys(refused.json)]).toEqual([wrong, 412, ['PreconditionFailed']])
    }
    expect((await emulator.send(uri)).json).toEqual(before.json)
    expect([200, 204]).toContain((await change(`"a", ${etag}`)).status)
  })

  test('of * fits whatever is there', async () => {
    const { send } = await startEmulator()
    const headers = { 'if-match': '*' }
    expect(await send(system, { method: 'PATCH', headers, body: { AssetTag: 'x' } })).toMatchObject({
      status: 200,
    })
    expect(await send(uris.session('none'), { method: 'DELETE', headers })).toMatchObject({ status: 404 })
  })

  test('is judged before the body is', async () => {
    const { send } = await startEmulator()
    const headers = { 'if-match': '"stale"' }
    expect(await send(system, { method: 'PATCH', headers, body: { Colour: 1 } })).toMatchObject({
      status: 412,
    })
  })

  test.each(['PATCH', 'PUT', 'DELETE'] as const)(
    'that a row asks for is not left out of a %s',
    async (method) => {
      const { bmc, clock } = await startEmulator()
      const strict = fastify()
      onTestFinished(() => strict.close())
      const authenticator = new Authenticator(new Sessions(clock), new Logins(clock, new PasswordChecker()))
      const change = { writable: () => ({ AssetTag: true as const }), apply: () => {} }
      const row: Row = {
        path: system,
        type: 'ComputerSystem',
        privileges: { GET: [], PATCH: [], PUT: [], DELETE: [] },
        view: () => machineResource(bmc, system),
        patch: change,
        put: change,
        delete: () => ({ status: 204 }),
        requiresIfMatch: true,
      }
      installProtocol(strict, { clock, resolveBmc: () => bmc, passes: new Passes() })
      const reading = new Reading(
        indexPaths(() => [row]),
        0,
      )
      mount(strict, { rows: [row], endpoints: [] }, { authenticator, reading })
      const send = (headers: Readonly<Record<string, string>>) =>
        strict.inject({
          method,
          url: system,
          headers,
          ...(method !== 'DELETE' && { payload: { AssetTag: 'x' } }),
        })
      const refused = await send({})
      expect([refused.statusCode, messageKeys(refused.json())]).toEqual([428, ['PreconditionRequired']])
      const { etag } = (await strict.inject(system)).headers
      expect([200, 204]).toContain((await send({ 'if-match': String(etag) })).statusCode)
    },
  )
})

/** Every resource that links lead to: its body without the ETag, and the ETag. */
async function snapshot(emulator: TestEmulator): Promise<ReadonlyMap<string, readonly [string, string]>> {
  const seen = new Map<string, readonly [string, string]>()
  for (const uri of await linkedUris(emulator)) {
    const { headers, json } = await emulator.send(uri)
    const { '@odata.etag': inside, ...body } = json
    const etag = String(headers['etag'])
    expect([uri, inside]).toEqual([uri, etag])
    seen.set(uri, [JSON.stringify(body), etag])
  }
  return seen
}

test('every ETag is strong, and changes with every change of its resource and with nothing else', async () => {
  const emulator = await startInhabited()
  const { send, clock } = emulator
  const steps: readonly (readonly [string, () => Promise<unknown>])[] = [
    ['nothing', async () => {}],
    ['time', () => clock.advance(1_000)],
    ['a PATCH', () => send(system, { method: 'PATCH', body: { AssetTag: 'LAB-9' } })],
    ['the same again', () => send(system, { method: 'PATCH', body: { AssetTag: 'LAB-9' } })],
    ['the way back', () => send(system, { method: 'PATCH', body: { AssetTag: 'LAB-0417' } })],
    ['a PATCH that is refused', () => send(system, { method: 'PATCH', body: { Id: '2' } })],
    ['settings', () => send(settings, { method: 'PATCH', body: { Attributes: { ProcTurbo: false } } })],
    ['a switch', () => send(uris.updateService, { method: 'PATCH', body: { ServiceEnabled: false } })],
    ['and back', () => send(uris.updateService, { method: 'PATCH', body: { ServiceEnabled: true } })],
    ['a session', () => openSession(emulator)],
    ['an update', async () => push(emulator, await bundleOf({ 'NIC-1': '22.43.1' }))],
    ['its progress', () => clock.advance(10_000)],
    ['its end', () => clock.advance(120_000)],
    ['a reset', () => reset(emulator, system, 'ForceRestart')],
    ['its end', () => clock.advance(120_000)],
  ]
  let before = await snapshot(emulator)
  let changes = 0
  for (const [what, step] of steps) {
    await step()
    const after = await snapshot(emulator)
    for (const [uri, [body, etag]] of after) {
      expect(etag).toMatch(/^"[\w-]+"$/)
      const known = before.get(uri)
      if (known === undefined) continue
      const isChanged = body !== known[0]
      expect([what, uri, etag !== known[1]]).toEqual([what, uri, isChanged])
      if (isChanged) changes++
    }
    before = after
  }
  // Otherwise the steps above prove less than they say.
  expect(changes).toBeGreaterThan(15)
})
