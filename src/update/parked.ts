import type { Bmc, Component } from '../bmc/bmc.ts'
import { commit } from '../bmc/commit.ts'
import { logged } from '../bmc/log.ts'
import type { Cause } from '../bmc/state.ts'
import type { WorkHandle } from '../tasks/work.ts'
import type { Opening } from './apply-time.ts'
import { bringIntoUse } from './bring-into-use.ts'
import type { Claims } from './claims.ts'
import type { Workshop } from './workshop.ts'

/** A component whose reset has come. */
interface Parked {
  readonly bmc: Bmc
  readonly component: Component
  readonly opening: Opening & { readonly signal: AbortSignal }
  readonly shop: Workshop
}

/** Activates what its task left behind installed; outcomes go to the log, the task ended long ago. */
export async function activateParked(
  { bmc, component, opening, shop }: Parked,
  claims: Claims,
): Promise<void> {
  const { pending } = component.now
  const taken = pending && claims.take(bmc, [component])
  const claim = taken?.get(component.id)
  if (pending === undefined || taken === undefined || claim === undefined) return
  const work = unseen({ bmc, component, opening, shop }, pending.cause ?? {})
  try {
    await bringIntoUse({ bmc, component, claim, shop, work, from: 0 }, pending, opening)
  } finally {
    claims.release(bmc, taken)
  }
}

/** Work that neither task nor job shows. */
function unseen({ bmc, component: { uri }, opening, shop }: Parked, cause: Cause): WorkHandle {
  return {
    uri,
    cause,
    signal: opening.signal,
    // Nobody can cancel it.
    lasting: opening.signal,
    persist: () => {},
    report: ({ messages = [] }, also = {}) => {
      // What is noteworthy is logged by whoever tells it; here the rest is told nowhere else.
      const log = also.log ? {} : logged(bmc, shop.clock.now(), { ...cause, origin: uri }, messages)
      if (Object.keys(also).length > 0 || messages.length > 0) commit(bmc, { ...also, ...log })
    },
    allowCancel: () => {},
    isSuspended: false,
    checkpoint: () => Promise.resolve(),
    queue: (turn) => turn,
    wait: (_waiting, opened) => opened,
    part: () => Promise.reject(new Error('work that nobody sees has no parts')),
  }
}
