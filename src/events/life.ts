import type { Entries } from '../bmc/state.ts'
import { message } from '../redfish/messages/message.ts'
import type { Occurrence } from './occurrence.ts'

/** An entry of a map before and after a commit. */
export interface Pair<T> {
  readonly key: string
  readonly now: T | undefined
  readonly was: T | undefined
}

export function pairs<T>(now: Entries<T> = [], was: Entries<T> = []): Pair<T>[] {
  return now.map(([key, value], index) => ({ key, now: value, was: was[index]?.[1] }))
}

/** Created, changed or removed. */
export function ofLife(origin: string, { now, was }: Pair<unknown>): Occurrence[] {
  if (now === was) return []
  if (was === undefined) return [{ message: message('ResourceEvent.ResourceCreated'), origin }]
  if (now === undefined) return [{ message: message('ResourceEvent.ResourceRemoved'), origin, isGone: true }]
  return [{ message: message('ResourceEvent.ResourceChanged'), origin }]
}
