import type { Actor } from '../../bmc/actor.ts'
import { fail, type Result, succeed } from '../../lib/result.ts'
import type { Message } from '../../redfish/messages/message.ts'
import type { Wish } from '../../rollout/wish.ts'
import { additionOf, isOver } from './additions.ts'
import { type Carried, hear } from './carried.ts'
import { type Redo, redone } from './redoing.ts'
import type { Refusal } from './refusal.ts'
import { type RolloutMove, wishOf } from './wishes.ts'

/** What is wanted of a roll-out, and by whom. */
export interface Asking<T> {
  readonly wanted: T
  readonly by: Actor | undefined
}

/** Makes of one of its jobs what a client wants; false where it does nothing of the kind now. */
export async function move(carried: Carried, key: string, asking: Asking<RolloutMove>): Promise<boolean> {
  const wish = wishFor(carried, key, asking)
  if (wish !== undefined) await carried.run.send(wish)
  return wish !== undefined
}

/** As `move`, where nobody waits for it. */
export function cancel(carried: Carried, key: string, by: Actor | undefined): boolean {
  const wish = wishFor(carried, key, { wanted: 'Cancelled', by })
  if (wish !== undefined) hear(carried, wish)
  return wish !== undefined
}

function wishFor({ bmc, live }: Carried, key: string, { wanted, by }: Asking<RolloutMove>): Wish | undefined {
  const job = bmc.state.jobs.get(key)
  const wish = job && wishOf(live, job, wanted)
  return wish && { ...wish, by }
}

/** Does once more what failed, or undoes what was done; or tells why it does not. */
export async function redo(carried: Carried, { wanted, by }: Asking<Redo>): Promise<Result<void, Refusal>> {
  const some = redone(carried, wanted)
  if (!some.ok) return some
  const { kind, targets } = wanted
  await carried.run.send({ kind, targets: targets && some.value, by })
  return succeed(undefined)
}

/** Adds devices: what is to be told of those that do not join it, or why nobody does. */
export async function add(
  carried: Carried,
  { wanted, by }: Asking<readonly string[]>,
): Promise<Result<readonly Message[], Refusal>> {
  const addition = additionOf(carried, carried.image, wanted)
  if (!addition.ok) return addition
  const { selection, notes } = addition.value
  await carried.run.send({ kind: 'Add', selection, by })
  // What was heard before may have ended it.
  const [first] = [...selection.chosen, ...selection.skipped]
  return first && carried.live.targets.has(first.device.id) ? succeed(notes) : fail(isOver(carried))
}
