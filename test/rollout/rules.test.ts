import { describe, expect, test } from 'vitest'
import type { RolloutPlan } from '../../src/rollout/plan.ts'
import { begun, MINUTE, START, started, wakes } from './begun.ts'
import { device } from './devices.ts'
import { fails, succeeds } from './scripted-flash.ts'

describe('waves', () => {
  test('follow each other when all of the one before have ended', () => {
    const rollout = begun({ Waves: [{ Count: 1 }, { Count: 2 }] }, 3)
    expect(rollout.flashing()).toEqual(['d-1'])
    expect(rollout.waves()).toEqual(['Running', 'Pending'])
    rollout.end('d-1', succeeds)
    expect(rollout.flashing()).toEqual(['d-2', 'd-3'])
    rollout.end('d-3', succeeds)
    rollout.end('d-2', succeeds)
    expect(rollout.state()).toBe('Completed')
    expect(rollout.live.head.history.map(({ state }) => state)).toEqual(['Running', 'Completed'])
  })

  test('wait for their approval, and then for their delay', () => {
    const rollout = begun({ Waves: [{ Count: 1 }, { Count: 1, ApprovalRequired: true, Delay: 'PT10M' }] }, 2)
    rollout.end('d-1', succeeds)
    expect(rollout.state()).toBe('WaitingForApproval')
    rollout.tell({ kind: 'Approved', wave: 0 })
    expect(rollout.state()).toBe('WaitingForApproval')
    rollout.later(4)
    expect(wakes(rollout.tell({ kind: 'Approved', wave: 1 }))).toEqual([START + 10 * MINUTE])
    expect(rollout.waves()).toEqual(['Completed', 'Delayed'])
    expect(started(rollout.later(6))).toEqual(['d-2'])
  })

  test('begin when enough of the one before have succeeded, whatever the others do', () => {
    const rollout = begun({ Waves: [{ Count: 3 }], SuccessThreshold: { Percent: 60 } }, 6)
    rollout.end('d-1', succeeds)
    expect(rollout.waves()).toEqual(['Running', 'Pending'])
    rollout.end('d-2', succeeds)
    expect(rollout.waves()).toEqual(['Running', 'Running'])
    expect(rollout.flashing()).toEqual(['d-3', 'd-4', 'd-5', 'd-6'])
  })

  test('do not begin when too few of the one before have succeeded, until somebody says so', () => {
    const plan = {
      Waves: [{ Count: 2 }],
      SuccessThreshold: { Count: 2 },
      FailureThreshold: { Count: 2 },
    }
    const rollout = begun(plan, 3)
    rollout.end('d-1', succeeds)
    rollout.end('d-2', fails)
    expect(rollout.live.head.pause).toMatchObject({ by: 'SuccessThreshold', wave: 0 })
    expect(started(rollout.tell({ kind: 'Resume' }))).toEqual(['d-3'])
  })

  test('begin at the start time, and not before', () => {
    const rollout = begun({ StartTime: '2026-01-01T01:00:00Z' }, 1)
    expect(rollout.state()).toBe('Scheduled')
    expect(started(rollout.later(59))).toEqual([])
    expect(started(rollout.later(1))).toEqual(['d-1'])
    expect(rollout.state()).toBe('Running')
  })
})

describe('of those that go on at once', () => {
  const all = [
    device('a1', { group: 'a', source: 'x' }),
    device('a2', { group: 'a', source: 'y' }),
    device('b1', { group: 'b', source: 'x' }),
    device('b2', { group: 'b', source: 'y' }),
    device('c1'),
  ]
  test.each([
    [{}, ['a1', 'a2', 'b1', 'b2', 'c1']],
    [{ MaxParallel: 2 }, ['a1', 'a2']],
    [{ MaxParallelPerGroup: 1 }, ['a1', 'b1', 'c1']],
    [{ MaxParallelPerSource: 1 }, ['a1', 'a2', 'c1']],
    [{ MaxParallelPerGroup: 1, MaxParallelPerSource: 1 }, ['a1', 'b2', 'c1']],
  ])('there are no more than %o allows', (plan, expected) => {
    expect(begun(plan, all).flashing()).toEqual(expected)
  })

  test('the next one begins when one of its group and of its source has ended', () => {
    const rollout = begun({ MaxParallelPerGroup: 1, MaxParallelPerSource: 1 }, all)
    expect(started(rollout.end('b2', succeeds))).toEqual([])
    expect(started(rollout.end('a1', succeeds))).toEqual(['a2', 'b1'])
  })
})

test('who waits for a place that another cannot take gets it', () => {
  const rollout = begun({ MaxParallelPerGroup: 1, MaxParallelPerSource: 1 }, [
    device('first', { group: 'a', source: 'x' }),
    device('hindered', { group: 'b', source: 'x' }),
    device('busy', { group: 'b', source: 'y' }),
    device('free', { group: 'c', source: 'x' }),
  ])
  expect(rollout.flashing()).toEqual(['first', 'busy'])
  expect(started(rollout.end('first', succeeds))).toEqual(['free'])
  expect(started(rollout.end('busy', succeeds))).toEqual([])
  expect(started(rollout.end('free', succeeds))).toEqual(['hindered'])
})

describe('too many failures', () => {
  test.each([
    [{ Count: 2 }, 2],
    [{ Percent: 20 }, 1],
    [{ Percent: 21 }, 2],
    [{ Percent: 40 }, 2],
    [{ Percent: 100 }, 5],
    [{ Count: 9 }, undefined],
  ])('are, by %o of five, %s', (threshold, expected) => {
    const rollout = begun({ Waves: [{ Count: 5 }], FailureThreshold: { ...threshold, Action: 'Stop' } }, 6)
    const ended = ['d-1', 'd-2', 'd-3', 'd-4', 'd-5'].findIndex((id) => {
      rollout.end(id, fails)
      return ['Stopping', 'Failed'].includes(rollout.state())
    })
    expect(ended === -1 ? undefined : ended + 1).toBe(expected)
  })

  test('are a pause; who lets it go on forgives them, and not those that follow', () => {
    const rollout = begun({ MaxParallel: 1, FailureThreshold: { Count: 2 } }, 9)
    rollout.end('d-1', fails)
    expect(started(rollout.end('d-2', fails))).toEqual([])
    expect(rollout.live.head.pause).toMatchObject({ by: 'FailureThreshold', wave: 0 })
    expect(started(rollout.tell({ kind: 'Resume' }))).toEqual(['d-3'])
    rollout.end('d-3', fails)
    expect(rollout.state()).toBe('Running')
    rollout.end('d-4', fails)
    expect(rollout.state()).toBe('Paused')
  })

  test('of all waves count together, too', () => {
    const plan: RolloutPlan = {
      Waves: [{ Count: 2 }],
      FailureThreshold: { Count: 2 },
      OverallFailureThreshold: { Count: 2, Action: 'Stop' },
    }
    const rollout = begun(plan, 5)
    rollout.end('d-1', fails)
    rollout.end('d-2', succeeds)
    rollout.end('d-3', fails)
    expect(rollout.state()).toBe('Stopping')
    rollout.end('d-4', succeeds)
    expect(rollout.state()).toBe('Failed')
    expect(rollout.states()).toEqual(['Failed', 'Succeeded', 'Failed', 'Succeeded', 'Cancelled'])
    expect(rollout.waves()).toEqual(['Completed', 'Completed', 'Cancelled'])
  })

  test.each([
    ['RollBackWave', succeeds, ['Succeeded', 'RolledBack', 'RolledBack', 'Cancelled']],
    ['RollBackAll', fails, ['RolledBack', 'RolledBack', 'RolledBack', 'Cancelled']],
  ] as const)('end by %s', (Action, end, expected) => {
    const plan: RolloutPlan = { Waves: [{ Count: 1 }, { Count: 2 }], FailureThreshold: { Count: 1, Action } }
    const rollout = begun(plan, 4)
    rollout.end('d-1', succeeds)
    rollout.end('d-2', fails)
    expect(rollout.state()).toBe('RollingBack')
    expect(rollout.stateOf('d-3')).toBe('Flashing')
    // What goes on comes to its end, whichever it is, and is rolled back then.
    rollout.end('d-3', end)
    expect(rollout.stateOf('d-3')).toBe('RollingBack')
    for (const id of ['d-1', 'd-2', 'd-3']) rollout.end(id, succeeds)
    expect(rollout.states()).toEqual(expected)
    expect(rollout.state()).toBe('RolledBack')
  })
})

describe('a device that fails', () => {
  const Retries = { MaxRetries: 2, Delay: 'PT1M', Factor: 3 } as const

  test('is tried again, each time later, and no more often than the plan says', () => {
    const rollout = begun({ Retries }, 1)
    rollout.end('d-1', fails)
    expect(rollout.stateOf('d-1')).toBe('WaitingForRetry')
    expect(started(rollout.later(0.99))).toEqual([])
    expect(started(rollout.later(0.01))).toEqual(['d-1'])
    rollout.end('d-1', fails)
    expect(started(rollout.later(2.99))).toEqual([])
    expect(started(rollout.later(0.01))).toEqual(['d-1'])
    rollout.end('d-1', fails)
    expect(rollout.stateOf('d-1')).toBe('Failed')
    expect(rollout.live.targets.get('d-1')?.history.map(({ operation }) => operation)).toEqual([
      'r-d-1-1',
      'r-d-1-2',
      'r-d-1-3',
    ])
  })

  test.each([
    [{ MessageIds: ['Update.TransferFailed'] }, 'WaitingForRetry'],
    [{ MessageIds: ['Update.1.0.TransferFailed'] }, 'WaitingForRetry'],
    [{ MessageIds: ['Update.ApplyFailed'] }, 'Failed'],
    [{ Stages: ['Transfer'] }, 'WaitingForRetry'],
    [{ Stages: ['Verify'] }, 'Failed'],
    [{ Stages: ['Verify'], MessageIds: ['Update.TransferFailed'] }, 'WaitingForRetry'],
  ] as const)('is tried again if it is worth it: with %o it is %s', (worth, expected) => {
    const { MessageIds: ids, Stages: stages } = { MessageIds: undefined, Stages: undefined, ...worth }
    const rollout = begun(
      {
        Retries: { ...Retries, ...(ids && { MessageIds: [...ids] }), ...(stages && { Stages: [...stages] }) },
      },
      2,
    )
    rollout.end('d-1', fails)
    expect(rollout.stateOf('d-1')).toBe(expected)
  })

  test('is rolled back where the plan says so, even while nothing else begins, and is a failure still', () => {
    const rollout = begun({ RollBackFailed: true, MaxParallel: 1, FailureThreshold: { Count: 1 } }, 2)
    const { effects } = rollout.end('d-1', fails)
    expect(rollout.state()).toBe('Paused')
    expect(effects).toContainEqual({ kind: 'StartRollBack', target: 'd-1', operation: 'r-d-1-2' })
    rollout.end('d-1', succeeds)
    expect(rollout.stateOf('d-1')).toBe('RolledBack')
    expect(rollout.live.all.failed).toBe(1)
  })

  test('and that cannot be rolled back says so', () => {
    const rollout = begun({ RollBackFailed: true }, 1)
    rollout.end('d-1', fails)
    rollout.end('d-1', fails)
    expect(rollout.stateOf('d-1')).toBe('RollbackFailed')
    expect(rollout.state()).toBe('Failed')
  })

  test('can be tried again by hand when all is over', () => {
    const rollout = begun({}, 2)
    rollout.end('d-1', succeeds)
    rollout.end('d-2', fails)
    expect(rollout.state()).toBe('Failed')
    expect(started(rollout.tell({ kind: 'RetryFailed' }))).toEqual(['d-2'])
    rollout.end('d-2', succeeds)
    expect(rollout.state()).toBe('Completed')
  })
})

describe('a device that takes too long', () => {
  const plan: RolloutPlan = { DeviceTimeout: 'PT30M', MaxParallel: 1 }

  test('is told to end, and has failed when it has', () => {
    const rollout = begun(plan, 2)
    expect(rollout.later(29).effects).not.toContainEqual(expect.objectContaining({ kind: 'CancelFlash' }))
    const { effects } = rollout.later(1)
    expect(effects).toContainEqual({ kind: 'CancelFlash', target: 'd-1', operation: 'r-d-1-1' })
    expect(rollout.stateOf('d-1')).toBe('Flashing')
    expect(started(rollout.end('d-1', { end: 'Cancelled' }))).toEqual([])
    expect(rollout.stateOf('d-1')).toBe('TimedOut')
  })

  test('even then is given up, and others go on; until it has ended nothing else is done to it', () => {
    const rollout = begun({ ...plan, FailureThreshold: { Count: 2 }, RollBackFailed: true }, 2)
    rollout.later(30)
    expect(started(rollout.later(1))).toEqual(['d-2'])
    expect(rollout.stateOf('d-1')).toBe('TimedOut')
    rollout.end('d-2', succeeds)
    expect(rollout.state()).toBe('Failed')
    expect(started(rollout.tell({ kind: 'RetryFailed' }))).toEqual([])
    rollout.end('d-1', fails)
    expect(rollout.stateOf('d-1')).toBe('TimedOut')
    expect(started(rollout.tell({ kind: 'RetryFailed' }))).toEqual(['d-1'])
  })

  test('has succeeded if it says so in the end', () => {
    const rollout = begun({ ...plan, FailureThreshold: { Count: 2 } }, 2)
    rollout.later(30)
    rollout.later(1)
    rollout.end('d-1', succeeds)
    expect(rollout.stateOf('d-1')).toBe('Succeeded')
    expect(rollout.live.targets.get('d-1')?.history.map(({ end }) => end)).toEqual(['Succeeded'])
    rollout.end('d-2', succeeds)
    expect(rollout.state()).toBe('Completed')
  })
})
