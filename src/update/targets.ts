import { type Bmc, type Component, findComponent, listComponents } from '../bmc/bmc.ts'
import type { Aggregate } from '../bmc/managed-device.ts'
import { linkUris } from '../redfish/resource.ts'
import { lastSegment, referencePath, uris } from '../redfish/uris.ts'

/** What a reference in Targets or ExcludeTargets means here. */
export type Target =
  | { readonly kind: 'components'; readonly components: readonly Component[] }
  | { readonly kind: 'unknown'; readonly path: string }
  | { readonly kind: 'not-updateable'; readonly path: string }

/**
 * Resolves a reference by UpdateService v1_17's target rules: an inventory item, a device that it is related to, a
 * collection (each applicable member), a system (the components inside it), or an aggregate (those of its elements).
 */
export function resolveTarget(bmc: Bmc, reference: string): Target {
  const path = referencePath(reference)
  const item = path.startsWith(`${uris.firmwareInventory}/`)
    ? findComponent(bmc, path.slice(uris.firmwareInventory.length + 1))
    : undefined
  if (item !== undefined) return updateable(path, [item])
  // A component that is updated only when named is named by its own URI, not by a device or a collection.
  const others = listComponents(bmc).filter(({ behaviour }) => behaviour.onlyWhenNamed !== true)
  if (path === uris.firmwareInventory) return updateable(path, others)
  const aggregate = aggregateAt(bmc, path)
  if (aggregate !== undefined) {
    const parts = others.filter((component) => isPartOf(component, aggregate.elements))
    return updateable(path, parts)
  }
  const resource = bmc.machine.resources.get(path)
  const isKnown = resource !== undefined || isSoftware(bmc, path)
  if (!isKnown) return { kind: 'unknown', path }
  const devices = [path, ...linkUris(resource?.['Members'])]
  return updateable(
    path,
    others.filter((component) => isPartOf(component, devices)),
  )
}

/** Whether a reference leads to anything here. */
export function isKnownTarget(bmc: Bmc, reference: string): boolean {
  const path = referencePath(reference)
  return (
    (path === uris.firmware(lastSegment(path)) && bmc.machine.components.has(lastSegment(path))) ||
    path === uris.firmwareInventory ||
    aggregateAt(bmc, path) !== undefined ||
    bmc.machine.resources.has(path) ||
    isSoftware(bmc, path)
  )
}

function aggregateAt({ state }: Bmc, path: string): Aggregate | undefined {
  return path.startsWith(`${uris.aggregates}/`)
    ? state.aggregates.get(path.slice(uris.aggregates.length + 1))
    : undefined
}

/** Whether a component is, or belongs to, one of the resources: lives on its power, or is related to it or to something below it. */
function isPartOf(
  { uri: own, relatedItems, behaviour, on }: Component,
  resources: readonly string[],
): boolean {
  // The system of a managed device stands for all of it.
  const wholes = [behaviour.needsPowerOf, on && uris.system(on.device)]
  const places = [own, ...relatedItems, ...wholes.filter((uri) => uri !== undefined)]
  return places.some((place) => resources.some((uri) => place === uri || place.startsWith(`${uri}/`)))
}

function updateable(path: string, components: readonly Component[]): Target {
  const able = components.filter((component) => component.updateable)
  // One that is protected among others is left out when the image is looked at, and that is told.
  const isFree = able.some(({ now }) => now.isWriteProtected !== true)
  return isFree ? { kind: 'components', components: able } : { kind: 'not-updateable', path }
}

function isSoftware(bmc: Bmc, path: string): boolean {
  return (
    path === uris.softwareInventory || bmc.machine.software.has(path.slice(uris.softwareInventory.length + 1))
  )
}
