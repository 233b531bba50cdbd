import { Readable } from 'node:stream'
import { expect, test } from 'vitest'
import { uris } from '../../src/redfish/uris.ts'
import { addAccount } from '../support/accounts.ts'
import { basic, startEmulator, type TestEmulator } from '../support/emulator.ts'
import { bundleOf } from '../support/images.ts'
import { exampleUris, startInhabited } from '../support/inhabited.ts'
import { messageKeys, multipartBody, push, pushParts } from '../support/multipart.ts'
import { bios, JOB, startLab } from '../support/rollouts.ts'
import { validateError } from '../support/schemas.ts'

/** Within the transfer of an image to NIC-1. */
const DURING_TRANSFER_MS = 2_000

const reader = { user: 'reader' } as const

/** Everything that writes: of each row its methods and actions, of each endpoint its methods; logging in is free. */
async function writes(emulator: TestEmulator) {
  const { rows, endpoints } = emulator.app
  const examples = await exampleUris(emulator)
  const ofRows = rows.flatMap((row) => {
    const uri = examples.get(row.path) ?? ''
    return [
      ...(row.post && row.path !== uris.sessions ? [{ method: 'POST' as const, uri }] : []),
      ...(row.patch ? [{ method: 'PATCH' as const, uri }] : []),
      ...(row.delete ? [{ method: 'DELETE' as const, uri }] : []),
      ...Object.keys(row.actions ?? {}).map((name) => ({
        method: 'POST' as const,
        uri: uris.action(uri, name),
      })),
    ]
  })
  const ofEndpoints = endpoints.flatMap(({ path, methods }) =>
    (['POST', 'PATCH', 'DELETE'] as const)
      .filter((method) => methods[method] !== undefined)
      .map((method) => ({ method, uri: path.replace(/:\w+/g, '1') })),
  )
  return [...ofRows, ...ofEndpoints]
}

test('whoever may only log in is refused every way of writing', async () => {
  const emulator = await startInhabited()
  const all = await writes(emulator)
  const { state } = emulator.bmc
  const [version, audited] = [state.version, state.auditLog.size]
  for (const { method, uri } of all) {
    const { status, json, headers } = await emulator.send(uri, { ...reader, method, body: {} })
    expect({ method, uri, status, keys: messageKeys(json) }).toEqual({
      method,
      uri,
      status: 403,
      keys: ['InsufficientPrivilege'],
    })
    expect(validateError(json)).toEqual([])
    expect(headers).toMatchObject({ 'odata-version': '4.0', 'cache-control': 'no-cache' })
  }
  // Each is in the audit log, and nothing else has changed.
  expect(state.auditLog.size - audited).toBe(all.length)
  expect(state.version - version).toBe(all.length)
  expect(all.map(({ method, uri }) => `${method} ${uri}`)).toEqual(
    expect.arrayContaining([
      `PATCH ${uris.updateService}`,
      `PATCH ${uris.taskService}`,
      `PATCH ${uris.sessionService}`,
      `DELETE ${uris.task('1')}`,
      `DELETE ${uris.taskMonitor('1')}`,
      `POST ${uris.multipartPush}`,
      `POST ${uris.action(uris.manager('1'), 'Manager.Reset')}`,
      `POST ${uris.action(uris.system('1'), 'ComputerSystem.Reset')}`,
    ]),
  )
})

test('whoever may only log in reads everything but people and certificates', async () => {
  const emulator = await startInhabited()
  const refused: string[] = []
  for (const uri of (await exampleUris(emulator)).values()) {
    const { status } = await emulator.send(uri, reader)
    const { '@odata.type': type } = await emulator.get(uri)
    if (status === 403 && typeof type === 'string') refused.push(type.split('.').at(-1) ?? '')
    expect([200, 403]).toContain(status)
  }
  expect([...new Set(refused)].toSorted()).toEqual([
    'Certificate',
    'CertificateCollection',
    'CertificateLocations',
    'ManagerAccount',
    'Session',
  ])
})

test('a session carries the privileges of its user, not more', async () => {
  const emulator = await startInhabited()
  const body = { UserName: 'reader', Password: 'redflash' }
  const { headers } = await emulator.send(uris.sessions, { method: 'POST', user: null, body })
  const as = { user: null, headers: { 'x-auth-token': String(headers['x-auth-token']) } }
  const patch = { ...as, method: 'PATCH', body: { ServiceEnabled: false } } as const
  expect((await emulator.send(uris.updateService, as)).status).toBe(200)
  expect((await emulator.send(uris.updateService, patch)).status).toBe(403)
})

test.each([uris.task('1'), uris.taskMonitor('1')])(
  'an Operator cancels by %s the update that he started, and no other Operator does',
  async (uri) => {
    const emulator = await startEmulator()
    for (const name of ['one', 'other']) await addAccount(emulator, name, { RoleId: 'Operator' })
    await push(emulator, await bundleOf({ 'NIC-1': '22.42.1' }), {}, { user: 'one' })
    await emulator.clock.advance(DURING_TRANSFER_MS)
    const refused = await emulator.send(uri, { method: 'DELETE', user: 'other' })
    expect({ status: refused.status, keys: messageKeys(refused.json) }).toEqual({
      status: 403,
      keys: ['InsufficientPrivilege'],
    })
    expect((await emulator.send(uri, { method: 'DELETE', user: 'one' })).status).toBe(202)
    await emulator.clock.advance(1)
    expect(await emulator.get(uris.task('1'))).toMatchObject({ TaskState: 'Cancelled' })
  },
)

test('a roll-out is its Operator’s to hold, let go on, approve and cancel, and no other Operator’s', async () => {
  const emulator = await startLab(2)
  for (const name of ['one', 'other']) await addAccount(emulator, name, { RoleId: 'Operator' })
  const RollOut = { Waves: [{ Count: 1, ApprovalRequired: true }] }
  await push(emulator, bios, { Oem: { Redflash: { RollOut } } }, { user: 'one' })
  await emulator.clock.advance(1)
  const wave = uris.job('2')
  const moves: readonly (readonly [job: string, JobState: string])[] = [
    [wave, 'Continue'],
    [JOB, 'Suspended'],
    [JOB, 'Running'],
    [JOB, 'Cancelled'],
  ]
  for (const [job, JobState] of moves) {
    const asked = { method: 'PATCH', body: { JobState } } as const
    expect([JobState, (await emulator.send(job, { ...asked, user: 'other' })).status]).toEqual([
      JobState,
      403,
    ])
    expect([JobState, (await emulator.send(job, { ...asked, user: 'one' })).status]).toEqual([JobState, 200])
  }
  const retry = uris.action(JOB, 'Oem/RedflashJob.RetryFailed')
  expect((await emulator.send(retry, { method: 'POST', body: {}, user: 'other' })).status).toBe(403)
  expect((await emulator.send(JOB, { method: 'DELETE', user: 'other' })).status).toBe(403)
  expect(await emulator.get(wave)).toMatchObject({ Oem: { Redflash: { ApprovedBy: 'one' } } })
})

test('an update that a manager started is not an Operator’s to cancel', async () => {
  const emulator = await startEmulator()
  await addAccount(emulator, 'operator', { RoleId: 'Operator' })
  await push(emulator, await bundleOf({ 'NIC-1': '22.42.1' }))
  await emulator.clock.advance(DURING_TRANSFER_MS)
  const refused = await emulator.send(uris.task('1'), { method: 'DELETE', user: 'operator' })
  expect(refused.status).toBe(403)
  expect((await emulator.send(uris.task('1'), { method: 'DELETE' })).status).toBe(202)
})

test('a missing privilege comes before what the request says', async () => {
  const emulator = await startInhabited()
  const { status } = await emulator.send(`${uris.updateService}?$select=Id`, {
    ...reader,
    method: 'PATCH',
    headers: { 'odata-version': '3.0', 'content-type': 'application/json' },
    body: '{ broken',
  })
  expect(status).toBe(403)
})

test('a push without the privilege starts nothing and leaves nothing behind', async () => {
  const emulator = await startInhabited()
  const kept = emulator.spool.entries.size
  const { Members: tasks } = await emulator.get(uris.tasks)
  const refused = await push(emulator, await bundleOf({ 'NIC-2': '24.2.0' }), {}, reader)
  expect(refused.status).toBe(403)
  expect(messageKeys(refused.json)).toEqual(['InsufficientPrivilege'])
  expect(emulator.spool.entries.size).toBe(kept)
  expect(await emulator.get(uris.tasks)).toMatchObject({ Members: tasks })
})

test.each([
  ['without credentials', {}, 401],
  ['with a wrong password', { authorization: basic('admin', 'wrong') }, 401],
  ['without the privilege', { authorization: basic('reader') }, 403],
])('a push %s is judged before its parts are looked at', async (_what, headers, status) => {
  const emulator = await startInhabited()
  const { body, ...rest } = multipartBody(pushParts(Buffer.from('no image'), { Nonsense: true }))
  let spooled = 0
  const original = { ...emulator.spool }
  emulator.spool.create = () => {
    spooled++
    return original.create()
  }
  const answer = await emulator.app.fastify.inject({
    method: 'POST',
    url: uris.multipartPush,
    headers: { ...rest.headers, ...headers },
    payload: Readable.from([body]),
  })
  expect({ status: answer.statusCode, spooled }).toEqual({ status, spooled: 0 })
})
