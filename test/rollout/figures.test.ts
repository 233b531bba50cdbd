import { describe, expect, test } from 'vitest'
import { message } from '../../src/redfish/messages/message.ts'
import { analyticsOf } from '../../src/rollout/analytics.ts'
import { estimatedEnd } from '../../src/rollout/estimate.ts'
import type { RolloutPlan } from '../../src/rollout/plan.ts'
import { previewOf } from '../../src/rollout/preview.ts'
import { progressOf } from '../../src/rollout/progress.ts'
import { select } from '../../src/rollout/select.ts'
import type { TargetRecord } from '../../src/rollout/state.ts'
import { begun, MINUTE, START } from './begun.ts'
import { component, device, devices, IMAGE, NEW } from './devices.ts'
import { fails, succeeds } from './scripted-flash.ts'

test('progress is rounded down, and leaves out who is skipped', () => {
  const all = [...devices(3), device('same', { components: [component('same', { version: NEW })] })]
  const rollout = begun({ Waves: [{ Count: 2 }, { Count: 1 }], FailureThreshold: { Count: 3 } }, all)
  rollout.end('d-1', succeeds)
  expect(progressOf(rollout.live)).toMatchObject({
    state: 'Running',
    percent: 33,
    counts: { Succeeded: 1, Flashing: 1, Pending: 1, Skipped: 1, Failed: 0 },
    waves: [
      { name: 'Wave 1', state: 'Running', percent: 50, counts: { Succeeded: 1, Flashing: 1, Skipped: 0 } },
      { name: 'Wave 2', state: 'Pending', percent: 0, counts: { Pending: 1 } },
    ],
  })
  rollout.end('d-2', fails)
  expect(progressOf(rollout.live).percent).toBe(66)
  rollout.end('d-3', succeeds)
  expect(progressOf(rollout.live).percent).toBe(100)
})

describe('the estimated end', () => {
  const plan: RolloutPlan = { Waves: [{ Count: 1 }, { Count: 4 }], MaxParallel: 2, DelayBetweenWaves: 'PT5M' }
  const now = START + 10 * MINUTE

  /** A roll-out whose first device has taken ten minutes. */
  function afterOne(own: RolloutPlan, facts: Parameters<typeof devices>[1] = () => ({})) {
    const rollout = begun({ ...plan, ...own }, devices(9, facts))
    rollout.later(10)
    expect(estimatedEnd(rollout.live, now)).toBeUndefined()
    rollout.end('d-1', succeeds)
    return rollout
  }

  test('is so many rounds of the mean as there are, and the delays', () => {
    // Five minutes, two rounds of ten, five minutes, two rounds of ten.
    expect(estimatedEnd(afterOne({}).live, now)).toBe(now + 50 * MINUTE)
  })

  test('knows the limits of groups', () => {
    const { live } = afterOne({ MaxParallelPerGroup: 1 }, () => ({ group: 'a' }))
    expect(estimatedEnd(live, now)).toBe(now + 90 * MINUTE)
  })

  test('waits for windows', () => {
    const windows = [{ Groups: ['w'], Cron: '0 6 * * *', Duration: 'PT1H' }]
    const rollout = afterOne({ MaintenanceWindows: windows, DelayBetweenWaves: 'PT0S' }, (index) =>
      index === 2 ? { group: 'w' } : {},
    )
    // At six, ten minutes; then the last wave in two rounds.
    expect(estimatedEnd(rollout.live, now)).toBe(START + 6 * 60 * MINUTE + 30 * MINUTE)
  })

  test.each([
    ['it is paused', {}, 'Pause'],
    ['a wave waits for somebody', { ApprovalRequired: true }, undefined],
  ] as const)('is not known while %s', (_name, own, kind) => {
    const rollout = begun({ ...plan, ...own }, 9)
    rollout.tell({ kind: 'Approved', wave: 0 })
    rollout.end('d-1', succeeds)
    if (kind !== undefined) rollout.tell({ kind })
    expect(estimatedEnd(rollout.live, START)).toBeUndefined()
  })
})

test('figures add up what was done', () => {
  const Retries = { MaxRetries: 1, Delay: 'PT0S', Stages: ['Transfer' as const] }
  const rollout = begun({ Retries, RollBackFailed: true, FailureThreshold: { Count: 9 } }, 4)
  rollout.end('d-1', fails)
  rollout.later(10)
  rollout.end('d-2', succeeds)
  rollout.later(10)
  rollout.end('d-1', succeeds)
  const failure = { stage: 'Install', message: message('Update.ApplyFailed', 'x', 'y') } as const
  rollout.end('d-3', { end: 'Failed', failure, bytes: 50 })
  rollout.end('d-3', succeeds)
  rollout.later(10)
  rollout.end('d-4', succeeds)
  expect(analyticsOf([...rollout.live.targets.values()])).toEqual({
    devices: { Succeeded: 3, RolledBack: 1 },
    successPercent: 75,
    durations: {
      least: 10 * MINUTE,
      mean: 20 * MINUTE,
      most: 30 * MINUTE,
      percentiles: { 50: 20 * MINUTE, 90: 30 * MINUTE, 95: 30 * MINUTE, 99: 30 * MINUTE },
    },
    failuresByStage: { Transfer: 1, Install: 1 },
    failuresByMessage: { 'Update.TransferFailed': 1, 'Update.ApplyFailed': 1 },
    retries: 1,
    rollBacks: { succeeded: 1, failed: 0 },
    bytes: 4_050,
  })
  const [target] = rollout.live.targets.values()
  const cancelled = { operation: 'x', kind: 'Update', end: 'Cancelled', startedAt: 0, endedAt: 1 } as const
  expect(analyticsOf([{ ...(target as TargetRecord), history: [cancelled] }]).successPercent).toBeUndefined()
  expect(analyticsOf([])).toMatchObject({ successPercent: undefined, durations: undefined, bytes: 0 })
})

test.each([
  [1, [1, 1, 1, 1]],
  [2, [1, 2, 2, 2]],
  [10, [5, 9, 10, 10]],
  [20, [10, 18, 19, 20]],
  [100, [50, 90, 95, 99]],
  [101, [51, 91, 96, 100]],
])('percentiles of %i durations are some of them, by the nearest rank', (count, [p50, p90, p95, p99]) => {
  const [target] = begun({}, 1).live.targets.values()
  const ended = { operation: 'x', kind: 'Update', end: 'Succeeded', startedAt: 0 } as const
  // The longest first: their order is not that of their length.
  const targets = Array.from({ length: count }, (_, index) => ({
    ...(target as TargetRecord),
    history: [{ ...ended, endedAt: count - index }],
  }))
  expect(analyticsOf(targets).durations).toMatchObject({
    least: 1,
    most: count,
    mean: (count + 1) / 2,
    percentiles: { 50: p50, 90: p90, 95: p95, 99: p99 },
  })
})

test('a preview tells the waves, what is too many, and what a dry run says of each device', () => {
  const plan: RolloutPlan = {
    Targets: ['/redfish/v1/Systems/d-1', '/redfish/v1/Systems/d-2', '/redfish/v1/Systems/d-3', '/x'],
    Waves: [
      { Name: 'Canary', Count: 1, ApprovalRequired: true },
      { Count: 10, Delay: 'PT1H', SuccessThreshold: { Percent: 75 } },
    ],
    FailureThreshold: { Percent: 51, Action: 'Stop' },
    MaintenanceWindows: [{ Groups: ['w'], Cron: '0 2 * * *', Duration: 'PT1H' }],
    StartTime: '2026-01-01T01:00:00Z',
  }
  const all = devices(4, (index) => (index === 1 ? { group: 'w' } : {}))
  const selection = select({ plan, devices: all, image: IMAGE })
  const said = message('Update.TargetDetermined', 'x', 'y')
  const preview = previewOf({ plan, createdAt: START }, selection, ({ device: { id } }) =>
    id === 'd-3' ? [said] : [],
  )
  const start = START + 60 * MINUTE
  expect(preview).toMatchObject({
    waves: [
      {
        name: 'Canary',
        needsApproval: true,
        failuresTooMany: 1,
        action: 'Stop',
        devices: [{ device: { id: 'd-1' }, earliest: start, messages: [] }],
      },
      {
        name: 'Wave 2',
        needsApproval: false,
        delayMs: 60 * MINUTE,
        failuresTooMany: 2,
        successesNeeded: 2,
        devices: [
          { device: { id: 'd-2' }, earliest: start + 60 * MINUTE },
          { device: { id: 'd-3' }, earliest: start, messages: [said] },
        ],
      },
    ],
    unknown: ['/x'],
  })
})
