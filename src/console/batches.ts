import type { Bmc } from '../bmc/bmc.ts'
import { isThere } from '../bmc/presence.ts'
import { allowedTypes, resetActionOf } from '../bmc/reset-types.ts'
import type { DeviceProblem } from '../devices/device.ts'
import type { Clock } from '../lib/clock.ts'
import { fail, type Result } from '../lib/result.ts'
import { type Message, message } from '../redfish/messages/message.ts'
import type { Ending, WorkHandle } from '../tasks/work.ts'
import type { Devices } from './devices.ts'
import { problemMessages } from './problems.ts'

/** Resets of many, so many at a time (AggregationService v1_0, Reset). */
export interface Batches {
  readonly targets: readonly string[]
  readonly type: string
  /** All at once unless given. */
  readonly size: number
  readonly delayMs: number
}

/** Asks for the resets, batch by batch; the task tells of those that did not come about. */
export async function resetInBatches(
  bmc: Bmc,
  { targets, type, size, delayMs }: Batches,
  { devices, clock, work }: { readonly devices: Devices; readonly clock: Clock; readonly work: WorkHandle },
): Promise<Ending> {
  const failures: Message[] = []
  for (let from = 0; from < targets.length; from += size) {
    if (from > 0) await clock.sleep(delayMs, work.signal)
    const batch = targets.slice(from, from + size)
    const results = await Promise.all(batch.map((uri) => resetOne(bmc, uri, type, { devices, work })))
    const told = results.flatMap((result, index) => {
      const uri = batch[index] ?? ''
      if (result === undefined) return [message('Base.ResourceMissingAtURI', uri)]
      return result.ok ? [] : problemMessages(result.problem, uri)
    })
    failures.push(...told)
    work.report({ percent: (100 * Math.min(targets.length, from + size)) / targets.length, messages: told })
  }
  return failures.length === 0 ? { state: 'Completed', status: 200 } : { state: 'Exception', status: 500 }
}

/** Asks a device for what it offers, and for nothing else. */
async function resetOne(
  bmc: Bmc,
  uri: string,
  type: string,
  { devices, work }: { readonly devices: Devices; readonly work: WorkHandle },
): Promise<Result<void, DeviceProblem> | undefined> {
  // An aggregate may have firmware among its elements, which nobody can reset.
  if (!isThere(bmc, uri)) return undefined
  const resource = bmc.machine.resources.get(uri)
  const isOffered = resource !== undefined && allowedTypes(resource, resetActionOf(uri)).includes(type)
  const asked = isOffered ? devices.reset(bmc, uri, type, work.signal) : undefined
  return asked ?? fail({ kind: 'unsupported', detail: `it offers no reset ${type}` })
}
