import { type Bmc, type Component, findComponent, listComponents } from '../bmc/bmc.ts'
import { deviceUris } from '../bmc/device-documents.ts'
import type { Aggregate } from '../bmc/managed-device.ts'
import { linkUris } from '../redfish/resource.ts'
import { lastSegment, referencePath, uris } from '../redfish/uris.ts'

/** What a reference in Targets or ExcludeTargets means here. */
export type Target =
  | { readonly kind: 'components'; readonly components: readonly Component[] }
  | { readonly kind: 'unknown'; readonly path: string }
  | { readonly kind: 'not-updateable'; readonly path: string }

/**
 * Resolves references by UpdateService v1_17's target rules: an inventory item, a device that it is related to, a
 * collection (each applicable member), a system (the components inside it), or an aggregate (those of its elements).
 * Good for as long as the BMC is as it is: thousands of references are resolved by one look at its components.
 */
export function targetResolver(bmc: Bmc): (reference: string) => Target {
  let index: Parts | undefined
  return (reference) => {
    const path = referencePath(reference)
    const item = path.startsWith(`${uris.firmwareInventory}/`)
      ? findComponent(bmc, path.slice(uris.firmwareInventory.length + 1))
      : undefined
    if (item !== undefined) return updateable(path, [item])
    const parts = (index ??= partsOf(bmc))
    if (path === uris.firmwareInventory) return updateable(path, parts.all)
    const aggregate = aggregateAt(bmc, path)
    if (aggregate !== undefined) return updateable(path, parts.of(aggregate.elements))
    const resource = bmc.machine.resources.get(path)
    const isKnown = resource !== undefined || isSoftware(bmc, path)
    if (!isKnown) return { kind: 'unknown', path }
    return updateable(path, parts.of([path, ...linkUris(resource?.['Members'])]))
  }
}

/** Whether a reference leads to a device of a console, to firmware of one, or to an Aggregate of them. */
export function leadsToDevices(bmc: Bmc, reference: string): boolean {
  const path = referencePath(reference)
  const id = lastSegment(path)
  return (
    (path === uris.firmware(id) && bmc.machine.components.has(id)) ||
    (bmc.state.devices.has(id) && deviceUris(id).includes(path)) ||
    isAggregate(bmc, path)
  )
}

/** Whether a reference leads to an Aggregate. */
export function isAggregate(bmc: Bmc, reference: string): boolean {
  return aggregateAt(bmc, referencePath(reference)) !== undefined
}

function aggregateAt({ state }: Bmc, path: string): Aggregate | undefined {
  return path.startsWith(`${uris.aggregates}/`)
    ? state.aggregates.get(path.slice(uris.aggregates.length + 1))
    : undefined
}

/** The components that are updated with what they belong to. */
interface Parts {
  readonly all: readonly Component[]
  /** Those that are, or belong to, one of these resources, in their order. */
  readonly of: (resources: readonly string[]) => readonly Component[]
}

function partsOf(bmc: Bmc): Parts {
  // A component that is updated only when named is named by its own URI, not by a device or a collection.
  const all = listComponents(bmc).filter(({ behaviour }) => behaviour.onlyWhenNamed !== true)
  const below = new Map<string, Set<number>>()
  for (const [index, component] of all.entries()) {
    for (const uri of placesOf(component)) {
      for (let end = uri.length; end > 0; end = uri.lastIndexOf('/', end - 1)) {
        const place = uri.slice(0, end)
        below.set(place, (below.get(place) ?? new Set()).add(index))
      }
    }
  }
  const of: Parts['of'] = (resources) => {
    const found = new Set(resources.flatMap((uri) => [...(below.get(uri) ?? [])]))
    return [...found].toSorted((a, b) => a - b).flatMap((index) => all[index] ?? [])
  }
  return { all, of }
}

/** Where a component is: it lives on the power of something, or is related to it or to something below it. */
function placesOf({ uri, relatedItems, behaviour, on }: Component): readonly string[] {
  // The system of a managed device stands for all of it.
  const wholes = [behaviour.needsPowerOf, on && uris.system(on.device)]
  return [uri, ...relatedItems, ...wholes.filter((whole) => whole !== undefined)]
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
