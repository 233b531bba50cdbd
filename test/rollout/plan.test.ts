import { describe, expect, test } from 'vitest'
import { messageKey, numberOf, rulesOf } from '../../src/rollout/rules.ts'
import { readPlan } from '../../src/rollout/read-plan.ts'
import type { Json } from '../../src/redfish/resource.ts'

function mistakes(plan: Json, at?: string): string[] {
  const read = readPlan(plan, at)
  if (read.ok) return []
  return read.problem.map(
    ({ MessageId, RelatedProperties: [pointer] = [] }) => `${messageKey(MessageId)} ${pointer}`,
  )
}

const whole: Json = {
  Name: 'BIOS 2.0',
  Targets: ['/redfish/v1/Systems/d-1'],
  Aggregate: '/redfish/v1/AggregationService/Aggregates/web',
  Filter: { Models: ['A'], Components: ['bios'], Versions: ['1.0.0'], VersionBelow: '2.0.0', Tags: ['lab'] },
  ExcludeTargets: ['/redfish/v1/Systems/d-2'],
  Waves: [
    {
      Name: 'Canary',
      Count: 1,
      ApprovalRequired: true,
      FailureThreshold: { Count: 1, Action: 'RollBackWave' },
    },
    { Percent: 12.5, Delay: 'PT1H', SuccessThreshold: { Percent: 90 } },
  ],
  Order: { By: 'Random', Seed: 'x' },
  MaxParallel: 100,
  MaxParallelPerGroup: 5,
  MaxParallelPerSource: 2,
  DelayBetweenWaves: 'PT10M',
  ApprovalRequired: false,
  StartTime: '2026-06-01T22:00:00+02:00',
  MaintenanceWindows: [
    { Groups: ['web'], Cron: '0 2 * * SAT', TimeZone: 'Europe/Berlin', Duration: 'PT4H' },
    { Schedule: { InitialStartTime: '2026-06-01T00:00:00Z', RecurrenceInterval: 'P1D' }, Duration: 'PT2H' },
  ],
  SuccessThreshold: { Count: 1 },
  FailureThreshold: { Percent: 10, Action: 'Stop' },
  OverallSuccessThreshold: { Percent: 95 },
  OverallFailureThreshold: { Count: 50, Action: 'RollBackAll' },
  DeviceTimeout: 'PT30M',
  Retries: { MaxRetries: 3, Delay: 'PT1M', Factor: 2, MaxDelay: 'PT1H', Stages: ['Transfer', 'Timeout'] },
  RollBackFailed: true,
  Dynamic: true,
}

describe('a plan', () => {
  test('may be empty, or say everything', () => {
    expect(mistakes({})).toEqual([])
    expect(mistakes(whole)).toEqual([])
  })

  const cases: readonly (readonly [string, Json, readonly string[]])[] = [
    ['is an object', 'all', ['Base.PropertyValueTypeError ']],
    ['has no other members', { Canary: 1 }, ['Base.PropertyUnknown /Canary']],
    ['has waves of some size', { Waves: [{}] }, ['Base.PropertyMissing /Waves/0/Count']],
    ['of one size', { Waves: [{ Count: 1, Percent: 5 }] }, ['Base.PropertyValueConflict /Waves/0/Count']],
    ['of at least one', { Waves: [{ Count: 0 }] }, ['Base.PropertyValueOutOfRange /Waves/0/Count']],
    ['of at most all', { Waves: [{ Percent: 101 }] }, ['Base.PropertyValueOutOfRange /Waves/0/Percent']],
    [
      'has thresholds of one size',
      { FailureThreshold: { Action: 'Stop' }, OverallSuccessThreshold: { Count: 1, Percent: 1 } },
      [
        'Base.PropertyMissing /FailureThreshold/Count',
        'Base.PropertyValueConflict /OverallSuccessThreshold/Count',
      ],
    ],
    [
      'rolls back no wave for all of them',
      { OverallFailureThreshold: { Count: 1, Action: 'RollBackWave' } },
      ['Base.PropertyValueNotInList /OverallFailureThreshold/Action'],
    ],
    ['has durations', { DeviceTimeout: '1h' }, ['Base.PropertyValueFormatError /DeviceTimeout']],
    ['that end', { DeviceTimeout: 'P99999999D' }, ['Base.PropertyValueOutOfRange /DeviceTimeout']],
    ['that last', { DeviceTimeout: 'PT0S' }, ['Base.PropertyValueOutOfRange /DeviceTimeout']],
    [
      'has windows that open by one of two',
      { MaintenanceWindows: [{ Duration: 'PT1H' }, { Duration: 'PT1H', Cron: '* * * * *', Schedule: {} }] },
      [
        'Base.PropertyMissing /MaintenanceWindows/0/Cron',
        'Base.PropertyValueConflict /MaintenanceWindows/1/Cron',
      ],
    ],
    [
      'has windows that open at all, somewhere, for some time',
      { MaintenanceWindows: [{ Duration: 'PT0S', Cron: '0 0 31 2 *', TimeZone: 'Europe/Atlantis' }] },
      [
        'Base.PropertyValueFormatError /MaintenanceWindows/0/Cron',
        'Base.PropertyValueFormatError /MaintenanceWindows/0/TimeZone',
        'Base.PropertyValueOutOfRange /MaintenanceWindows/0/Duration',
      ],
    ],
    [
      'has schedules as jobs have them, but for what would have to be counted',
      {
        MaintenanceWindows: [
          { Duration: 'PT1H', Schedule: { RecurrenceInterval: 'P1D', MaxOccurrences: 3 } },
          { Duration: 'PT1H', Schedule: { EnabledDaysOfWeek: ['Someday'] } },
          { Duration: 'PT1H', Schedule: {}, TimeZone: 'UTC' },
          { Duration: 'PT1H', Schedule: { EnabledDaysOfMonth: [30], EnabledMonthsOfYear: ['February'] } },
        ],
      },
      [
        'Base.PropertyUnknown /MaintenanceWindows/0/Schedule/MaxOccurrences',
        'Base.PropertyValueNotInList /MaintenanceWindows/1/Schedule/EnabledDaysOfWeek/0',
        'Base.PropertyValueConflict /MaintenanceWindows/2/TimeZone',
        'Base.PropertyValueError /MaintenanceWindows/3/Schedule',
      ],
    ],
    [
      'tells everything that is wrong at once',
      { MaxParallel: 'many', Waves: [{ Count: 1, Delay: 'P999999D' }], Order: { By: 'Chance' }, Retries: {} },
      [
        'Base.PropertyValueTypeError /MaxParallel',
        'Base.PropertyValueNotInList /Order/By',
        'Base.PropertyMissing /Retries/MaxRetries',
        'Base.PropertyValueOutOfRange /Waves/0/Delay',
      ],
    ],
    [
      'tells what is wrong beside, before and below what is wrong, and nothing of it twice',
      {
        Waves: [{ Count: 'one', Delay: 'P999999D' }, 7, { Count: 1, Percent: '5', Canary: true }],
        MaintenanceWindows: [
          { Cron: 7, TimeZone: 'Europe/Atlantis' },
          { Schedule: 'daily', Cron: '0 0 31 2 *', Duration: 'PT0S' },
          { Schedule: { EnabledIntervals: [7, 'often'] }, Duration: 'PT1H' },
        ],
      },
      [
        'Base.PropertyValueTypeError /Waves/0/Count',
        'Base.PropertyValueOutOfRange /Waves/0/Delay',
        'Base.PropertyValueTypeError /Waves/1',
        'Base.PropertyValueTypeError /Waves/2/Percent',
        'Base.PropertyUnknown /Waves/2/Canary',
        'Base.PropertyValueConflict /Waves/2/Count',
        'Base.PropertyValueTypeError /MaintenanceWindows/0/Cron',
        'Base.PropertyMissing /MaintenanceWindows/0/Duration',
        'Base.PropertyValueFormatError /MaintenanceWindows/0/TimeZone',
        'Base.PropertyValueTypeError /MaintenanceWindows/1/Schedule',
        'Base.PropertyValueConflict /MaintenanceWindows/1/Cron',
        'Base.PropertyValueFormatError /MaintenanceWindows/1/Cron',
        'Base.PropertyValueOutOfRange /MaintenanceWindows/1/Duration',
        'Base.PropertyValueTypeError /MaintenanceWindows/2/Schedule/EnabledIntervals/0',
        'Base.PropertyValueFormatError /MaintenanceWindows/2/Schedule/EnabledIntervals/1',
      ],
    ],
    [
      'retries messages that there are, of any version',
      {
        Retries: {
          MaxRetries: 1,
          MessageIds: [
            'Update.TransferFailed',
            'Update.1.0.TransferFailed',
            'Redflash.1.0.0.DeviceFailed',
            'Update.TransferFaild',
            'Updates.1.3.TransferFailed',
            'Update.constructor',
            'TransferFailed',
            7,
          ],
        },
      },
      [
        'Base.PropertyValueNotInList /Retries/MessageIds/3',
        'Base.PropertyValueNotInList /Retries/MessageIds/4',
        'Base.PropertyValueNotInList /Retries/MessageIds/5',
        'Base.PropertyValueFormatError /Retries/MessageIds/6',
        'Base.PropertyValueTypeError /Retries/MessageIds/7',
      ],
    ],
  ]
  test.each(cases)('%s', (_name, plan, expected) => {
    expect(mistakes(plan).toSorted()).toEqual(expected.toSorted())
  })

  test('tells where in the request it is', () => {
    expect(mistakes({ Waves: [{}] }, '/Oem/Redflash/Rollout')).toEqual([
      'Base.PropertyMissing /Oem/Redflash/Rollout/Waves/0/Count',
    ])
  })
})

describe('what is left out', () => {
  test('is what the documentation says', () => {
    const rules = rulesOf({}, 0)
    expect(rules).toMatchObject({
      startAt: undefined,
      maxParallel: 10,
      perGroup: Infinity,
      perSource: Infinity,
      timeoutMs: 3_600_000,
      rollsBackFailed: false,
      retries: { max: 0, delayMs: 60_000, factor: 2, maxDelayMs: 3_600_000 },
      overallSuccess: { Percent: 100 },
      overallFailure: undefined,
    })
    expect(rules.wave(0)).toEqual({
      name: 'Wave 1',
      amount: { Percent: 100 },
      delayMs: 0,
      needsApproval: false,
      success: undefined,
      failure: { amount: { Percent: 50 }, action: 'Pause' },
    })
  })

  test('of a wave is what the plan says of all; the first one waits for nothing', () => {
    const { wave } = rulesOf(
      {
        Waves: [
          { Name: 'Canary', Count: 1 },
          { Name: 'Rest', Count: 2 },
        ],
        DelayBetweenWaves: 'PT5M',
        ApprovalRequired: true,
        SuccessThreshold: { Count: 1 },
        FailureThreshold: { Count: 2, Action: 'Stop' },
      },
      0,
    )
    expect([wave(0), wave(1), wave(2)]).toMatchObject([
      { name: 'Canary', delayMs: 0, needsApproval: true, success: { Count: 1 } },
      { name: 'Rest', delayMs: 300_000, failure: { amount: { Count: 2 }, action: 'Stop' } },
      { name: 'Rest 3', delayMs: 300_000, amount: { Count: 2 } },
    ])
  })
})

test.each([
  [{ Percent: 50 }, 3, 2],
  [{ Percent: 50 }, 4, 2],
  [{ Percent: 28 }, 25, 7],
  [{ Percent: 7 }, 100, 7],
  [{ Percent: 0.1 }, 10, 1],
  [{ Percent: 100 }, 7, 7],
  [{ Percent: 33.3 }, 0, 0],
  [{ Count: 5 }, 3, 5],
])('%o of %i are %i', (amount, total, expected) => {
  expect(numberOf(amount, total)).toBe(expected)
})
