import { describe, expect, test } from 'vitest'
import { LiveRollout } from '../../src/rollout/live.ts'
import type { RolloutPlan } from '../../src/rollout/plan.ts'
import { messageKey } from '../../src/rollout/rules.ts'
import { select } from '../../src/rollout/select.ts'
import type { Outcome } from '../../src/rollout/state.ts'
import { type RolloutEvent, step } from '../../src/rollout/step.ts'
import { begun, MINUTE, START, started, wakes } from './begun.ts'
import { device, devices, IMAGE } from './devices.ts'
import { fails, succeeds } from './scripted-flash.ts'

describe('a maintenance window', () => {
  const plan: RolloutPlan = {
    MaxParallel: 1,
    MaintenanceWindows: [{ Groups: ['web'], Cron: '0 2 * * *', Duration: 'PT1H' }],
  }
  const all = [
    device('w-1', { group: 'web' }),
    device('w-2', { group: 'web' }),
    device('db', { group: 'db' }),
  ]

  test('is waited for by those of its group, and who misses it waits for the next', () => {
    const rollout = begun(plan, all)
    expect(rollout.flashing()).toEqual(['db'])
    const ended = rollout.end('db', succeeds)
    expect(rollout.states()).toEqual(['WaitingForWindow', 'WaitingForWindow', 'Succeeded'])
    expect(wakes(ended)).toEqual([START + 120 * MINUTE])
    expect(started(rollout.later(120))).toEqual(['w-1'])
    rollout.later(59)
    expect(started(rollout.later(1))).toEqual([])
    expect(started(rollout.end('w-1', succeeds))).toEqual([])
    expect(rollout.stateOf('w-2')).toBe('WaitingForWindow')
    expect(started(rollout.later(23 * 60))).toEqual(['w-2'])
  })

  test('that never opens any more is waited for by nobody', () => {
    const once = { InitialStartTime: '2025-01-01T00:00:00Z' }
    const rollout = begun(
      {
        MaintenanceWindows: [{ Schedule: once, Duration: 'PT1H' }],
        StartTime: '2026-01-02T00:00:00Z',
      },
      2,
    )
    rollout.later(24 * 60)
    expect(rollout.states()).toEqual(['Skipped', 'Skipped'])
    const { skip } = rollout.live.targets.get('d-1') ?? {}
    expect(skip && messageKey(skip.MessageId)).toBe('Update.UpdateSkipped')
    expect(rollout.state()).toBe('Completed')
  })
})

describe('somebody', () => {
  test('pauses it: what goes on goes on, and nothing else begins until it is resumed', () => {
    const rollout = begun({ MaxParallel: 1 }, 2)
    rollout.tell({ kind: 'Pause' })
    expect(started(rollout.end('d-1', succeeds))).toEqual([])
    expect(rollout.state()).toBe('Paused')
    expect(started(rollout.tell({ kind: 'Resume' }))).toEqual(['d-2'])
  })

  test('cancels it: what goes on is told to end, and nothing else begins', () => {
    const rollout = begun({ MaxParallel: 2 }, 4)
    const { effects } = rollout.tell({ kind: 'Cancel' })
    expect(effects.filter(({ kind }) => kind === 'CancelFlash').length).toBe(2)
    expect(rollout.state()).toBe('Stopping')
    rollout.end('d-1', { end: 'Cancelled' })
    rollout.end('d-2', succeeds)
    expect(rollout.states()).toEqual(['Cancelled', 'Succeeded', 'Cancelled', 'Cancelled'])
    expect(rollout.state()).toBe('Cancelled')
  })

  test('rolls back what is finished: all of it, or some', () => {
    const rollout = begun({}, 3)
    for (const id of ['d-1', 'd-2', 'd-3']) rollout.end(id, succeeds)
    rollout.tell({ kind: 'RollBack', targets: ['d-2', 'nobody'] })
    rollout.end('d-2', succeeds)
    expect(rollout.states()).toEqual(['Succeeded', 'RolledBack', 'Succeeded'])
    expect(rollout.state()).toBe('RolledBack')
    rollout.tell({ kind: 'RollBack' })
    rollout.end('d-1', fails)
    rollout.end('d-3', succeeds)
    expect(rollout.states()).toEqual(['RollbackFailed', 'RolledBack', 'RolledBack'])
    expect(rollout.state()).toBe('Failed')
  })

  test('stops a roll-back: those whose turn has not come stay', () => {
    const rollout = begun({ MaxParallel: 3 }, 3)
    for (const id of ['d-1', 'd-2', 'd-3']) rollout.end(id, succeeds)
    expect(rollout.state()).toBe('Completed')
    const slow = begun({ MaxParallel: 1 }, 2)
    slow.end('d-1', succeeds)
    slow.end('d-2', succeeds)
    slow.tell({ kind: 'RollBack' })
    slow.tell({ kind: 'Cancel' })
    slow.end('d-1', succeeds)
    expect(slow.states()).toEqual(['RolledBack', 'Succeeded'])
    expect(slow.state()).toBe('Cancelled')
  })

  test('adds devices while it runs: they are of the last wave, and come once', () => {
    const rollout = begun({ Waves: [{ Count: 1 }, { Count: 1 }] }, 2)
    const selection = select({ plan: {}, devices: [device('d-1'), device('new')], image: IMAGE })
    rollout.tell({ kind: 'Add', selection })
    expect(rollout.states()).toEqual(['Flashing', 'Pending', 'Pending'])
    rollout.end('d-1', succeeds)
    expect(rollout.flashing()).toEqual(['d-2', 'new'])
    rollout.end('d-2', succeeds)
    rollout.end('new', succeeds)
    rollout.tell({ kind: 'Add', selection: select({ plan: {}, devices: [device('late')], image: IMAGE }) })
    expect(rollout.stateOf('late')).toBeUndefined()
  })
})

describe('an event that does not fit', () => {
  const misfits: readonly (readonly [string, RolloutEvent])[] = [
    ['Begin', { kind: 'Begin' }],
    ['Resume', { kind: 'Resume' }],
    ['Approved', { kind: 'Approved', wave: 0 }],
    ['RetryFailed', { kind: 'RetryFailed' }],
    ['RollBack', { kind: 'RollBack' }],
    [
      'DeviceEnded of another operation',
      { kind: 'DeviceEnded', target: 'd-1', operation: 'x', outcome: succeeds },
    ],
    ['DeviceEnded of nobody', { kind: 'DeviceEnded', target: 'x', operation: 'r-d-1-1', outcome: succeeds }],
    ['NeverStarted', { kind: 'NeverStarted', target: 'd-2', operation: 'r-d-2-1' }],
    [
      'Add of nobody new',
      { kind: 'Add', selection: select({ plan: {}, devices: devices(2), image: IMAGE }) },
    ],
  ]
  test.each(misfits)('changes nothing: %s', (_name, event) => {
    const { live, tell } = begun({ MaxParallel: 1 }, 2)
    const before = JSON.stringify(live.record())
    const { effects } = tell(event)
    expect(effects).toEqual([])
    expect(JSON.stringify(live.record())).toBe(before)
  })

  test('may be one that fitted once', () => {
    const { live, tell } = begun({ MaxParallel: 1 }, 3)
    const ended = { kind: 'DeviceEnded', target: 'd-1', operation: 'r-d-1-1', outcome: succeeds } as const
    tell(ended)
    const before = JSON.stringify(live.record())
    expect(tell(ended)).toEqual({ changes: { waves: [], targets: [] }, effects: [] })
    expect(JSON.stringify(live.record())).toBe(before)
  })
})

test('a restart asks for what was begun, and begins nothing twice', () => {
  const { live } = begun({ MaxParallel: 1 }, 2)
  const again = new LiveRollout(JSON.parse(JSON.stringify(live.record())))
  const { effects } = step(again, [{ kind: 'Restarted' }], START)
  expect(effects.map(({ kind }) => kind)).toEqual(['Ask', 'WakeAt'])
  // It had not been begun: whether it may be is asked again, and it is by another operation.
  const undone = step(again, [{ kind: 'NeverStarted', target: 'd-1', operation: 'r-d-1-1' }], START)
  expect(undone.effects).toContainEqual({ kind: 'StartFlash', target: 'd-1', operation: 'r-d-1-2' })
  expect(again.targets.get('d-1')).toMatchObject({ tries: 1, operations: 2 })
})

test('a restart tells those again to end who were told so', () => {
  const { live, tell } = begun({}, 1)
  tell({ kind: 'Cancel' })
  const again = new LiveRollout(JSON.parse(JSON.stringify(live.record())))
  const { effects } = step(again, [{ kind: 'Restarted' }], START)
  expect(effects).toContainEqual({ kind: 'CancelFlash', target: 'd-1', operation: 'r-d-1-1' })
  // And who had not begun does not begin any more.
  step(again, [{ kind: 'NeverStarted', target: 'd-1', operation: 'r-d-1-1' }], START)
  expect(again.targets.get('d-1')?.state).toBe('Cancelled')
  expect(again.head.state).toBe('Cancelled')
})

test('nobody begins who was to follow a failure that was told in the same breath', () => {
  const { tell, live } = begun({ MaxParallel: 2, FailureThreshold: { Count: 1, Action: 'Stop' } }, 4)
  const ended = (target: string, outcome: Outcome): RolloutEvent => {
    const operation = live.targets.get(target)?.attempt?.operation ?? ''
    return { kind: 'DeviceEnded', target, operation, outcome }
  }
  expect(started(tell(ended('d-1', succeeds), ended('d-2', fails)))).toEqual([])
  expect(live.head.state).toBe('Failed')
})
