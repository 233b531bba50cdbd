import type { Bmc, BmcAction } from '../../bmc/bmc.ts'
import { resetInBatches } from '../../console/batches.ts'
import type { Devices } from '../../console/devices.ts'
import { accepted } from '../../http/accepted.ts'
import type { Clock } from '../../lib/clock.ts'
import { type Static, Type } from '../../lib/schema.ts'
import { busy } from '../../redfish/errors.ts'
import type { Message } from '../../redfish/messages/message.ts'
import { type ResetType, resetTypes } from '../../redfish/reset-types.ts'
import type { Answer, Call } from '../../redfish/resource-table.ts'
import { referencePath, uris } from '../../redfish/uris.ts'
import type { TaskEngine } from '../../tasks/engine.ts'
import { missingReferences, Reference, refuse } from './references.ts'

export const SERVICE_RESET = 'AggregationService.Reset'
export const AGGREGATE_RESET = 'Aggregate.Reset'
const closed = { additionalProperties: false }
const BUSY_RETRY_S = 30

const batchParameters = {
  ResetType: Type.Optional(Type.Unsafe<ResetType>({ enum: resetTypes })),
  BatchSize: Type.Optional(Type.Integer({ minimum: 0 })),
  DelayBetweenBatchesInSeconds: Type.Optional(Type.Integer({ minimum: 0 })),
}
const AggregateReset = Type.Object(batchParameters, closed)
const ServiceReset = Type.Object(
  // Nobody is not all, and no reset either: what a script found nobody for is its mistake.
  { TargetURIs: Type.Array(Reference, { minItems: 1 }), ...batchParameters },
  closed,
)

export interface ResetOptions {
  readonly clock: Clock
  readonly devices: Devices
  readonly tasks: TaskEngine
}

/** Resets what is listed. */
export function serviceReset(options: ResetOptions): BmcAction {
  const mistakes = ({ bmc, body }: Call<Bmc>): Message[] =>
    missingReferences(body, 'TargetURIs', (path) => bmc.machine.resources.has(path))
  return {
    parameters: ServiceReset,
    mistakes,
    run: (call) => {
      const { TargetURIs } = call.body as Static<typeof ServiceReset>
      const targets = TargetURIs.map((one) => referencePath(one['@odata.id']))
      refuse(mistakes(call))
      return reset(call, uris.action(uris.aggregationService, SERVICE_RESET), targets, options)
    },
  }
}

/** Resets the elements of an aggregate. */
export function aggregateReset(options: ResetOptions): BmcAction {
  return {
    parameters: AggregateReset,
    run: (call) => {
      const { id = '' } = call.params
      const targets = call.bmc.state.aggregates.get(id)?.elements ?? []
      return reset(call, uris.action(uris.aggregate(id), AGGREGATE_RESET), targets, options)
    },
  }
}

function reset(
  { bmc, body, actor }: Call<Bmc>,
  targetUri: string,
  targets: readonly string[],
  { clock, devices, tasks }: ResetOptions,
): Answer {
  const { ResetType, BatchSize = 0, DelayBetweenBatchesInSeconds = 0 } = body as Static<typeof AggregateReset>
  if (!tasks.hasRoom(bmc)) throw busy(BUSY_RETRY_S)
  const type = ResetType ?? 'ForceRestart'
  const batches = {
    targets: [...new Set(targets)],
    type,
    size: BatchSize === 0 ? Math.max(1, targets.length) : BatchSize,
    delayMs: DelayBetweenBatchesInSeconds * 1_000,
  }
  const task = tasks.start(bmc, {
    name: 'Reset of resources',
    description: `Resets ${targets.length} resources`,
    payload: { targetUri, httpHeaders: [], jsonBody: JSON.stringify(body) },
    actor,
    targets,
    run: (work) => resetInBatches(bmc, batches, { devices, clock, work }),
  })
  return accepted(task)
}
