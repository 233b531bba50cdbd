import { isObject, type Resource } from '../redfish/resource.ts'
import { uris } from '../redfish/uris.ts'
import type { ResetNeed } from './state.ts'

/** What a reset takes from the hardware, the gentlest first: its state, its power, the utility lines. */
const strengths = ['restart', 'power-cycle', 'full-power-cycle'] as const
export type Strength = (typeof strengths)[number]

/** A reset that is under way. */
export interface PerformedReset {
  readonly resource: string
  readonly strength: Strength
}

/** The resets that let a device begin anew, the gentlest first (Resource v1_23, ResetType). */
const renewing: readonly (readonly [type: string, strength: Strength])[] = [
  ['GracefulRestart', 'restart'],
  ['ForceRestart', 'restart'],
  ['PowerCycle', 'power-cycle'],
  ['FullPowerCycle', 'full-power-cycle'],
]

/** How much a reset is; what was off has been without power, however it was switched on. */
export function strengthOf(type: string, wasOff = false): Strength {
  const strength = renewing.find(([name]) => name === type)?.[1] ?? 'restart'
  return wasOff && !isAtLeast(strength, 'power-cycle') ? 'power-cycle' : strength
}

/** A stronger reset is as good as a weaker one. */
export function isAtLeast(strength: Strength, wanted: Strength): boolean {
  return strengths.indexOf(strength) >= strengths.indexOf(wanted)
}

/** Whether a reset is what was asked for, or more. */
export function isEnough({ resource, strength }: PerformedReset, need: ResetNeed): boolean {
  return resource === need.resource && isAtLeast(strength, strengthOf(need.type))
}

/** The gentlest reset that this resource offers and that is enough; where none is, the strongest that it offers. */
export function gentlestType(uri: string, resource: Resource | undefined, wanted: Strength): string {
  const allowed = allowedTypes(resource, resetActionOf(uri))
  const offered = renewing.filter(([type]) => allowed.includes(type))
  const [type] = offered.find(([, strength]) => isAtLeast(strength, wanted)) ?? offered.at(-1) ?? []
  return type ?? 'ForceRestart'
}

/** The ResetTypes that a resource offers. */
export function allowedTypes(resource: Resource | undefined, action: string): readonly string[] {
  const actions = resource?.['Actions']
  const offered = isObject(actions) ? actions[`#${action}`] : undefined
  const values = isObject(offered) ? offered['ResetType@Redfish.AllowableValues'] : undefined
  return Array.isArray(values) ? values.map(String) : ['On', 'ForceOff', 'ForceRestart', 'GracefulRestart']
}

/** The action that resets a resource. */
export function resetActionOf(uri: string): string {
  return uri.startsWith(`${uris.systems}/`) ? 'ComputerSystem.Reset' : 'Manager.Reset'
}
