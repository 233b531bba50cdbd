import type { Bmc, Component } from '../bmc/bmc.ts'
import { gentlestType, isAtLeast, type Strength, strengthOf } from '../bmc/reset-types.ts'
import type { PendingImage, ResetNeed } from '../bmc/state.ts'
import type { ActivationMethod } from '../image/image-format.ts'

/** What each method asks for beyond what the device does by itself (DSP0267, ComponentActivationMethods). */
const asked: Readonly<Record<ActivationMethod, Strength | undefined>> = {
  automatic: undefined,
  'self-contained': undefined,
  'medium-specific-reset': 'restart',
  'system-reboot': 'restart',
  'dc-power-cycle': 'power-cycle',
  'ac-power-cycle': 'full-power-cycle',
}

/**
 * The reset that an image asks for where that is more than its component always needs. A package requests, and the
 * device says what it can do (DSP0267): one that needs a reset anyway is not spared it, and the gentlest that does for
 * both is asked for.
 */
export function requestedReset(
  bmc: Bmc,
  component: Component,
  activation: ActivationMethod | undefined,
): ResetNeed | undefined {
  const own = component.behaviour.reset
  const wanted = activation && asked[activation]
  if (wanted === undefined || (own !== undefined && isAtLeast(strengthOf(own.type), wanted))) return undefined
  const resource = own?.resource ?? powerOf(bmc, component)
  return { resource, type: gentlestType(resource, bmc.machine.resources.get(resource), wanted) }
}

/** The reset that makes an image run on a component; `undefined`: none, it runs once it is installed. */
export function resetFor(
  { behaviour }: Component,
  image: Pick<PendingImage, 'reset'> | undefined,
): ResetNeed | undefined {
  return image?.reset ?? behaviour.reset
}

/** The resource whose power a component lives on, as far as the machine's data tells: a system, or else the manager. */
function powerOf({ machine }: Bmc, { behaviour, relatedItems }: Component): string {
  const systems = [...machine.systems.keys()]
  const related = systems.find((uri) => relatedItems.some((item) => `${item}/`.startsWith(`${uri}/`)))
  const only = systems.length === 1 ? systems[0] : undefined
  return behaviour.needsPowerOf ?? related ?? only ?? machine.manager
}
