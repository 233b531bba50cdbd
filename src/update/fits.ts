import type { Component } from '../bmc/bmc.ts'
import { ANY_COMPONENT } from '../bmc/machine.ts'
import type { Fits, ImageComponent, PldmDescriptor } from '../image/image-format.ts'
import { versionNumber, versionText } from '../image/layouts/version-number.ts'

/** Finds the components that firmware is for: what an image of many parts would ask again and again is found out once. */
export function matcher(components: readonly Component[]): (fits: Fits) => readonly Component[] {
  const owned = new Map(components.map((component) => [component, keysOf(component)]))
  const owners = new Map<string, Component[]>()
  for (const [component, keys] of owned) {
    for (const key of keys) {
      const others = owners.get(key)
      if (others === undefined) owners.set(key, [component])
      else others.push(component)
    }
  }
  const known = new Map<readonly PldmDescriptor[], readonly Component[]>()
  /** DSP0267: a device is meant that has every descriptor of a record; it may have more. */
  const described = (wanted: readonly PldmDescriptor[]): readonly Component[] => {
    const keys = wanted.map(keyOf)
    const [fewest = []] = keys.map((key) => owners.get(key) ?? []).toSorted((a, b) => a.length - b.length)
    const found = fewest.filter((component) => keys.every((key) => owned.get(component)?.has(key)))
    known.set(wanted, found)
    return found
  }
  return (fits) => {
    const some =
      fits.kind === 'pldm'
        ? new Set(fits.devices.flatMap((one) => known.get(one) ?? described(one)))
        : components
    return [...some].filter((component) => isFor(fits, component))
  }
}

/** Whether firmware is for a component: by what the image says, and what the machine's data says of the component. */
function isFor(fits: Fits, { id, softwareId, behaviour, on }: Component): boolean {
  const { pldm, capsule, openbmc } = behaviour.identity ?? {}
  switch (fits.kind) {
    case 'software':
      return fits.softwareId === softwareId
    case 'pldm':
      // Of a device that is meant, as it was found by that.
      return fits.classification === pldm?.classification && fits.identifier === pldm.identifier
    case 'capsule':
      return (
        fits.imageTypeId.toLowerCase() === capsule?.imageTypeId.toLowerCase() &&
        (fits.hardwareInstance === 0n || fits.hardwareInstance === BigInt(capsule.hardwareInstance ?? 0))
      )
    case 'openbmc':
      return (
        openbmc !== undefined &&
        (fits.machineName ?? openbmc.machineName) === openbmc.machineName &&
        fits.purpose === openbmc.purpose
      )
    case 'named':
      return fits.component === id || (fits.component === ANY_COMPONENT && on !== undefined)
  }
}

/** The image with its version as the component writes it: that of a capsule is a number, of which each vendor makes its own. */
export function inWordsOf({ behaviour }: Component, image: ImageComponent): ImageComponent {
  if (image.fits.kind !== 'capsule') return image
  const inWords = (version: string): string => {
    const value = versionNumber(version)
    return value === undefined ? version : versionText(value, behaviour.identity?.capsule?.versionFormat)
  }
  const { version, lowestVersion } = image
  return {
    ...image,
    version: inWords(version),
    ...(lowestVersion !== undefined && { lowestVersion: inWords(lowestVersion) }),
  }
}

function keysOf({ behaviour }: Component): ReadonlySet<string> {
  return new Set(behaviour.identity?.pldm?.descriptors.map(keyOf))
}

function keyOf({ type, data }: PldmDescriptor): string {
  return `${type} ${data.toLowerCase()}`
}
