import { describe, expect, test } from 'vitest'
import { loadMachine } from '../../src/bmc/mockup-folder.ts'
import type { JsonObject, Resource } from '../../src/redfish/resource.ts'
import { uris } from '../../src/redfish/uris.ts'
import { MAX_JOBS } from '../../src/tasks/job-engine.ts'
import { addAccount, audit } from '../support/accounts.ts'
import { basic, startEmulator, type TestEmulator } from '../support/emulator.ts'
import { bundleOf } from '../support/images.ts'
import { DAILY, DAY_MS, jobLog, makeJob, postJob, renaming, tagOf } from '../support/jobs.ts'
import { messageKeys, mistakesIn, push } from '../support/multipart.ts'
import { validateBody, validateError } from '../support/schemas.ts'

const SYSTEM = uris.system('1')

describe('a job that a user makes', () => {
  test('is there at once, and sends its request then', async () => {
    const emulator = await startEmulator()
    const { status, headers, json } = await postJob(emulator, { Payload: renaming, Name: 'Rename it' })
    expect({ status, location: headers['location'] }).toEqual({ status: 201, location: uris.job('1') })
    expect(validateBody(json)).toEqual([])
    expect(json).toMatchObject({
      Name: 'Rename it',
      JobType: 'UserSpecified',
      JobState: 'New',
      CreatedBy: 'admin',
      CreationTime: '2026-01-01T00:00:00Z',
      HidePayload: false,
      Payload: { ...renaming, HttpHeaders: [] },
    })
    await emulator.clock.advance(1)
    expect(await tagOf(emulator)).toBe('made by a job')
    const job = await emulator.get(uris.job('1'))
    expect(validateBody(job)).toEqual([])
    expect(job).toMatchObject({ JobState: 'Completed', JobStatus: 'OK', PercentComplete: 100 })
    expect(messageKeys(job)).toEqual(['Success'])
    expect(await jobLog(emulator)).toEqual(['JobStarted 1', 'Success 1', 'JobCompletedOK 1'])
    expect(await audit(emulator)).toContain('ResourceEvent.ResourceChanged admin')
  })

  test('tells why its request was refused, and ends as an exception', async () => {
    const emulator = await startEmulator()
    const Payload = { ...renaming, JsonBody: '{"AssetTag": 5, "Bogus": 1}', HttpHeaders: ['If-Match: "x"'] }
    const uri = await makeJob(emulator, { Payload })
    expect(messageKeys(await emulator.get(uri))).toEqual(['PreconditionFailed'])
    const other = await makeJob(emulator, { Payload: { ...Payload, HttpHeaders: [] } })
    const job = await emulator.get(other)
    expect(job).toMatchObject({ JobState: 'Exception', JobStatus: 'Critical' })
    expect(messageKeys(job)).toEqual(['PropertyValueTypeError', 'PropertyUnknown'])
    expect(await jobLog(emulator)).toContain('JobCompletedException 2')
  })

  test('shows no token in a URI of its request', async () => {
    const emulator = await startEmulator()
    const body = { ImageURI: 'http://me:planted@127.0.0.1:9/nic.tar?sig=planted#planted' }
    const TargetUri = uris.action(uris.updateService, 'UpdateService.SimpleUpdate')
    const Payload = { HttpOperation: 'POST', TargetUri, JsonBody: JSON.stringify(body) }
    const shown = JSON.stringify(await emulator.get(await makeJob(emulator, { Payload })))
    expect(shown).toContain('nic.tar')
    expect(shown).not.toContain('planted')
  })

  test('shows no secret of its request, sends it all the same, and may hide the whole of it', async () => {
    const emulator = await startEmulator()
    const account = await addAccount(emulator, 'somebody')
    const Payload = {
      HttpOperation: 'PATCH',
      TargetUri: account,
      JsonBody: '{"Password": "much-better"}',
      HttpHeaders: ['X-Api-Key: hidden-too'],
    }
    const uri = await makeJob(emulator, { Payload })
    expect(await emulator.get(uri)).toMatchObject({
      JobState: 'Completed',
      Payload: { ...Payload, JsonBody: '{"Password":"******"}', HttpHeaders: ['X-Api-Key: ******'] },
    })
    expect(JSON.stringify([...emulator.bmc.state.jobs])).not.toMatch(/much-better|hidden-too/)
    const login = { UserName: 'somebody', Password: 'much-better' }
    expect(await emulator.send(uris.sessions, { method: 'POST', user: null, body: login })).toMatchObject({
      status: 201,
    })
    const hidden = await makeJob(emulator, { Payload, HidePayload: true })
    const job = await emulator.get(hidden)
    expect(job).toMatchObject({ JobState: 'Completed', HidePayload: true })
    expect(job).not.toHaveProperty('Payload')
  })

  test('that starts an update says what its task says, and ends as that does', async () => {
    const emulator = await startEmulator()
    await push(emulator, await bundleOf({ 'NIC-1': '22.42.1' }), {
      '@Redfish.OperationApplyTime': 'OnStartUpdateRequest',
    })
    await emulator.clock.advance(60_000)
    const Payload = {
      HttpOperation: 'POST',
      TargetUri: uris.action(uris.updateService, 'UpdateService.StartUpdate'),
    }
    const uri = await makeJob(emulator, { Payload })
    expect(await emulator.get(uri)).toMatchObject({ JobState: 'Running' })
    await emulator.clock.advance(120_000)
    const [task] = [...emulator.bmc.state.tasks.values()]
      .filter(({ parent }) => parent === undefined)
      .slice(-1)
    const job = await emulator.get(uri)
    expect(job).toMatchObject({ JobState: 'Completed', PercentComplete: 100 })
    expect(messageKeys(job)).toEqual(task?.messages.map(({ MessageId }) => MessageId.split('.').at(-1)))
    expect(messageKeys(job)).toContain('UpdateSuccessful')
    expect(await emulator.get(uris.firmware('NIC-1'))).toMatchObject({ Version: '22.42.1' })
  })
})

describe('what a job may ask for is judged when it is made', () => {
  test('and all that is wrong is told at once', async () => {
    const { status, json } = await postJob(await startEmulator(), {
      Name: 3,
      Bogus: true,
      Payload: {
        HttpOperation: 'GET',
        TargetUri: `${uris.systems}/nowhere`,
        HttpHeaders: ['Authorization: planted'],
        JsonBody: '{',
      },
      HidePayload: 'yes',
      MaxExecutionTime: 'PT0S',
      Schedule: {
        Lifetime: 'a week',
        MaxOccurrences: 0,
        InitialStartTime: 'tomorrow',
        RecurrenceInterval: 'PT0.5S',
        EnabledDaysOfWeek: ['Every', 'Monday'],
        EnabledDaysOfMonth: [32],
        EnabledMonthsOfYear: ['Brumaire'],
        EnabledIntervals: ['02:00Z/PT1H', 'R/02:00Z/PT1H'],
      },
    })
    expect({ status, wrong: mistakesIn(json).toSorted() }).toEqual({
      status: 400,
      wrong: [
        'PropertyUnknown /Bogus',
        'PropertyValueError /Payload/HttpHeaders',
        'PropertyValueError /Payload/JsonBody',
        'PropertyValueError /Schedule/EnabledDaysOfWeek',
        'PropertyValueFormatError /Schedule/EnabledIntervals/1',
        'PropertyValueFormatError /Schedule/InitialStartTime',
        'PropertyValueFormatError /Schedule/Lifetime',
        'PropertyValueNotInList /Payload/HttpOperation',
        'PropertyValueNotInList /Schedule/EnabledMonthsOfYear/0',
        'PropertyValueOutOfRange /MaxExecutionTime',
        'PropertyValueOutOfRange /Schedule/EnabledDaysOfMonth/0',
        'PropertyValueOutOfRange /Schedule/MaxOccurrences',
        'PropertyValueOutOfRange /Schedule/RecurrenceInterval',
        'PropertyValueTypeError /HidePayload',
        'PropertyValueTypeError /Name',
        'ResourceMissingAtURI /Payload/TargetUri',
      ],
    })
    expect(JSON.stringify(json)).not.toContain('planted')
  })

  const target = (TargetUri: string, HttpOperation = 'POST') => ({ Payload: { HttpOperation, TargetUri } })
  test.each<readonly [string, JsonObject, string]>([
    ['no payload', {}, 'PropertyMissing /Payload'],
    ['no target', { Payload: { HttpOperation: 'POST' } }, 'PropertyMissing /Payload/TargetUri'],
    ['another host', target('https://192.0.2.1/redfish/v1/Systems'), 'PropertyValueError /Payload/TargetUri'],
    ['a query', target(`${SYSTEM}?x=1`, 'PATCH'), 'PropertyValueError /Payload/TargetUri'],
    ['an escape', target('/redfish/v1/JobService/%4Aobs'), 'PropertyValueError /Payload/TargetUri'],
    ['a way up', target('/redfish/v1/Systems/../JobService/Jobs'), 'ResourceMissingAtURI /Payload/TargetUri'],
    ['no resource', target('/redfish/v1/nothing', 'PATCH'), 'ResourceMissingAtURI /Payload/TargetUri'],
    [
      'no action',
      target(uris.action(SYSTEM, 'ComputerSystem.Fly')),
      'ResourceMissingAtURI /Payload/TargetUri',
    ],
    ['a method that it does not have', target(uris.systems), 'PropertyValueConflict /Payload/TargetUri'],
    ['another job', target(uris.jobs), 'PropertyValueIncorrect /Payload/TargetUri'],
    [
      'another job by another path',
      target(`${uris.jobs}/Members/`),
      'PropertyValueIncorrect /Payload/TargetUri',
    ],
    [
      'the start of a job',
      target(uris.action(uris.job('1'), 'Job.ForceStart')),
      'PropertyValueIncorrect /Payload/TargetUri',
    ],
    [
      'a time that never comes',
      { Payload: renaming, Schedule: { EnabledMonthsOfYear: ['February'], EnabledDaysOfMonth: [31] } },
      'PropertyValueError /Schedule',
    ],
  ])('%s is refused', async (_what, body, mistake) => {
    const emulator = await startEmulator()
    const { status, json } = await postJob(emulator, body)
    expect({ status, wrong: mistakesIn(json) }).toEqual({ status: 400, wrong: [mistake] })
    expect(validateError(json)).toEqual([])
    expect(emulator.bmc.state.jobs.size).toBe(0)
  })

  test.each(['x-auth-token: a', 'Cookie: a', 'X-Redflash-Pass: a', 'Host: a', 'no colon', 'a b: c', 'a: \n'])(
    'the header %j is refused',
    async (header) => {
      const { status, json } = await postJob(await startEmulator(), {
        Payload: { ...renaming, HttpHeaders: [header] },
      })
      expect({ status, wrong: mistakesIn(json) }).toEqual({
        status: 400,
        wrong: ['PropertyValueError /Payload/HttpHeaders'],
      })
    },
  )

  test('an action that this very resource does not have is refused', async () => {
    const rackmount = loadMachine('rackmount')
    const system = { ...rackmount.resources.get(SYSTEM), Actions: {} }
    const resources = new Map([...rackmount.resources, [SYSTEM, system as unknown as Resource]])
    const emulator = await startEmulator({ machine: { ...rackmount, resources } })
    const { status, json } = await postJob(emulator, target(uris.action(SYSTEM, 'ComputerSystem.Reset')))
    expect({ status, wrong: mistakesIn(json) }).toEqual({
      status: 400,
      wrong: ['ResourceMissingAtURI /Payload/TargetUri'],
    })
  })

  test('there is no room for more than MaxJobs that have not ended', async () => {
    const emulator = await startEmulator()
    const later = { Payload: renaming, Schedule: DAILY }
    for (let count = 0; count < MAX_JOBS; count++) await postJob(emulator, later)
    const { status, json } = await postJob(emulator, later)
    expect({ status, keys: messageKeys(json) }).toEqual({
      status: 503,
      keys: ['CreateLimitReachedForResource'],
    })
    await emulator.clock.advance(1)
    await emulator.send(uris.job('1'), { method: 'DELETE' })
    await emulator.clock.advance(1)
    expect(await postJob(emulator, later)).toMatchObject({ status: 201 })
  })
})

describe('a job acts for its maker, with what the maker may do at that moment', () => {
  /** A manager's job that is due tomorrow, and what became of the manager until then. */
  const meanwhile = async (change: (emulator: TestEmulator, account: string) => Promise<unknown>) => {
    const emulator = await startEmulator()
    const account = await addAccount(emulator, 'manager', { RoleId: 'Administrator' })
    const uri = await makeJob(emulator, { Schedule: DAILY }, 'manager')
    await change(emulator, account)
    await emulator.clock.advance(DAY_MS)
    return { ...emulator, job: await emulator.get(uri), tag: await tagOf(emulator) }
  }
  const patch = (members: JsonObject) => (emulator: TestEmulator, account: string) =>
    emulator.send(account, { method: 'PATCH', body: members })

  test('who is still there', async () => {
    const emulator = await meanwhile(async () => {})
    expect(emulator).toMatchObject({
      tag: 'made by a job',
      job: { JobState: 'Pending', CreatedBy: 'manager' },
    })
    expect(await audit(emulator)).toContain('ResourceEvent.ResourceChanged manager')
  })

  test('from where the maker asked for it', async () => {
    const emulator = await startEmulator()
    await emulator.app.fastify.inject({
      method: 'POST',
      url: uris.jobs,
      remoteAddress: '192.0.2.7',
      headers: { authorization: basic('admin') },
      payload: { Payload: renaming },
    })
    await emulator.clock.advance(1)
    const entries = [...emulator.bmc.state.auditLog.values()]
    expect(entries.find(({ origin }) => origin === SYSTEM)).toMatchObject({
      actor: { username: 'admin', address: 'http://192.0.2.7' },
      description: `PATCH ${SYSTEM}`,
    })
  })

  test('even if the password is another now', async () => {
    const { tag } = await meanwhile(patch({ Password: 'another-one' }))
    expect(tag).toBe('made by a job')
  })

  test('who has another role by now, which may not do it', async () => {
    const { tag, job } = await meanwhile(patch({ RoleId: 'ReadOnly' }))
    expect(tag).not.toBe('made by a job')
    expect(messageKeys(job)).toEqual(['InsufficientPrivilege'])
    // It may be allowed again by the next time.
    expect(job).toMatchObject({
      JobState: 'Pending',
      StartTime: '2026-01-03T00:00:00Z',
      JobStatus: 'Critical',
    })
  })

  test.each<readonly [string, Parameters<typeof meanwhile>[0], string]>([
    ['is disabled', patch({ Enabled: false }), 'AccountDisabled'],
    ['has expired', patch({ AccountExpiration: '2026-01-01T12:00:00Z' }), 'AccountDisabled'],
    ['is gone', ({ send }, account) => send(account, { method: 'DELETE' }), 'ResourceNotFound'],
    [
      'is locked',
      async ({ send }) => {
        await send(uris.accountService, {
          method: 'PATCH',
          body: { AccountLockoutThreshold: 1, AccountLockoutCounterResetEnabled: false },
        })
        const body = { UserName: 'manager', Password: 'wrong' }
        await send(uris.sessions, { method: 'POST', user: null, body })
      },
      'AccountLocked',
    ],
  ])('and for nobody whose account %s', async (_what, change, key) => {
    const { tag, job } = await meanwhile(change)
    expect(tag).not.toBe('made by a job')
    expect(job).toMatchObject({ JobState: 'Exception', JobStatus: 'Critical' })
    expect(messageKeys(job)).toEqual([key, 'AccessUnauthorized'])
  })

  test('and nobody without ConfigureManager makes one', async () => {
    const emulator = await startEmulator()
    await addAccount(emulator, 'operator', { RoleId: 'Operator' })
    expect(await postJob(emulator, { Payload: renaming }, 'operator')).toMatchObject({ status: 403 })
  })
})
