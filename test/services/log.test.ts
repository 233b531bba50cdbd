import { describe, expect, test } from 'vitest'
import { commit } from '../../src/bmc/commit.ts'
import { audited, MAX_LOG_RECORDS } from '../../src/bmc/log.ts'
import { message } from '../../src/redfish/messages/message.ts'
import type { JsonObject } from '../../src/redfish/resource.ts'
import { AUDIT_LOG, LOG, uris } from '../../src/redfish/uris.ts'
import { basic, PASSWORD, startEmulator, type TestEmulator } from '../support/emulator.ts'
import { bundleOf } from '../support/images.ts'
import { messageKeys, push } from '../support/multipart.ts'
import { validateBody } from '../support/schemas.ts'

const manager = uris.manager('1')
const text = (value: unknown): string => (typeof value === 'string' ? value : '')

interface Entry extends JsonObject {
  readonly '@odata.id': string
  readonly MessageId: string
  readonly EventGroupId?: number
}

async function entries({ get }: TestEmulator, log: string): Promise<readonly Entry[]> {
  const body = await get(uris.logEntries(manager, log))
  return body['Members'] as unknown as readonly Entry[]
}

const keys = (all: readonly Entry[]): string[] =>
  all.map(({ MessageId }) => MessageId.replace(/\.\d+\.\d+\./, '.'))

const clear = ({ send }: TestEmulator, log: string, body: JsonObject = {}, user = 'admin') =>
  send(uris.action(uris.logService(manager, log), 'LogService.ClearLog'), { method: 'POST', body, user })

const logIn = ({ send }: TestEmulator, UserName: string, Password: string, path: string = uris.sessions) =>
  send(path, { method: 'POST', user: null, body: { UserName, Password } })

describe('the audit log', () => {
  test('says what it is for', async () => {
    const { get } = await startEmulator()
    expect(await get(uris.logService(manager, AUDIT_LOG))).toMatchObject({
      LogPurposes: ['Security', 'Operations'],
      OverWritePolicy: 'WrapsWhenFull',
      MaxNumberOfRecords: MAX_LOG_RECORDS,
    })
    expect(await get(uris.logService(manager, LOG))).toMatchObject({ LogPurposes: ['Operations'] })
    expect(await get(uris.logServices(manager))).toMatchObject({ 'Members@odata.count': 2 })
  })

  test('knows who updated what, from where, and what came of it', async () => {
    const emulator = await startEmulator()
    const { json } = await push(emulator, await bundleOf({ 'NIC-1': '22.42.1' }))
    const task = text(json['@odata.id'])
    await emulator.clock.advance(60_000)
    const all = await entries(emulator, AUDIT_LOG)
    expect(keys(all)).toEqual([
      'TaskEvent.TaskStarted',
      'Update.UpdateSuccessful',
      'TaskEvent.TaskCompletedOK',
    ])
    const [started, installed, ended] = all
    for (const entry of [started, ended]) {
      expect(entry).toMatchObject({
        Username: 'admin',
        OriginAddress: 'http://127.0.0.1',
        OriginatorType: 'Client',
        Links: {
          OriginOfCondition: { '@odata.id': task },
          RelatedItem: [{ '@odata.id': uris.firmware('NIC-1') }],
          'RelatedItem@odata.count': 1,
        },
      })
      expect(validateBody(entry)).toEqual([])
    }
    const [outcome] = await entries(emulator, LOG)
    expect(outcome).toMatchObject({
      Username: 'admin',
      Links: {
        OriginOfCondition: { '@odata.id': uris.firmware('NIC-1') },
        RelatedItem: [{ '@odata.id': task }],
      },
    })
    expect(new Set([started, installed, ended, outcome].map((entry) => entry?.EventGroupId))).toEqual(
      new Set([1]),
    )
  })

  test('gives every update a group of its own, up to the activation after its reset', async () => {
    const emulator = await startEmulator()
    for (const version of ['2.4.1', '2.4.2']) {
      await push(emulator, await bundleOf({ 'BMC-Primary': version }))
      await emulator.clock.advance(300_000)
    }
    await emulator.send(uris.action(manager, 'Manager.Reset'), { method: 'POST', body: {} })
    await emulator.clock.advance(300_000)
    const groups = Map.groupBy(await entries(emulator, LOG), ({ EventGroupId }) => EventGroupId)
    expect([...groups.keys()]).toEqual([1, 2])
    expect(keys(groups.get(2) ?? [])).toContain('Update.UpdateSuccessful')
    expect(keys(groups.get(1) ?? [])).not.toContain('Update.UpdateSuccessful')
  })

  test('tells of an update that failed', async () => {
    const emulator = await startEmulator()
    await push(emulator, Buffer.from('no image at all'))
    await emulator.clock.advance(1_000)
    expect(keys(await entries(emulator, AUDIT_LOG))).toEqual([
      'TaskEvent.TaskStarted',
      'TaskEvent.TaskAborted',
    ])
  })

  test('no longer links to a task that is gone', async () => {
    const emulator = await startEmulator()
    const { json } = await push(emulator, await bundleOf({ 'NIC-1': '22.42.1' }))
    await emulator.clock.advance(60_000)
    await emulator.send(text(json['@odata.id']), { method: 'DELETE' })
    const [started] = await entries(emulator, AUDIT_LOG)
    expect(started).toMatchObject({ OriginOfConditionUnavailable: true })
    expect(started?.['Links']).not.toHaveProperty('OriginOfCondition')
    const [outcome] = await entries(emulator, LOG)
    expect(outcome?.['Links']).toEqual({ OriginOfCondition: { '@odata.id': uris.firmware('NIC-1') } })
  })

  test.each<[string, (emulator: TestEmulator) => Promise<unknown>, string | undefined]>([
    ['a login with a wrong password', (one) => logIn(one, 'admin', 'wrong'), 'admin'],
    ['a login through Members', (one) => logIn(one, 'admin', 'wrong', `${uris.sessions}/Members`), 'admin'],
    ['a name that is none', (one) => logIn(one, 'hunter2', 'hunter2'), undefined],
    [
      'Basic with a wrong password',
      ({ send }) => send(uris.tasks, { headers: { authorization: basic('reader', 'wrong') } }),
      'reader',
    ],
  ])('holds %s, and no password', async (_what, attempt, username) => {
    const emulator = await startEmulator()
    await attempt(emulator)
    const all = await entries(emulator, AUDIT_LOG)
    expect(keys(all)).toEqual(['AccountSecurity.InvalidCredentials'])
    expect(all[0]).toMatchObject({ Severity: 'Critical', MessageArgs: ['127.0.0.1', 'Redfish'] })
    expect(all[0]?.['Username']).toBe(username)
    expect(JSON.stringify(all)).not.toMatch(/wrong|hunter2/)
  })

  test('holds no attempt where nobody tried to log in', async () => {
    const emulator = await startEmulator()
    await emulator.send(uris.tasks, { user: null })
    await emulator.send(uris.tasks, { user: null, headers: { 'x-auth-token': '1-over' } })
    expect(await entries(emulator, AUDIT_LOG)).toEqual([])
  })

  test('holds logins, and what was denied: who lacked what for which request', async () => {
    const emulator = await startEmulator()
    await logIn(emulator, 'reader', PASSWORD)
    await emulator.send(uris.updateService, {
      method: 'PATCH',
      user: 'reader',
      body: { ServiceEnabled: false },
    })
    const all = await entries(emulator, AUDIT_LOG)
    expect(keys(all)).toEqual(['AccountSecurity.SuccessfulLogin', 'AccountSecurity.InsufficientPrivilege'])
    expect(all[0]).toMatchObject({ Username: 'reader', MessageArgs: ['reader', '127.0.0.1', 'Redfish'] })
    expect(all[1]).toMatchObject({
      Username: 'reader',
      Description: `PATCH ${uris.updateService}`,
      MessageArgs: ['127.0.0.1', 'Redfish', expect.stringContaining('Login'), 'ConfigureComponents'],
    })
  })

  test.each<[string, (emulator: TestEmulator) => Promise<unknown>, string, string]>([
    [
      'a change',
      ({ send }) => send(uris.sessionService, { method: 'PATCH', body: { SessionTimeout: 60 } }),
      'ResourceEvent.ResourceChanged',
      uris.sessionService,
    ],
    [
      'an action',
      ({ send }) => send(uris.action(manager, 'Manager.Reset'), { method: 'POST', body: {} }),
      'Base.Success',
      manager,
    ],
    [
      'a removal',
      async (emulator) => {
        const { headers } = await logIn(emulator, 'admin', PASSWORD)
        await emulator.send(text(headers['location']), { method: 'DELETE' })
      },
      'ResourceEvent.ResourceRemoved',
      uris.sessions,
    ],
  ])('holds %s', async (_what, act, key, origin) => {
    const emulator = await startEmulator()
    await act(emulator)
    await emulator.clock.advance(120_000)
    const last = (await entries(emulator, AUDIT_LOG)).at(-1)
    expect(last?.MessageId.replace(/\.\d+\.\d+\./, '.')).toBe(key)
    expect(last).toMatchObject({ Username: 'admin', Links: { OriginOfCondition: { '@odata.id': origin } } })
  })

  test.each<[string, JsonObject]>([
    ['what changed nothing', { SessionTimeout: 1 }],
    ['what was unknown', { Bogus: 1 }],
  ])('holds nothing of %s', async (_what, body) => {
    const emulator = await startEmulator()
    expect((await emulator.send(uris.sessionService, { method: 'PATCH', body })).status).toBe(400)
    expect(await entries(emulator, AUDIT_LOG)).toEqual([])
  })

  test.each([
    ['', 'rackmount', MAX_LOG_RECORDS],
    [', of a console more', 'console', 10_000],
  ])('holds so many entries, and then the oldest gives way%s', async (_what, machine, most) => {
    const emulator = await startEmulator({ machine })
    const deny = () => emulator.send(uris.updateService, { method: 'PATCH', user: 'reader', body: {} })
    const { bmc } = emulator
    const log = await emulator.get(uris.logService(bmc.machine.manager, AUDIT_LOG))
    expect(log).toMatchObject({ MaxNumberOfRecords: most })
    const held = () => [bmc.state.auditLog.size, bmc.state.auditLog.keys().next().value]
    const add = (count: number): void => {
      const said = Array.from({ length: count }, () => message('Base.Success'))
      commit(bmc, audited(bmc, 0, uris.updateService, said))
    }
    add(most)
    expect(held()).toEqual([most, '1'])
    await deny()
    expect(held()).toEqual([most, '2'])
    // Of more at once than it holds, the newest.
    add(most + 5)
    expect(held()).toEqual([most, String(most + 7)])
  })
})

describe('a log', () => {
  /** An emulator with some entries in both logs. */
  const withEntries = async (): Promise<TestEmulator> => {
    const emulator = await startEmulator()
    await push(emulator, await bundleOf({ 'NIC-1': '22.42.1', 'NIC-2': '22.42.1' }))
    await emulator.clock.advance(60_000)
    return emulator
  }

  test.each([LOG, AUDIT_LOG])('%s is cleared, and the audit log says by whom', async (log) => {
    const emulator = await withEntries()
    const before = await entries(emulator, AUDIT_LOG)
    expect((await clear(emulator, log)).status).toBe(204)
    expect(await entries(emulator, LOG)).toHaveLength(log === LOG ? 0 : 2)
    const audit = await entries(emulator, AUDIT_LOG)
    expect(audit).toHaveLength(log === LOG ? before.length + 1 : 1)
    expect(audit.at(-1)).toMatchObject({
      Id: String(before.length + 1),
      MessageId: expect.stringMatching(/^LogService\..*\.LogCleared$/),
      MessageArgs: [uris.logService(manager, log)],
      Username: 'admin',
    })
  })

  test('is cleared by who knows its entries as they are, when they say so', async () => {
    const emulator = await withEntries()
    const { headers } = await emulator.send(uris.logEntries(manager))
    const LogEntriesETag = text(headers['etag'])
    const [first] = await entries(emulator, LOG)
    await emulator.send(first?.['@odata.id'] ?? '', { method: 'PATCH', body: { Resolved: true } })
    const late = await clear(emulator, LOG, { LogEntriesETag })
    expect(late.status).toBe(428)
    expect(messageKeys(late.json)).toEqual(['PreconditionRequired'])
    expect(await entries(emulator, LOG)).toHaveLength(2)
    const { headers: now } = await emulator.send(uris.logEntries(manager))
    expect((await clear(emulator, LOG, { LogEntriesETag: text(now['etag']) })).status).toBe(204)
    expect(await entries(emulator, LOG)).toEqual([])
  })

  test('numbers on after it was cleared: an Id is never used twice', async () => {
    const emulator = await withEntries()
    await clear(emulator, LOG)
    await push(emulator, await bundleOf({ 'NIC-1': '22.42.2' }))
    await emulator.clock.advance(60_000)
    expect((await entries(emulator, LOG)).map(({ Id }) => Id)).toEqual(['3'])
  })

  test('has entries that are resolved and removed', async () => {
    const emulator = await withEntries()
    const [first, second] = await entries(emulator, LOG)
    const uri = first?.['@odata.id'] ?? ''
    expect(first).toMatchObject({ Resolved: false })
    const resolved = await emulator.send(uri, { method: 'PATCH', body: { Resolved: true } })
    expect(resolved.json).toMatchObject({ Resolved: true })
    expect((await emulator.send(uri, { method: 'PATCH', body: { Severity: 'OK' } })).status).toBe(400)
    expect((await emulator.send(uri, { method: 'DELETE' })).status).toBe(204)
    expect((await emulator.send(uri)).status).toBe(404)
    expect(await entries(emulator, LOG)).toEqual([second])
  })

  test.each(['PATCH', 'DELETE'] as const)('is for who configures the manager: %s', async (method) => {
    const emulator = await withEntries()
    const uri = uris.logEntry(manager, '1')
    expect((await emulator.send(uri, { method, user: 'reader', body: {} })).status).toBe(403)
    expect((await clear(emulator, LOG, {}, 'reader')).status).toBe(403)
    expect(await entries(emulator, LOG)).toHaveLength(2)
  })

  test.each([LOG, AUDIT_LOG])('%s is downloaded as it is kept', async (log) => {
    const emulator = await withEntries()
    const target = uris.action(uris.logService(manager, log), 'LogService.DownloadRawLog')
    const { json } = await emulator.send(target, { method: 'POST', body: {} })
    const { text: raw, status } = await emulator.send(text(json['DownloadURI']))
    expect(status).toBe(200)
    expect(JSON.parse(raw)).toHaveLength((await entries(emulator, log)).length)
    expect(JSON.parse(raw)).toContainEqual(expect.objectContaining({ id: '1', actor: expect.anything() }))
    expect((await emulator.send(text(json['DownloadURI']), { user: null })).status).toBe(401)
  })
})
