import type { ReceivedImage } from '../../image/receive.ts'
import { fail, type Result, succeed } from '../../lib/result.ts'
import { type Message, message } from '../../redfish/messages/message.ts'
import { uris } from '../../redfish/uris.ts'
import type { DeviceFacts, Selection } from '../../rollout/select.ts'
import { isUpdating } from '../../rollout/state.ts'
import type { Projected } from './projection.ts'
import { missing, notNow, type Refusal } from './refusal.ts'
import { choose } from './selection.ts'
import { nameOf } from './trail.ts'

/** Devices that join a roll-out. */
export interface Addition {
  readonly selection: Pick<Selection, 'chosen' | 'skipped'>
  /** Of those that were named and do not. */
  readonly notes: readonly Message[]
}

/** Whom these references add: the filter of the plan, and whom it excludes, hold for them, too. */
export function additionOf(
  rollout: Projected,
  image: ReceivedImage | undefined,
  Targets: readonly string[],
): Result<Addition, Refusal> {
  const { bmc, asked, live } = rollout
  const { base, force } = asked
  if (live.head.state !== 'New' && !isUpdating(live.head.state)) return fail(isOver(rollout))
  if (image === undefined) {
    const why = [message('Update.TransferFailed', base.image, uris.updateService)]
    return fail({ kind: 'not-now', why })
  }
  const named = choose(bmc, { image, plan: { Targets: [...Targets] }, force }).selection
  if (named.unknown.length > 0) return fail(missing(Targets, named.unknown))
  const { Aggregate: _group, ...others } = base.plan
  const { selection } = choose(bmc, { image, plan: { ...others, Targets: [...Targets] }, force })
  const isNew = ({ device }: { readonly device: DeviceFacts }): boolean => !live.targets.has(device.id)
  const added = { chosen: selection.chosen.filter(isNew), skipped: selection.skipped.filter(isNew) }
  const joining = new Set(devicesOf(added).map(({ id }) => id))
  const notes = devicesOf(named).flatMap(({ id, uri }) =>
    joining.has(id)
      ? []
      : [
          live.targets.has(id)
            ? message('Redflash.RollOutHasDevice', uri, nameOf(rollout))
            : message('Redflash.RollOutLeavesOut', uri, nameOf(rollout)),
        ],
  )
  if (joining.size === 0) return fail({ kind: 'not-now', why: notes })
  return succeed({ selection: added, notes })
}

export function isOver(rollout: Projected): Refusal {
  return notNow('AddDevices', message('Redflash.RollOutOver', nameOf(rollout)))
}

function devicesOf({ chosen, skipped }: Addition['selection']): DeviceFacts[] {
  return [...chosen, ...skipped].map(({ device }) => device)
}
