import { describe, expect, test } from 'vitest'
import type { JsonObject } from '../../src/redfish/resource.ts'
import { createAccount } from '../../src/bmc/accounts.ts'
import { uris } from '../../src/redfish/uris.ts'
import { addAccount, audit, logIn } from '../support/accounts.ts'
import { basic, PASSWORD, startEmulator, type TestEmulator } from '../support/emulator.ts'
import { recordingSink, subscribe, told } from '../support/events.ts'
import { messageKeys } from '../support/multipart.ts'
import { validateBody, validateError } from '../support/schemas.ts'

const OTHER = 'another one'

const patch = ({ send }: TestEmulator, uri: string, body: JsonObject, user = 'admin') =>
  send(uri, { method: 'PATCH', body, user })

const opens = async ({ send }: TestEmulator, user: string, password = PASSWORD): Promise<boolean> =>
  (await send(uris.updateService, { headers: { authorization: basic(user, password) } })).status === 200

describe('an account', () => {
  test('is made, opens what its role opens, is changed and removed', async () => {
    const emulator = await startEmulator()
    const body = { UserName: 'operator', Password: PASSWORD, RoleId: 'Operator' }
    const made = await emulator.send(uris.accounts, { method: 'POST', body })
    const uri = uris.account('operator')
    expect(made).toMatchObject({ status: 201, headers: { location: uri } })
    expect(made.json).toMatchObject({
      UserName: 'operator',
      Password: null,
      RoleId: 'Operator',
      Enabled: true,
      Locked: false,
      AccountTypes: ['Redfish'],
      PasswordChangeRequired: false,
      AccountExpiration: null,
      Links: { Role: { '@odata.id': uris.role('Operator') } },
    })
    expect(validateBody(made.json)).toEqual([])
    expect(await emulator.send(uri)).toMatchObject({ status: 200, json: made.json })
    const settings = { TaskAutoDeleteTimeoutMinutes: 5 }
    expect((await patch(emulator, uris.taskService, settings, 'operator')).status).toBe(403)
    expect((await patch(emulator, uri, { RoleId: 'Administrator' })).status).toBe(200)
    expect((await patch(emulator, uris.taskService, settings, 'operator')).status).toBe(200)
    expect((await emulator.send(uri, { method: 'DELETE' })).status).toBe(204)
    expect((await emulator.send(uri)).status).toBe(404)
    expect(await opens(emulator, 'operator')).toBe(false)
  })

  test('is made through Members as well', async () => {
    const emulator = await startEmulator()
    const body = { UserName: 'second', Password: PASSWORD, RoleId: 'ReadOnly' }
    expect((await emulator.send(`${uris.accounts}/Members`, { method: 'POST', body })).status).toBe(201)
    expect(await opens(emulator, 'second')).toBe(true)
  })

  test.each<[string, JsonObject, string]>([
    ['a role that there is not', { RoleId: 'Nobody' }, 'PropertyValueNotInList'],
    ['no role', { RoleId: undefined }, 'PropertyMissing'],
    ['a name that is taken', { UserName: 'admin' }, 'ResourceAlreadyExists'],
    ['a name that Basic cannot send', { UserName: 'a:b' }, 'PropertyValueFormatError'],
    ['a password of seven', { Password: '1234567' }, 'PasswordIncorrectLength'],
    ['a password of 129', { Password: 'x'.repeat(129) }, 'PasswordIncorrectLength'],
    ['a member that there is not', { Colour: 'red' }, 'PropertyUnknown'],
    ['a type that it cannot have', { AccountTypes: ['SNMP'] }, 'PropertyValueNotInList'],
    ['a second that no clock has', { AccountExpiration: '2026-12-31T23:59:60Z' }, 'PropertyValueFormatError'],
  ])('with %s is not made', async (_what, members, key) => {
    const { send, get } = await startEmulator()
    const body = { UserName: 'new', Password: PASSWORD, RoleId: 'ReadOnly', ...members }
    const answer = await send(uris.accounts, { method: 'POST', body: JSON.stringify(body), headers: asJson })
    expect({ status: answer.status, keys: messageKeys(answer.json) }).toEqual({ status: 400, keys: [key] })
    expect(validateError(answer.json)).toEqual([])
    expect(await get(uris.accounts)).toMatchObject({ 'Members@odata.count': 2 })
  })

  test.each([
    [8, 201],
    [128, 201],
  ])('may have a password of %i characters', async (length, status) => {
    const { send } = await startEmulator()
    const body = { UserName: 'new', Password: 'ü'.repeat(length), RoleId: 'ReadOnly' }
    expect((await send(uris.accounts, { method: 'POST', body })).status).toBe(status)
  })

  test('is made once, however many ask for it at the same time', async () => {
    const { send, get } = await startEmulator()
    const body = { UserName: 'twin', Password: PASSWORD, RoleId: 'ReadOnly' }
    const both = await Promise.all([1, 2].map(() => send(uris.accounts, { method: 'POST', body })))
    expect(both.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([201, 400])
    expect(await get(uris.accounts)).toMatchObject({ 'Members@odata.count': 3 })
  })

  test('that is removed while its new password is hashed stays removed', async () => {
    const emulator = await startEmulator()
    const uri = await addAccount(emulator, 'brief')
    const [patched] = await Promise.all([
      patch(emulator, uri, { Password: OTHER }),
      emulator.send(uri, { method: 'DELETE' }),
    ])
    expect(patched.status).toBe(404)
    expect((await emulator.send(uri)).status).toBe(404)
    expect(await opens(emulator, 'brief', OTHER)).toBe(false)
  })

  test('is changed once by those who know the same ETag, though a new password takes time', async () => {
    const emulator = await startEmulator()
    const uri = await addAccount(emulator, 'brief')
    const { headers } = await emulator.send(uri)
    const change = (RoleId: string) =>
      emulator.send(uri, {
        method: 'PATCH',
        body: { Password: OTHER, RoleId },
        headers: { 'if-match': String(headers['etag']) },
      })
    const [first, second] = await Promise.all([change('Operator'), change('Administrator')])
    expect([first.status, second.status].toSorted((a, b) => a - b)).toEqual([200, 412])
    const winner = first.status === 200 ? 'Operator' : 'Administrator'
    expect((await emulator.send(uri)).json).toMatchObject({ RoleId: winner })
  })

  test('called Members does not hide behind the collection', async () => {
    const emulator = await startEmulator()
    const uri = await addAccount(emulator, 'Members')
    expect(await emulator.send(uri)).toMatchObject({ status: 200, json: { UserName: 'Members' } })
  })

  test('has an ETag; who knows another one changes and removes nothing', async () => {
    const { send } = await startEmulator()
    const uri = uris.account('reader')
    const { headers } = await send(uri)
    const etag = String(headers['etag'])
    const body = { Enabled: false }
    for (const method of ['PATCH', 'DELETE'] as const) {
      const stale = await send(uri, { method, body, headers: { 'if-match': '"other"' } })
      expect({ status: stale.status, keys: messageKeys(stale.json) }).toEqual({
        status: 412,
        keys: ['PreconditionFailed'],
      })
    }
    const right = await send(uri, { method: 'PATCH', body, headers: { 'if-match': etag } })
    expect(right).toMatchObject({ status: 200, json: { Enabled: false } })
    expect(right.headers['etag']).not.toBe(etag)
  })

  test('keeps what its PATCH got right, and tells the rest', async () => {
    const emulator = await startEmulator()
    const answer = await patch(emulator, uris.account('reader'), { Password: OTHER, Bogus: 1 })
    expect(answer.status).toBe(200)
    expect(answer.json['@Message.ExtendedInfo']).toMatchObject([{ MessageArgs: ['Bogus'] }])
    expect(await opens(emulator, 'reader', OTHER)).toBe(true)
  })

  test('that is switched off opens nothing until it is switched on again', async () => {
    const emulator = await startEmulator()
    await patch(emulator, uris.account('reader'), { Enabled: false })
    expect(await opens(emulator, 'reader')).toBe(false)
    expect((await logIn(emulator, 'reader')).status).toBe(401)
    await patch(emulator, uris.account('reader'), { Enabled: true })
    expect(await opens(emulator, 'reader')).toBe(true)
  })

  test('expires: until just before it opens, then it is disabled and its sessions are over', async () => {
    const emulator = await startEmulator()
    const uri = uris.account('reader')
    const { uri: session, as } = await logIn(emulator, 'reader')
    await patch(emulator, uri, { AccountExpiration: '2026-01-01T00:10:00+00:00' })
    await emulator.clock.advance(599_999)
    expect(await opens(emulator, 'reader')).toBe(true)
    await emulator.clock.advance(1)
    expect(await opens(emulator, 'reader')).toBe(false)
    expect((await emulator.send(uris.updateService, as)).status).toBe(401)
    expect((await emulator.send(session)).status).toBe(404)
    expect(await emulator.get(uri)).toMatchObject({
      Enabled: false,
      AccountExpiration: '2026-01-01T00:10:00Z',
    })
    const again = await patch(emulator, uri, { Enabled: true })
    expect({ status: again.status, keys: messageKeys(again.json) }).toEqual({
      status: 400,
      keys: ['PropertyValueConflict'],
    })
    await patch(emulator, uri, { Enabled: true, AccountExpiration: null })
    expect(await opens(emulator, 'reader')).toBe(true)
  })

  test('whose expiration is put off does not expire when it first should have', async () => {
    const emulator = await startEmulator()
    const uri = await addAccount(emulator, 'guest', { AccountExpiration: '2026-01-01T00:10:00Z' })
    await patch(emulator, uri, { AccountExpiration: '2026-01-01T00:20:00Z' })
    await emulator.clock.advance(1_199_999)
    expect(await opens(emulator, 'guest')).toBe(true)
    await emulator.clock.advance(1)
    expect(await opens(emulator, 'guest')).toBe(false)
  })
})

describe('sessions end with their account', () => {
  test.each<[string, (emulator: TestEmulator, uri: string) => Promise<unknown>]>([
    ['removed', ({ send }, uri) => send(uri, { method: 'DELETE' })],
    ['disabled', (emulator, uri) => patch(emulator, uri, { Enabled: false })],
    ['renamed', (emulator, uri) => patch(emulator, uri, { UserName: 'somebody-else' })],
  ])('when it is %s', async (_what, end) => {
    const emulator = await startEmulator()
    const [own, other] = [await logIn(emulator, 'reader'), await logIn(emulator)]
    await end(emulator, uris.account('reader'))
    const late = await emulator.send(uris.updateService, own.as)
    expect({ status: late.status, keys: messageKeys(late.json) }).toEqual({
      status: 401,
      keys: ['NoValidSession'],
    })
    expect((await emulator.send(own.uri)).status).toBe(404)
    expect((await emulator.send(uris.updateService, other.as)).status).toBe(200)
  })

  test('and not when it gets another role: they carry that at once', async () => {
    const emulator = await startEmulator()
    const { as, uri } = await logIn(emulator, 'reader')
    const body = { ServiceEnabled: true }
    expect((await emulator.send(uris.updateService, { ...as, method: 'PATCH', body })).status).toBe(403)
    await patch(emulator, uris.account('reader'), { RoleId: 'Operator' })
    expect((await emulator.send(uris.updateService, { ...as, method: 'PATCH', body })).status).toBe(200)
    expect(await emulator.get(uri)).toMatchObject({ Roles: ['Operator'] })
  })
})

test('a login whose account is disabled while its password is checked leaves no session', async () => {
  const emulator = await startEmulator()
  await emulator.get(uris.accountService)
  await Promise.all([logIn(emulator, 'reader'), patch(emulator, uris.account('reader'), { Enabled: false })])
  expect(await emulator.get(uris.sessions)).toMatchObject({ 'Members@odata.count': 0 })
})

describe('the last administrator', () => {
  test.each<[string, JsonObject, string]>([
    ['disabled', { Enabled: false }, '/Enabled'],
    ['demoted', { RoleId: 'ReadOnly' }, '/RoleId'],
    ['made to expire', { AccountExpiration: '2030-01-01T00:00:00Z' }, '/AccountExpiration'],
  ])('cannot be %s', async (_what, body, pointer) => {
    const emulator = await startEmulator()
    const before = await emulator.get(uris.account('admin'))
    const answer = await patch(emulator, uris.account('admin'), body)
    expect(answer.status).toBe(400)
    expect(messageKeys(answer.json)).toEqual(['PropertyValueResourceConflict'])
    expect(answer.text).toContain(pointer)
    expect(validateError(answer.json)).toEqual([])
    expect(await emulator.get(uris.account('admin'))).toEqual(before)
    await addAccount(emulator, 'second', { RoleId: 'Administrator' })
    expect((await patch(emulator, uris.account('admin'), body)).status).toBe(200)
  })

  test('cannot be removed, and can when there is another', async () => {
    const emulator = await startEmulator()
    // None of these could take over.
    await addAccount(emulator, 'off', { RoleId: 'Administrator', Enabled: false })
    await addAccount(emulator, 'ending', {
      RoleId: 'Administrator',
      AccountExpiration: '2030-01-01T00:00:00Z',
    })
    const refused = await emulator.send(uris.account('admin'), { method: 'DELETE' })
    expect({ status: refused.status, keys: messageKeys(refused.json) }).toEqual({
      status: 409,
      keys: ['ResourceCannotBeDeleted'],
    })
    await patch(emulator, uris.account('off'), { Enabled: true })
    expect((await emulator.send(uris.account('admin'), { method: 'DELETE' })).status).toBe(204)
    expect(await opens(emulator, 'off')).toBe(true)
  })
})

describe('the account service', () => {
  test('that is disabled neither makes nor changes nor removes users, and starts no session', async () => {
    const emulator = await startEmulator()
    const { as } = await logIn(emulator)
    await patch(emulator, uris.accountService, { ServiceEnabled: false })
    expect(await emulator.get(uris.accountService)).toMatchObject({ Status: { State: 'Disabled' } })
    const account = { UserName: 'new', Password: PASSWORD, RoleId: 'ReadOnly' }
    const role = { RoleId: 'New', AssignedPrivileges: ['Login'] }
    const change = { NewPassword: OTHER, SessionAccountPassword: PASSWORD }
    const reader = uris.account('reader')
    const refused = [
      await emulator.send(uris.accounts, { method: 'POST', body: account }),
      await patch(emulator, reader, { Enabled: false }),
      await emulator.send(uris.action(reader, 'ManagerAccount.ChangePassword'), {
        method: 'POST',
        body: change,
      }),
      await emulator.send(reader, { method: 'DELETE' }),
      await emulator.send(uris.roles, { method: 'POST', body: role }),
      await patch(emulator, uris.role('Guest'), { AssignedPrivileges: [] }),
      await emulator.send(uris.role('Guest'), { method: 'DELETE' }),
      await logIn(emulator),
    ]
    for (const { status, json } of refused) {
      expect({ status, keys: messageKeys(json) }).toEqual({ status: 503, keys: ['ServiceDisabled'] })
    }
    // AccountService v1_18: sessions go on, and Basic is not affected.
    expect((await emulator.send(uris.updateService, as)).status).toBe(200)
    expect((await patch(emulator, uris.accountService, { ServiceEnabled: true })).status).toBe(200)
    expect(await opens(emulator, 'reader')).toBe(true)
    expect((await logIn(emulator)).status).toBe(201)
  })

  test.each<[string, number, boolean]>([
    ['Enabled', 200, true],
    ['Unadvertised', 200, false],
    ['Disabled', 401, false],
  ])(
    'with HTTPBasicAuth %s answers Basic with %i; a challenge: %j',
    async (HTTPBasicAuth, status, isTold) => {
      const emulator = await startEmulator()
      const { as } = await logIn(emulator)
      await patch(emulator, uris.accountService, { HTTPBasicAuth })
      expect((await emulator.send(uris.updateService)).status).toBe(status)
      const nobody = await emulator.send(uris.updateService, { user: null })
      expect({ status: nobody.status, isTold: 'www-authenticate' in nobody.headers }).toEqual({
        status: 401,
        isTold,
      })
      const wrong = await emulator.send(uris.sessions, {
        method: 'POST',
        user: null,
        body: { UserName: 'admin', Password: 'wrong' },
      })
      expect('www-authenticate' in wrong.headers).toBe(isTold)
      expect((await emulator.send(uris.updateService, as)).status).toBe(200)
    },
  )

  test('asks for longer passwords when told to', async () => {
    const emulator = await startEmulator()
    await patch(emulator, uris.accountService, { MinPasswordLength: 12 })
    const eleven = await patch(emulator, uris.account('reader'), { Password: 'x'.repeat(11) })
    expect(messageKeys(eleven.json)).toEqual(['PasswordIncorrectLength'])
    expect((await patch(emulator, uris.account('reader'), { Password: 'x'.repeat(12) })).status).toBe(200)
  })
})

test('the audit log tells what became of accounts and roles, once, and by whom', async () => {
  const emulator = await startEmulator()
  const uri = await addAccount(emulator, 'new')
  await patch(emulator, uri, { RoleId: 'Operator', Enabled: false })
  await patch(emulator, uri, { Password: OTHER, Enabled: true })
  await patch(emulator, uri, { UserName: 'newer' })
  await emulator.send(uri, { method: 'DELETE' })
  const role = { RoleId: 'Watcher', AssignedPrivileges: ['Login'] }
  await emulator.send(uris.roles, { method: 'POST', body: role })
  await patch(emulator, uris.role('Watcher'), { AssignedPrivileges: ['ConfigureSelf'] })
  await emulator.send(uris.role('Watcher'), { method: 'DELETE' })
  expect(await audit(emulator)).toEqual([
    'AccountSecurity.AccountCreated new admin',
    'AccountSecurity.ManagerAccountRoleChanged new ReadOnly Operator admin',
    'AccountSecurity.AccountDisabled new admin',
    'AccountSecurity.PasswordModified new admin',
    'AccountSecurity.AccountEnabled new admin',
    'ResourceEvent.ResourceChanged admin',
    'AccountSecurity.AccountRemoved newer admin',
    'ResourceEvent.ResourceCreated admin',
    'AccountSecurity.RolePrivilegeAdded ConfigureSelf Watcher admin',
    'AccountSecurity.RolePrivilegeRemoved Login Watcher admin',
    'ResourceEvent.ResourceRemoved admin',
  ])
})

test('subscribers are told what became of accounts, of wrong passwords and of what was denied', async () => {
  const { sink, records } = recordingSink()
  const emulator = await startEmulator({ eventSink: sink })
  await subscribe(emulator, { RegistryPrefixes: ['AccountSecurity'] })
  const uri = await addAccount(emulator, 'new')
  await logIn(emulator, 'new', { Password: 'wrong' })
  await patch(emulator, uris.taskService, { TaskAutoDeleteTimeoutMinutes: 5 }, 'new')
  await emulator.send(uri, { method: 'DELETE' })
  await emulator.clock.advance(1_000)
  expect(records().map(told)).toEqual([
    'AccountSecurity.AccountCreated Accounts/new',
    'AccountSecurity.InvalidCredentials v1/SessionService',
    'AccountSecurity.InsufficientPrivilege v1/SessionService',
    'AccountSecurity.AccountRemoved AccountService/Accounts',
  ])
})

test.each(['Members', 'a/b', 'jürgen k'])('an administrator called %s has a URI', async (name) => {
  const { id, username } = await createAccount(name, PASSWORD)
  expect({ id, username }).toEqual({ id: '1', username: name })
})

const asJson = { 'content-type': 'application/json' }
