import type { Message } from '../redfish/messages/message.ts'
import { numberOf, rulesOf } from './rules.ts'
import type { Chosen, ChosenComponent, DeviceFacts, Selection, Skip } from './select.ts'
import type { RolloutBase } from './state.ts'
import { inOrder, waveSizes } from './waves.ts'
import { windowAt, windowsOf } from './windows.ts'

/** What would be done, before anything is. */
export interface Preview {
  readonly waves: readonly PreviewedWave[]
  readonly skipped: readonly Skip[]
  /** References of the plan that lead to no device. */
  readonly unknown: readonly string[]
}

export interface PreviewedWave {
  readonly name: string
  readonly needsApproval: boolean
  /** After the wave before it, or after the start of the first. */
  readonly delayMs: number
  /** So many failures are too many. */
  readonly failuresTooMany: number
  readonly action: string
  /** So many must succeed before the next wave; absent where all must only have ended. */
  readonly successesNeeded: number | undefined
  readonly devices: readonly PreviewedDevice[]
}

interface PreviewedDevice {
  readonly device: DeviceFacts
  readonly components: readonly ChosenComponent[]
  /** When it could be begun if it were its turn at once; `undefined`: its windows never open. */
  readonly earliest: number | undefined
  /** What a dry run says of it. */
  readonly messages: readonly Message[]
}

/** The waves that a plan makes of these devices; `dryRun` says what would become of each of them. */
export function previewOf(
  { plan, createdAt }: Pick<RolloutBase, 'plan' | 'createdAt'>,
  selection: Selection,
  dryRun: (chosen: Chosen) => readonly Message[],
): Preview {
  const rules = rulesOf(plan, createdAt)
  const ordered = inOrder(selection.chosen, plan)
  const start = Math.max(createdAt, rules.startAt ?? createdAt)
  let from = 0
  const waves = waveSizes(ordered.length, rules).map((size, index): PreviewedWave => {
    const { name, needsApproval, delayMs, failure, success } = rules.wave(index)
    const members = ordered.slice(from, (from += size))
    return {
      name,
      needsApproval,
      delayMs,
      failuresTooMany: Math.max(1, numberOf(failure.amount, size)),
      action: failure.action,
      successesNeeded: success && numberOf(success, size),
      devices: members.map((one) => {
        const window = windowAt(windowsOf(rules.windows, one.device.group), start)
        const { device, components } = one
        return { device, components, earliest: window.isOpen ? start : window.until, messages: dryRun(one) }
      }),
    }
  })
  return { waves, skipped: selection.skipped, unknown: selection.unknown }
}
