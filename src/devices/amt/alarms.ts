import { millisecondsOf } from '../../lib/clock.ts'
import { DeviceError } from '../device-error.ts'
import { first, type Management } from './management.ts'

/** When a machine wakes (IPS_AlarmClockOccurrence). */
interface Alarm {
  readonly id: string
  /** In milliseconds since the epoch. */
  readonly time: number
}

/** Its alarms, whoever set them; the next is the first. */
export async function readAlarms(management: Management): Promise<readonly Alarm[]> {
  const found = await management.all(management.ips.AlarmClockOccurrence)
  return found
    .map((one) => ({
      id: first(one, 'InstanceID') ?? '',
      time: millisecondsOf(first(one, 'StartTime') ?? ''),
    }))
    .filter(({ time }) => !Number.isNaN(time))
    .toSorted((a, b) => a.time - b.time)
}

/** The times of its alarms; `undefined`: it knows nothing of alarms. */
export async function readWakeTimes(management: Management): Promise<readonly number[] | undefined> {
  try {
    const times = (await readAlarms(management)).map(({ time }) => time)
    return [...new Set(times)]
  } catch (error) {
    // A fault: the machine has no such class.
    if (error instanceof DeviceError && error.problem.kind === 'failed') return undefined
    throw error
  }
}
