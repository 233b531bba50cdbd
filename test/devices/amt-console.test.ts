import { expect, test } from 'vitest'
import type { Method } from '../../src/console/method.ts'
import { timestamp } from '../../src/lib/clock.ts'
import type { JsonObject } from '../../src/redfish/resource.ts'
import { DEVICE_LOG, deviceActions, uris } from '../../src/redfish/uris.ts'
import { account, type AmtPeerOptions, startAmtPeer } from '../support/amt-peer.ts'
import { startEmulator } from '../support/emulator.ts'
import { serveHttp } from '../support/image-server.ts'
import { bundleOf } from '../support/images.ts'
import { messageKeys, push } from '../support/multipart.ts'
import { messageArgs } from '../support/updates.ts'

const SYSTEM = uris.system('1')
const MANAGER = uris.manager('1')
const MINUTE_MS = 60_000

/** A console, and a machine that is attached to it over its sockets; on the console's clock, if need be. */
async function start(options: AmtPeerOptions, isOnItsClock = false) {
  const methods: Method[] = []
  const emulator = await startEmulator({ machine: 'console', methods })
  const { clock, send, get } = emulator
  const peer = await startAmtPeer({ ...(isOnItsClock && { clock }), ...options })
  methods.push({ id: 'AMT', type: 'OEM', variant: 'Intel AMT', adapter: peer.adapter })
  const Links = { ConnectionMethod: { '@odata.id': uris.connectionMethod('AMT') } }
  const { hostName: HostName } = peer.address
  const source = { HostName, UserName: account.userName, Password: account.password, Links }
  await send(uris.aggregationSources, { method: 'POST', body: source })
  const act = async (resource: string, action: string, body: JsonObject = {}): Promise<number> =>
    (await send(uris.action(resource, action), { method: 'POST', body })).status
  const logged = async () =>
    (await get(uris.logEntries(MANAGER, DEVICE_LOG)))['Members'] as readonly JsonObject[]
  return { ...emulator, ...peer, act, logged }
}

test('a machine is updated when its user has consented, by the action that the refusal names', async () => {
  const emulator = await start({ consent: 'all' })
  const { clock, get, act, screen, logged } = emulator
  const image = await bundleOf({ BIOS: '1.5.0' }, { softwareId: 'BIOS-Virtual-vPro', sizeBytes: 2 ** 16 })
  await push(emulator, image)
  await clock.advance(5 * MINUTE_MS)
  const refused = await get(uris.task('1'))
  expect(refused).toMatchObject({ TaskState: 'Exception' })
  const [, action = ''] = messageArgs(refused, 'UserConsentRequired') ?? []
  expect(action).toBe(uris.action(MANAGER, deviceActions.requestConsent))

  expect(await act(MANAGER, deviceActions.requestConsent)).toBe(204)
  const code = /\d{6}/.exec(screen.at(-1) ?? '')?.[0] ?? ''
  const wrong = String((Number(code) + 1) % 1_000_000).padStart(6, '0')
  expect(await act(MANAGER, deviceActions.sendConsent, { Code: wrong })).toBe(400)
  expect(await act(MANAGER, deviceActions.sendConsent, { Code: code })).toBe(204)
  await push(emulator, image)
  await clock.advance(5 * MINUTE_MS)
  expect(await get(uris.task('2'))).toMatchObject({ TaskState: 'Completed' })
  expect(await get(SYSTEM)).toMatchObject({ BiosVersion: '1.5.0' })
  expect((await logged()).map(({ Message, Username }) => [Message, Username])).toEqual([
    ['The user has consented.', account.userName],
    ['What the system boots from was set.', account.userName],
    ['The system was reset.', account.userName],
  ])
})

test('a machine that is off wakes when it was told to', async () => {
  const { clock, get, act, logged } = await start({ isOn: false }, true)
  const Time = timestamp(clock.now() + 30 * MINUTE_MS)
  expect(await act(SYSTEM, deviceActions.wakeAt, { Time })).toBe(204)
  await clock.advance(29 * MINUTE_MS)
  expect(await get(SYSTEM)).toMatchObject({ PowerState: 'Off' })
  expect(await logged()).toEqual([])
  await clock.advance(60 * MINUTE_MS)
  expect(await get(SYSTEM)).toMatchObject({ PowerState: 'On' })
  expect(await logged()).toMatchObject([{ Message: 'The system was switched on.', Created: Time }])
})

test.each([
  [{ consent: 'none' }, MANAGER, deviceActions.requestConsent, {}],
  [{ consent: 'all' }, MANAGER, deviceActions.sendConsent, { Code: '123456' }],
] as const)('a machine refuses what is not for now: %o', async (options, resource, action, body) => {
  const { act } = await start(options)
  expect(await act(resource, action, body)).toBe(400)
})

test.each([404, 501])(
  'a web server that is no such machine (%i) is not attached: the address is wrong',
  async (code) => {
    const { send, get } = await start({})
    const { origin } = await serveHttp((_request, response) => response.writeHead(code).end('<html></html>'))
    const Links = { ConnectionMethod: { '@odata.id': uris.connectionMethod('AMT') } }
    const { status, json } = await send(uris.aggregationSources, {
      method: 'POST',
      body: { HostName: origin, UserName: account.userName, Password: account.password, Links },
    })
    expect([status, messageKeys(json)]).toEqual([400, ['SourceDoesNotSupportProtocol', 'DeviceFailed']])
    expect(await get(uris.aggregationSources)).toMatchObject({ 'Members@odata.count': 1 })
  },
)
