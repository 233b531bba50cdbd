import type { Component } from '../bmc/bmc.ts'
import type { ComponentState, PendingImage } from '../bmc/state.ts'
import { compareVersions } from './version.ts'

/** What of an image decides whether it may follow what runs. */
type Judged = Pick<PendingImage, 'version' | 'securityVersion'>

/** The lowest version that may still run (SoftwareInventory.LowestSupportedVersion). */
function lowestVersionOf(component: Component, now = component.now): string | undefined {
  return now.lowestVersion ?? component.lowestSupportedVersion
}

/** The lowest security version that may still run. */
export function securityVersionOf({ behaviour }: Component, now: ComponentState): number {
  return now.securityVersion ?? behaviour.securityVersion ?? 0
}

/** A hard policy, which nothing bypasses: below its minimum no version runs. */
export function isBelow(component: Component, { version }: Judged): boolean {
  const floor = lowestVersionOf(component)
  return floor !== undefined && compareVersions(version, floor, schemeOf(component)) < 0
}

/** Another one: what was once closed is not opened again by an older image. */
export function isInsecure(component: Component, { securityVersion = 0 }: Judged): boolean {
  return securityVersion < securityVersionOf(component, component.now)
}

/** What once ran decides for ever what may: the floors when this image runs. */
export function raisedFloors(
  component: Component,
  now: ComponentState,
  { securityVersion = 0, lowestVersion }: Pick<PendingImage, 'securityVersion' | 'lowestVersion'>,
): Pick<ComponentState, 'securityVersion' | 'lowestVersion'> {
  const floor = lowestVersionOf(component, now)
  const isHigher =
    lowestVersion !== undefined &&
    (floor === undefined || compareVersions(lowestVersion, floor, schemeOf(component)) > 0)
  return {
    securityVersion: Math.max(securityVersion, securityVersionOf(component, now)),
    lowestVersion: isHigher ? lowestVersion : now.lowestVersion,
  }
}

/** How a component's versions are ordered (SoftwareInventory.VersionScheme). */
export function schemeOf({ resource }: Component): string | undefined {
  const scheme = resource['VersionScheme']
  return typeof scheme === 'string' ? scheme : undefined
}
