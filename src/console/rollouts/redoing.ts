import { deviceUris } from '../../bmc/device-documents.ts'
import { fail, type Result, succeed } from '../../lib/result.ts'
import { message } from '../../redfish/messages/message.ts'
import { canBeRetried, canBeRolledBack, mayRetry, mayRollBack } from '../../rollout/moves.ts'
import type { RolloutHead, TargetRecord } from '../../rollout/state.ts'
import { leadsToDevices } from '../../update/targets.ts'
import type { Projected } from './projection.ts'
import { missing, notNow, type Refusal } from './refusal.ts'
import { nameOf } from './trail.ts'

/** What is to be done anew, and to whom. */
export interface Redo {
  readonly kind: 'RetryFailed' | 'RollBack'
  /** URIs of devices; all unless given. */
  readonly targets: readonly string[] | undefined
}

interface Rule {
  readonly mayNow: (head: RolloutHead) => boolean
  readonly can: (target: TargetRecord) => boolean
}

const rules: Readonly<Record<Redo['kind'], Rule>> = {
  RetryFailed: { mayNow: mayRetry, can: canBeRetried },
  RollBack: { mayNow: mayRollBack, can: canBeRolledBack },
}

/** The devices for which that can be; or why not: of those that are named, it must be so for all. */
export function redone(
  rollout: Projected,
  { kind, targets: named }: Redo,
): Result<readonly string[], Refusal> {
  const { bmc, live } = rollout
  const { mayNow, can } = rules[kind]
  const byUri = new Map(
    [...live.targets.values()].flatMap((one) => deviceUris(one.id).map((uri) => [uri, one])),
  )
  const gone = (named ?? []).filter((uri) => !byUri.has(uri) && !leadsToDevices(bmc, uri))
  if (named !== undefined && gone.length > 0) return fail(missing(named, gone))
  const name = nameOf(rollout)
  if (!mayNow(live.head)) return fail(notNow(kind, message('Redflash.RollOutNotNow', name, live.head.state)))
  const others = (named ?? []).flatMap((uri) => {
    const target = byUri.get(uri)
    if (target === undefined) return [message('Redflash.RollOutLacksDevice', uri, name)]
    return can(target) ? [] : [message('Redflash.RollOutKeepsDevice', uri, name, target.state)]
  })
  if (others.length > 0) return fail(notNow(kind, ...others))
  const meant = named?.flatMap((uri) => byUri.get(uri) ?? []) ?? [...live.targets.values()].filter(can)
  if (meant.length === 0) return fail(notNow(kind, message('Redflash.RollOutHasNobody', name)))
  return succeed([...new Set(meant.map(({ id }) => id))])
}
