import type { Clock } from '../../../lib/clock.ts'
import { alarmReturns } from '../wsman.ts'

/** When a machine wakes (IPS_AlarmClockOccurrence). */
export interface Alarm {
  readonly instanceId: string
  readonly elementName: string
  /** Milliseconds since the epoch. */
  readonly startTime: number
  /** It comes again after so many; 0 for once. */
  readonly intervalMinutes: number
  readonly deleteOnCompletion: boolean
}

const MAX_ALARMS = 5
const MINUTE_MS = 60_000

/** Wakes a machine at the times that it was told. */
export class AlarmClock {
  readonly #clock: Clock
  readonly #wake: () => void
  readonly #alarms = new Map<string, { alarm: Alarm; cancel: () => void }>()

  constructor(clock: Clock, wake: () => void) {
    this.#clock = clock
    this.#wake = wake
  }

  get alarms(): readonly Alarm[] {
    return [...this.#alarms.values()].map(({ alarm }) => alarm)
  }

  add(alarm: Alarm): number {
    if (this.#alarms.has(alarm.instanceId)) return alarmReturns.duplicate
    if (this.#alarms.size === MAX_ALARMS) return alarmReturns.limitReached
    if (!(alarm.startTime > this.#clock.now())) return alarmReturns.invalidParameter
    this.#set(alarm)
    return alarmReturns.success
  }

  remove(instanceId: string): boolean {
    this.#alarms.get(instanceId)?.cancel()
    return this.#alarms.delete(instanceId)
  }

  clear(): void {
    for (const { cancel } of this.#alarms.values()) cancel()
    this.#alarms.clear()
  }

  #set(alarm: Alarm): void {
    const cancel = this.#clock.schedule(alarm.startTime - this.#clock.now(), () => this.#ring(alarm))
    this.#alarms.set(alarm.instanceId, { alarm, cancel })
  }

  #ring(alarm: Alarm): void {
    if (alarm.intervalMinutes > 0)
      this.#set({ ...alarm, startTime: alarm.startTime + alarm.intervalMinutes * MINUTE_MS })
    else if (alarm.deleteOnCompletion) this.#alarms.delete(alarm.instanceId)
    this.#wake()
  }
}
