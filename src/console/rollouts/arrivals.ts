import type { Listener } from '../../bmc/bmc.ts'
import type { Clock } from '../../lib/clock.ts'
import { isUpdating } from '../../rollout/state.ts'
import { type Carried, hear } from './carried.ts'
import { choose } from './selection.ts'

/** Lets devices that come while roll-outs go on join those whose plans want that. */
export function onArrival(clock: Clock, all: () => Iterable<Carried>): Listener {
  let isAwaited = false
  return ({ devices, aggregates }) => {
    if (isAwaited || (devices === undefined && aggregates === undefined)) return
    isAwaited = true
    // A turn later: others are told of what has changed before they are told what follows of it.
    clock.schedule(0, () => {
      isAwaited = false
      for (const carried of all()) addNew(carried)
    })
  }
}

function addNew(carried: Carried): void {
  const { bmc, asked, live, image } = carried
  const { base, force } = asked
  if (base.plan.Dynamic !== true || image === undefined || !isUpdating(live.head.state)) return
  const wanted = { image, plan: base.plan, force }
  const { selection } = choose(bmc, wanted, (id) => !live.targets.has(id))
  if (selection.chosen.length + selection.skipped.length > 0) hear(carried, { kind: 'Add', selection })
}
