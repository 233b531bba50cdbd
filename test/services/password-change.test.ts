import { describe, expect, test } from 'vitest'
import type { JsonObject } from '../../src/redfish/resource.ts'
import { uris } from '../../src/redfish/uris.ts'
import { addAccount, audit, logIn } from '../support/accounts.ts'
import { basic, PASSWORD, startEmulator, type TestEmulator, type TestRequest } from '../support/emulator.ts'
import { messageKeys } from '../support/multipart.ts'
import { validateBody, validateError } from '../support/schemas.ts'

const OTHER = 'another one'

const statusWith = async ({ send }: TestEmulator, user: string, password: string): Promise<number> =>
  (await send(uris.updateService, { headers: { authorization: basic(user, password) } })).status

describe('an account that must change its password', () => {
  const must = { RoleId: 'Administrator', PasswordChangeRequired: true }

  test('may log in, and is told', async () => {
    const emulator = await startEmulator()
    const uri = await addAccount(emulator, 'new', must)
    const { status, json, uri: session } = await logIn(emulator, 'new')
    expect(status).toBe(201)
    expect(json).toMatchObject({
      '@odata.id': session,
      '@Message.ExtendedInfo': [
        { MessageId: expect.stringMatching(/^Base\.[\d.]+\.PasswordChangeRequired$/), MessageArgs: [uri] },
      ],
    })
    expect(validateBody(json)).toEqual([])
  })

  test('may look at itself and set a password, and then do everything', async () => {
    const emulator = await startEmulator()
    const uri = await addAccount(emulator, 'new', must)
    const { as } = await logIn(emulator, 'new')
    expect(await emulator.send(uri, as)).toMatchObject({
      status: 200,
      json: { PasswordChangeRequired: true },
    })
    const changed = await emulator.send(uri, { ...as, method: 'PATCH', body: { Password: OTHER } })
    expect(changed).toMatchObject({ status: 200, json: { PasswordChangeRequired: false, Password: null } })
    expect((await emulator.send(uris.updateService, as)).status).toBe(200)
    expect(await statusWith(emulator, 'new', OTHER)).toBe(200)
    expect(await statusWith(emulator, 'new', PASSWORD)).toBe(401)
  })

  test.each<[string, string, TestRequest]>([
    ['read anything else', uris.updateService, {}],
    ['see the others', uris.accounts, {}],
    ['look at another', uris.account('admin'), {}],
    ['change another’s', uris.account('admin'), { method: 'PATCH', body: { Password: OTHER } }],
    ['end its session', uris.session('1'), { method: 'DELETE' }],
    ['remove itself', uris.account('new'), { method: 'DELETE' }],
    ['lift the demand', uris.account('new'), { method: 'PATCH', body: { PasswordChangeRequired: false } }],
    [
      'change more than that',
      uris.account('new'),
      { method: 'PATCH', body: { Password: OTHER, Enabled: true } },
    ],
    ['reset', uris.action(uris.manager('1'), 'Manager.Reset'), { method: 'POST', body: {} }],
    ['find what is not there', `${uris.root}/Nowhere`, {}],
  ])('may not %s', async (_what, path, request) => {
    const emulator = await startEmulator()
    const uri = await addAccount(emulator, 'new', must)
    const answer = await emulator.send(path, { ...request, user: 'new' })
    expect({ status: answer.status, keys: messageKeys(answer.json) }).toEqual({
      status: 403,
      keys: ['PasswordChangeRequired'],
    })
    expect(answer.text).toContain(uri)
    expect(validateError(answer.json)).toEqual([])
    expect(await emulator.get(uri)).toMatchObject({ PasswordChangeRequired: true })
    expect(await statusWith(emulator, 'new', OTHER)).toBe(401)
  })

  test('reads what everybody may', async () => {
    const emulator = await startEmulator()
    await addAccount(emulator, 'new', must)
    expect((await emulator.send(`${uris.root}/`, { user: 'new' })).status).toBe(200)
  })

  test('is made such by an administrator at any time', async () => {
    const emulator = await startEmulator()
    const { as } = await logIn(emulator, 'reader')
    const body = { PasswordChangeRequired: true }
    await emulator.send(uris.account('reader'), { method: 'PATCH', body })
    expect((await emulator.send(uris.updateService, as)).status).toBe(403)
  })
})

describe('one’s own password', () => {
  test.each(['Operator', 'ReadOnly'])(
    'is changed by a PATCH of an %s, and nothing else is',
    async (RoleId) => {
      const emulator = await startEmulator()
      const uri = await addAccount(emulator, 'user', { RoleId })
      const patch = (target: string, body: JsonObject) =>
        emulator.send(target, { method: 'PATCH', body, user: 'user' })
      for (const body of [
        { RoleId: 'Administrator' },
        { Password: OTHER, RoleId: 'Administrator' },
        { Enabled: true },
      ]) {
        const refused = await patch(uri, body)
        expect({ status: refused.status, keys: messageKeys(refused.json) }).toEqual({
          status: 403,
          keys: ['InsufficientPrivilege'],
        })
      }
      expect((await patch(uris.account('reader'), { Password: OTHER })).status).toBe(403)
      expect((await emulator.send(uris.account('reader'), { user: 'user' })).status).toBe(403)
      expect(await statusWith(emulator, 'user', PASSWORD)).toBe(200)
      expect((await patch(uri, { Password: OTHER })).status).toBe(200)
      expect(await statusWith(emulator, 'user', OTHER)).toBe(200)
      expect(await statusWith(emulator, 'reader', PASSWORD)).toBe(200)
    },
  )

  test('is not changed by whoever may only log in', async () => {
    const { send } = await startEmulator()
    const body = { Password: OTHER }
    const { status } = await send(uris.account('reader'), { method: 'PATCH', body, user: 'reader' })
    expect(status).toBe(403)
  })
})

describe('ChangePassword', () => {
  const change = ({ send }: TestEmulator, account: string, body: JsonObject, user: string) =>
    send(uris.action(account, 'ManagerAccount.ChangePassword'), { method: 'POST', body, user })

  test('changes one’s own password for whoever knows it', async () => {
    const emulator = await startEmulator()
    const uri = await addAccount(emulator, 'user')
    const wrong = await change(emulator, uri, { NewPassword: OTHER, SessionAccountPassword: 'wrong' }, 'user')
    expect({ status: wrong.status, keys: messageKeys(wrong.json) }).toEqual({
      status: 400,
      keys: ['ActionParameterValueError'],
    })
    expect(validateError(wrong.json)).toEqual([])
    expect(await statusWith(emulator, 'user', OTHER)).toBe(401)
    const right = await change(
      emulator,
      uri,
      { NewPassword: OTHER, SessionAccountPassword: PASSWORD },
      'user',
    )
    expect(right.status).toBe(204)
    expect(await statusWith(emulator, 'user', OTHER)).toBe(200)
    expect(await statusWith(emulator, 'user', PASSWORD)).toBe(401)
    expect((await audit(emulator)).at(-2)).toBe('AccountSecurity.PasswordModified user user')
  })

  test('changes another’s for an administrator who says his own', async () => {
    const emulator = await startEmulator()
    const uri = await addAccount(emulator, 'user', { PasswordChangeRequired: true, Password: 'first one' })
    const theirs = { NewPassword: OTHER, SessionAccountPassword: 'first one' }
    expect((await change(emulator, uri, theirs, 'admin')).status).toBe(400)
    const body = { NewPassword: OTHER, SessionAccountPassword: PASSWORD }
    expect((await change(emulator, uri, body, 'admin')).status).toBe(204)
    expect(await statusWith(emulator, 'user', OTHER)).toBe(200)
  })

  test('changes nobody else’s for a user', async () => {
    const emulator = await startEmulator()
    await addAccount(emulator, 'user')
    const body = { NewPassword: OTHER, SessionAccountPassword: PASSWORD }
    expect((await change(emulator, uris.account('admin'), body, 'user')).status).toBe(403)
  })

  test.each<[string, JsonObject, string]>([
    ['too short', { NewPassword: 'short', SessionAccountPassword: PASSWORD }, 'PasswordIncorrectLength'],
    ['missing', { SessionAccountPassword: PASSWORD }, 'ActionParameterMissing'],
  ])('refuses a new one that is %s', async (_what, body, key) => {
    const emulator = await startEmulator()
    const answer = await change(emulator, uris.account('admin'), body, 'admin')
    expect({ status: answer.status, keys: messageKeys(answer.json) }).toEqual({ status: 400, keys: [key] })
    expect(await statusWith(emulator, 'admin', PASSWORD)).toBe(200)
  })

  test('gives whoever holds a session no more tries than a login does', async () => {
    const emulator = await startEmulator()
    const settings = { AccountLockoutThreshold: 2 }
    await emulator.send(uris.accountService, { method: 'PATCH', body: settings })
    const uri = await addAccount(emulator, 'user')
    const { as } = await logIn(emulator, 'user')
    const path = uris.action(uri, 'ManagerAccount.ChangePassword')
    const guess = (SessionAccountPassword: string) =>
      emulator.send(path, { ...as, method: 'POST', body: { NewPassword: OTHER, SessionAccountPassword } })
    await guess('wrong')
    await guess('wrong again')
    expect(await emulator.get(uri)).toMatchObject({ Locked: true })
    expect((await guess(PASSWORD)).status).toBe(400)
  })
})
