import { type Static, Type } from '../lib/schema.ts'
import { DURATION_PATTERN } from '../redfish/duration.ts'
import { MESSAGE_ID } from '../redfish/messages/message.ts'
import type { Json } from '../redfish/resource.ts'

const MAX_TEXT = 256
const MAX_URI = 2_048
/** More devices than one roll-out is for. */
const MAX_TARGETS = 100_000
const MAX_ENTRIES = 1_000

const closed = { additionalProperties: false }
const texts = Type.Optional(
  Type.Array(Type.String({ minLength: 1, maxLength: MAX_TEXT }), { maxItems: MAX_ENTRIES }),
)
const reference = { format: 'uri-reference', minLength: 1, maxLength: MAX_URI }
const references = Type.Optional(Type.Array(Type.String(reference), { maxItems: MAX_TARGETS }))
/** Nobody is not all: what a script found nobody for is to reach nobody. */
const someReferences = Type.Optional(
  Type.Array(Type.String(reference), { minItems: 1, maxItems: MAX_TARGETS }),
)
const duration = Type.Optional(Type.String({ pattern: DURATION_PATTERN }))
const positive = Type.Optional(Type.Integer({ minimum: 1, maximum: MAX_TARGETS }))
const flag = Type.Optional(Type.Boolean())

/** So many devices, or so many of a hundred: one of the two. */
const amount = {
  Count: positive,
  Percent: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 100 })),
}
export const waveActions = ['Pause', 'Stop', 'RollBackWave', 'RollBackAll'] as const
export const overallActions = ['Pause', 'Stop', 'RollBackAll'] as const
export const orders = ['Given', 'Name', 'Version', 'Random'] as const
/** Where a device's update can fail: before it began, in a stage of the device, or by taking too long. */
const failureStages = ['Start', 'Transfer', 'Verify', 'Install', 'Activate', 'Timeout'] as const
export type FailureStage = (typeof failureStages)[number]

const SuccessThreshold = Type.Object(amount, closed)
const FailureThreshold = Type.Object(
  {
    ...amount,
    Action: Type.Optional(Type.Unsafe<(typeof waveActions)[number]>({ enum: waveActions })),
  },
  closed,
)
const OverallFailureThreshold = Type.Object(
  {
    ...amount,
    Action: Type.Optional(Type.Unsafe<(typeof overallActions)[number]>({ enum: overallActions })),
  },
  closed,
)

const Wave = Type.Object(
  {
    Name: Type.Optional(Type.String({ minLength: 1, maxLength: MAX_TEXT })),
    ...amount,
    Delay: duration,
    ApprovalRequired: flag,
    SuccessThreshold: Type.Optional(SuccessThreshold),
    FailureThreshold: Type.Optional(FailureThreshold),
  },
  closed,
)

const MaintenanceWindow = Type.Object(
  {
    Groups: texts,
    /** One of the two says when it opens. */
    Cron: Type.Optional(Type.String({ maxLength: MAX_TEXT })),
    Schedule: Type.Optional(Type.Unsafe<Json>({ type: 'object' })),
    TimeZone: Type.Optional(Type.String({ maxLength: MAX_TEXT })),
    Duration: Type.String({ pattern: DURATION_PATTERN }),
  },
  closed,
)

const Retries = Type.Object(
  {
    MaxRetries: Type.Integer({ minimum: 1, maximum: 100 }),
    Delay: duration,
    Factor: Type.Optional(Type.Number({ minimum: 1, maximum: 100 })),
    MaxDelay: duration,
    MessageIds: Type.Optional(
      Type.Array(Type.String({ pattern: MESSAGE_ID, maxLength: MAX_TEXT }), { maxItems: MAX_ENTRIES }),
    ),
    Stages: Type.Optional(
      Type.Array(Type.Unsafe<FailureStage>({ enum: failureStages }), { maxItems: failureStages.length }),
    ),
  },
  closed,
)

/** How firmware is brought to many devices, as a client says it: docs/rollouts.md tells what each member means. */
export const RolloutPlan = Type.Object(
  {
    Name: Type.Optional(Type.String({ maxLength: MAX_TEXT })),
    Targets: someReferences,
    Aggregate: Type.Optional(Type.String(reference)),
    Filter: Type.Optional(
      Type.Object(
        {
          Models: texts,
          Components: texts,
          Versions: texts,
          VersionBelow: Type.Optional(Type.String({ minLength: 1, maxLength: MAX_TEXT })),
          Tags: texts,
        },
        closed,
      ),
    ),
    ExcludeTargets: references,
    Waves: Type.Optional(Type.Array(Wave, { minItems: 1, maxItems: MAX_ENTRIES })),
    Order: Type.Optional(
      Type.Object(
        {
          By: Type.Unsafe<(typeof orders)[number]>({ enum: orders }),
          Seed: Type.Optional(Type.String({ maxLength: MAX_TEXT })),
        },
        closed,
      ),
    ),
    MaxParallel: positive,
    MaxParallelPerGroup: positive,
    MaxParallelPerSource: positive,
    DelayBetweenWaves: duration,
    ApprovalRequired: flag,
    StartTime: Type.Optional(Type.String({ format: 'date-time' })),
    MaintenanceWindows: Type.Optional(Type.Array(MaintenanceWindow, { minItems: 1, maxItems: MAX_ENTRIES })),
    SuccessThreshold: Type.Optional(SuccessThreshold),
    FailureThreshold: Type.Optional(FailureThreshold),
    OverallSuccessThreshold: Type.Optional(SuccessThreshold),
    OverallFailureThreshold: Type.Optional(OverallFailureThreshold),
    DeviceTimeout: duration,
    Retries: Type.Optional(Retries),
    RollBackFailed: flag,
    Dynamic: flag,
  },
  closed,
)
export type RolloutPlan = Static<typeof RolloutPlan>
export type Amount = Static<typeof SuccessThreshold>
export type MaintenanceWindow = Static<typeof MaintenanceWindow>
