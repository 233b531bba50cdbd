import { describe, expect, test } from 'vitest'
import type { FlashResult } from '../../src/devices/flasher.ts'
import {
  ITEM,
  JOB,
  MONITOR,
  RESET,
  type Script,
  TASK,
  good,
  inventory,
  job,
  link,
  resetRequired,
  said,
  startDevice,
  successful,
  task,
  update,
} from '../support/redfish-script.ts'
import type { Reply } from '../support/scripted-service.ts'

describe('a device is followed', () => {
  test.each<[string, Script]>([
    ['that answers with a monitor and no more', { [`GET ${MONITOR}`]: [{ status: 202 }, { status: 204 }] }],
    [
      'that answers 201 and names its task',
      {
        'POST /push': { status: 201, headers: { Location: TASK } },
        [`GET ${TASK}`]: [task('Running'), task('Completed')],
      },
    ],
    [
      'that names its task by a whole URL',
      {
        'POST /push': { status: 202, headers: { Location: `https://192.0.2.1${TASK}` } },
        [`GET ${TASK}`]: [task('Running'), task('Completed')],
      },
    ],
    ['that is done when it answers', { 'POST /push': { status: 204 } }],
    [
      'that answers with a job',
      { 'POST /push': { ...job('New'), status: 202 }, [`GET ${JOB}`]: [job('Running'), job('Completed')] },
    ],
    [
      'whose task becomes a job with steps',
      {
        'POST /push': { ...task('Running'), status: 202 },
        [`GET ${TASK}`]: task('Completed', said('Update.1.0.OperationTransitionedToJob', JOB)),
        [`GET ${JOB}`]: [job('Running', { Steps: link(`${JOB}/Steps`) }), job('Completed')],
        [`GET ${JOB}/Steps`]: { body: { Members: [link(`${JOB}/Steps/1`)] } },
        [`GET ${JOB}/Steps/1`]: job('Running', { Messages: [update('InstallingOnComponent')] }),
      },
    ],
    [
      'whose task is gone when it is done',
      {
        [`GET ${MONITOR}`]: [{ status: 202 }, { status: 404 }],
        [`GET ${ITEM}`]: [inventory('1'), inventory('2')],
      },
    ],
    [
      'that is away for a while, in more than one way',
      {
        'POST /push': { ...task('New'), status: 202 },
        [`GET ${TASK}`]: [
          { ending: 'lost' },
          { status: 503 },
          task('Running'),
          { ending: 'lost' },
          task('Completed'),
        ],
      },
    ],
    [
      'that has no inventory for a while',
      { [`GET ${MONITOR}`]: { status: 204 }, [`GET ${ITEM}`]: [{ status: 404 }, inventory('2')] },
    ],
  ])('%s', async (_what, script) => {
    const { run } = await startDevice(script)
    expect(await run()).toEqual(good)
  })

  test('as seldom as it wishes', async () => {
    const { run, pauses } = await startDevice({
      [`GET ${MONITOR}`]: [{ status: 202, headers: { 'Retry-After': '17' } }, { status: 204 }],
    })
    expect(await run()).toEqual(good)
    expect(pauses).toContain(17_000)
  })

  test('to the end of what it verifies, and what it installs after that', async () => {
    const {
      adapter,
      job: one,
      times,
    } = await startDevice({
      'POST /push': { ...task('New'), status: 202 },
      [`GET ${TASK}`]: [
        task('Running', update('VerifyingAtComponent')),
        task('Running', update('InstallingOnComponent')),
        task('Running', update('ApplyingOnComponent')),
        task('Completed', successful),
      ],
    })
    await adapter.transfer(one)
    expect(times(`GET ${TASK}`)).toBe(0)
    await adapter.verify(one)
    expect(times(`GET ${TASK}`)).toBe(2)
    await adapter.install(one)
    expect(times(`GET ${TASK}`)).toBe(3)
    await adapter.activate(one)
    expect(times(`GET ${TASK}`)).toBe(4)
  })

  test('in its sub-tasks, where its task does not tell', async () => {
    const parts = { SubTasks: link(`${TASK}/SubTasks`) }
    const whole = (state: string): Reply => ({ body: { ...task(state).body, ...parts } })
    const { run } = await startDevice({
      'POST /push': { ...whole('Running'), status: 202 },
      [`GET ${TASK}`]: [whole('Running'), whole('Exception')],
      [`GET ${TASK}/SubTasks`]: {
        body: { Members: [link(`${TASK}/SubTasks/1`), link(`${TASK}/SubTasks/2`)] },
      },
      [`GET ${TASK}/SubTasks/1`]: task('Exception', said('Update.1.0.ApplyFailed', 'other', `${ITEM}-2`)),
      [`GET ${TASK}/SubTasks/2`]: task('Completed', successful),
    })
    // What becomes of others is no matter of ours.
    expect(await run()).toEqual(good)
  })

  test('in its sub-tasks, where it goes well for others only', async () => {
    const parts = { SubTasks: link(`${TASK}/SubTasks`) }
    const { run, job: one } = await startDevice({
      'POST /push': { ...task('Running'), status: 202 },
      [`GET ${TASK}`]: { body: { ...task('Completed').body, ...parts } },
      [`GET ${TASK}/SubTasks`]: {
        body: { Members: [link(`${TASK}/SubTasks/1`), link(`${TASK}/SubTasks/2`)] },
      },
      [`GET ${TASK}/SubTasks/1`]: task(
        'Completed',
        said('Update.1.0.UpdateSuccessful', `${ITEM}-2`, 'other'),
      ),
      [`GET ${TASK}/SubTasks/2`]: task('Exception', update('ApplyFailed')),
    })
    expect(whyOf((await run()).at(-1))).toEqual([['Update.1.3.ApplyFailed', 'image', one.component.uri]])
  })
})

describe('a device that', () => {
  test('has words of its own for a failure is quoted', async () => {
    const own = {
      ...said('Maker.1.0.FlashStuck', 'x'),
      Message: 'The flash is stuck.',
      MessageSeverity: 'Critical',
    }
    const { run } = await startDevice({
      'POST /push': { ...task('New'), status: 202 },
      [`GET ${TASK}`]: [task('Running'), task('Exception', own)],
    })
    const results = await run()
    expect(results).toHaveLength(3)
    expect(whyOf(results.at(-1))).toEqual([
      ['Redflash.1.0.DeviceMessage', 'Maker.1.0.FlashStuck', 'The flash is stuck.'],
    ])
  })

  test('has our words for a failure is not, unless they speak of things that are not ours', async () => {
    const failed = { ...update('ApplyFailed'), MessageSeverity: 'Critical' }
    const foreign = {
      ...said('Base.1.8.ResourceMissingAtURI', '/x'),
      Message: 'gone',
      MessageSeverity: 'Critical',
    }
    const { run, job: one } = await startDevice({
      'POST /push': { ...task('New'), status: 202 },
      [`GET ${TASK}`]: task('Exception', failed, foreign),
    })
    expect(whyOf((await run()).at(-1))).toEqual([
      ['Update.1.3.ApplyFailed', 'image', one.component.uri],
      ['Redflash.1.0.DeviceMessage', 'Base.1.8.ResourceMissingAtURI', 'gone'],
    ])
  })

  test('answers 201 is not done before the task is that it names', async () => {
    const { run } = await startDevice({
      'POST /push': { status: 201, headers: { Location: TASK } },
      [`GET ${TASK}`]: [task('Running'), task('Exception')],
    })
    expect((await run()).at(-1)?.ok).toBe(false)
  })

  test.each(['Exception', 'Cancelled', 'Killed'])('ends as %s without a word has failed', async (state) => {
    const { run } = await startDevice({
      'POST /push': { ...task('Running'), status: 202 },
      [`GET ${TASK}`]: task(state),
    })
    const results = await run()
    expect(results.map(({ ok }) => ok)).toEqual([true, true, false])
    expect(whyOf(results.at(-1))[0]?.[0]).toBe('Redflash.1.0.DeviceFailed')
  })

  test.each([
    [{ status: 400 }, 'Redflash.1.0.DeviceFailed'],
    [{ status: 401 }, 'Redflash.1.0.DeviceFailed'],
    [{ ending: 'lost' }, 'Redflash.1.0.DeviceFailed'],
    [
      { status: 400, body: { error: { '@Message.ExtendedInfo': [said('Base.1.8.InsufficientStorage')] } } },
      'Base.1.22.InsufficientStorage',
    ],
  ] as const)('takes no image (%j) fails at once', async (reply, id) => {
    const { run, pushed } = await startDevice({ 'POST /push': reply })
    const results = await run()
    expect(results).toHaveLength(1)
    expect(whyOf(results[0])[0]?.[0]).toBe(id)
    expect(pushed()).toHaveLength(1)
    expect(JSON.stringify(results)).not.toContain('s3cret')
  })

  test('does not come back is given up, as soon as that is allowed', async () => {
    const script = { [`GET ${MONITOR}`]: { ending: 'lost' } } as const
    const { run, times } = await startDevice(script, { patience: { awayMs: 60_000 } })
    expect(whyOf((await run()).at(-1))[0]?.[0]).toBe('Redflash.1.0.DeviceFailed')
    expect(times(`GET ${MONITOR}`)).toBeLessThan(65)
  })

  test('tells nothing new is given up', async () => {
    const { run } = await startDevice(
      { [`GET ${MONITOR}`]: { status: 202 } },
      { patience: { stillMs: 60_000 } },
    )
    const results = await run()
    expect(results.map(({ ok }) => ok)).toEqual([true, true, false])
  })

  test('goes on running what it did is said to do so', async () => {
    const { run } = await startDevice(
      { [`GET ${MONITOR}`]: { status: 204 }, [`GET ${ITEM}`]: inventory('1') },
      { patience: { versionMs: 60_000 } },
    )
    expect((await run()).at(-1)).toEqual({ ok: true, value: { version: '1' } })
  })

  test.each([
    ['becomes what it was to be is well, though it never said that it was busy', [1, 1, 2], undefined],
    ['stays what it was has installed nothing', [1], 'nothing-installed'],
  ])('that nobody remembers and %s', async (_what, versions, kind) => {
    const script = { [`GET ${ITEM}`]: versions.map((version) => inventory(String(version))) }
    const { adapter, job: left } = await startDevice(script, { patience: { versionMs: 60_000 } })
    const result = await adapter.activate(left)
    expect(result).toEqual(kind === undefined ? good.at(-1) : { ok: false, problem: { kind } })
  })

  test('refuses a reset that it asked for has failed', async () => {
    const { run, times } = await startDevice({
      'POST /push': { ...task('New'), status: 202 },
      [`GET ${TASK}`]: task('Pending', resetRequired),
      [`POST ${RESET}`]: { status: 400 },
    })
    const results = await run()
    expect(results.map(({ ok }) => ok)).toEqual([true, true, true, false])
    expect(times(`POST ${RESET}`)).toBe(1)
  })
})

/** Of each message that a failure is told by, its id and its arguments. */
function whyOf(result: FlashResult | undefined): readonly (readonly string[])[] {
  if (result?.ok !== false || result.problem.kind !== 'failed') return []
  return (result.problem.why ?? []).map(({ MessageId, MessageArgs }) => [MessageId, ...MessageArgs])
}
