import { describe, expect, test } from 'vitest'
import type { JsonObject } from '../../src/redfish/resource.ts'
import { uris } from '../../src/redfish/uris.ts'
import { addAccount } from '../support/accounts.ts'
import { startEmulator, type TestEmulator } from '../support/emulator.ts'
import { messageKeys } from '../support/multipart.ts'
import { validateBody, validateError } from '../support/schemas.ts'

const make = (
  { send }: TestEmulator,
  RoleId: string,
  AssignedPrivileges: string[],
  members: JsonObject = {},
) => send(uris.roles, { method: 'POST', body: { RoleId, AssignedPrivileges, ...members } })

const patch = ({ send }: TestEmulator, id: string, body: JsonObject) =>
  send(uris.role(id), { method: 'PATCH', body })

describe('the predefined roles', () => {
  test.each([
    [
      'Administrator',
      ['Login', 'ConfigureManager', 'ConfigureUsers', 'ConfigureSelf', 'ConfigureComponents'],
    ],
    ['Operator', ['Login', 'ConfigureSelf', 'ConfigureComponents']],
    ['ReadOnly', ['Login', 'ConfigureSelf']],
  ])('%s has the privileges of the specification, for good', async (id, privileges) => {
    const emulator = await startEmulator()
    const { json } = await emulator.send(uris.role(id))
    expect(json).toMatchObject({ Id: id, RoleId: id, IsPredefined: true, AssignedPrivileges: privileges })
    expect(validateBody(json)).toEqual([])
    const changed = await patch(emulator, id, { AssignedPrivileges: ['Login'], OemPrivileges: ['Mine'] })
    expect(changed.status).toBe(400)
    expect(messageKeys(changed.json)).toEqual(['PropertyNotWritable', 'PropertyNotWritable'])
    const removed = await emulator.send(uris.role(id), { method: 'DELETE' })
    expect({ status: removed.status, keys: messageKeys(removed.json) }).toEqual({
      status: 409,
      keys: ['ResourceCannotBeDeleted'],
    })
    expect(await emulator.get(uris.role(id))).toMatchObject({ AssignedPrivileges: privileges })
  })
})

describe('a custom role', () => {
  test('is made, decides what its users may, and is removed when nobody has it', async () => {
    const emulator = await startEmulator()
    const made = await make(emulator, 'Keeper', ['Login'], { OemPrivileges: ['Doors'] })
    expect(made).toMatchObject({ status: 201, headers: { location: uris.role('Keeper') } })
    expect(made.json).toMatchObject({
      RoleId: 'Keeper',
      IsPredefined: false,
      AssignedPrivileges: ['Login'],
      OemPrivileges: ['Doors'],
    })
    expect(validateBody(made.json)).toEqual([])
    const account = await addAccount(emulator, 'keeper', { RoleId: 'Keeper' })
    const change = { method: 'PATCH', user: 'keeper', body: { TaskAutoDeleteTimeoutMinutes: 5 } } as const
    expect((await emulator.send(uris.taskService, change)).status).toBe(403)
    const grown = await patch(emulator, 'Keeper', { AssignedPrivileges: ['Login', 'ConfigureManager'] })
    expect(grown).toMatchObject({
      status: 200,
      json: { AssignedPrivileges: ['Login', 'ConfigureManager'], OemPrivileges: ['Doors'] },
    })
    expect((await emulator.send(uris.taskService, change)).status).toBe(200)
    const used = await emulator.send(uris.role('Keeper'), { method: 'DELETE' })
    expect({ status: used.status, keys: messageKeys(used.json) }).toEqual({
      status: 409,
      keys: ['ResourceCannotBeDeleted'],
    })
    await emulator.send(account, { method: 'DELETE' })
    expect((await emulator.send(uris.role('Keeper'), { method: 'DELETE' })).status).toBe(204)
    expect((await emulator.send(uris.role('Keeper'))).status).toBe(404)
  })

  test('without Login reads nothing that asks for it', async () => {
    const emulator = await startEmulator()
    await make(emulator, 'Blind', ['ConfigureComponents'])
    await addAccount(emulator, 'blind', { RoleId: 'Blind' })
    const body = { ServiceEnabled: true }
    expect((await emulator.send(uris.updateService, { user: 'blind' })).status).toBe(403)
    const patched = await emulator.send(uris.updateService, { user: 'blind', method: 'PATCH', body })
    expect(patched.status).toBe(200)
  })

  test.each<[string, string, string[], string]>([
    ['a name that is taken', 'Operator', ['Login'], 'ResourceAlreadyExists'],
    ['a name that a path cannot hold', 'a/b', ['Login'], 'PropertyValueFormatError'],
    ['a name that a path takes for another', '..', ['Login'], 'PropertyValueFormatError'],
    ['the name of the collection’s own', 'Members', ['Login'], 'PropertyValueFormatError'],
    ['a privilege that there is not', 'New', ['Fly'], 'PropertyValueNotInList'],
  ])('with %s is not made', async (_what, id, privileges, key) => {
    const emulator = await startEmulator()
    const answer = await make(emulator, id, privileges)
    expect({ status: answer.status, keys: messageKeys(answer.json) }).toEqual({ status: 400, keys: [key] })
    expect(validateError(answer.json)).toEqual([])
    expect(await emulator.get(uris.roles)).toMatchObject({ 'Members@odata.count': 4 })
  })

  test('by which the last administrator manages users keeps that privilege', async () => {
    const emulator = await startEmulator()
    await make(emulator, 'Chief', ['Login', 'ConfigureUsers', 'ConfigureManager'])
    const chief = await addAccount(emulator, 'chief', { RoleId: 'Chief' })
    expect((await emulator.send(uris.account('admin'), { method: 'DELETE' })).status).toBe(204)
    const patchAs = (body: JsonObject) =>
      emulator.send(uris.role('Chief'), { method: 'PATCH', body, user: 'chief' })
    const refused = await patchAs({ AssignedPrivileges: ['Login', 'ConfigureManager'] })
    expect({ status: refused.status, keys: messageKeys(refused.json) }).toEqual({
      status: 400,
      keys: ['PropertyValueConflict'],
    })
    expect((await patchAs({ AssignedPrivileges: ['Login', 'ConfigureUsers'] })).status).toBe(200)
    expect((await emulator.send(chief, { user: 'chief' })).status).toBe(200)
  })
})
