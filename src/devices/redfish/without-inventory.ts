import type { JsonObject } from '../../redfish/resource.ts'
import { textIn } from './connection.ts'

/** What a system, or a manager, says that it runs; a manager's `Version` is that of its hardware. */
const versions = { BIOS: 'BiosVersion', Firmware: 'FirmwareVersion' }

/** The version that a resource says it runs, though it is no inventory item. */
export function ownVersion(resource: JsonObject): string | undefined {
  return textIn(resource, versions.BIOS) ?? textIn(resource, versions.Firmware)
}

/** What stands for inventory items where there are none: images are sent to the systems and managers themselves. */
export function itemsOf(parts: readonly JsonObject[], isUpdateable: boolean): readonly JsonObject[] {
  return Object.entries(versions).flatMap(([what, name]) => {
    const those = parts.filter((part) => textIn(part, name) !== undefined)
    return those.map((part) => {
      const id = textIn(part, 'Id') ?? ''
      const uri = part['@odata.id'] ?? ''
      return {
        '@odata.id': uri,
        // Others may come: it says whose it is, even where it is the only one.
        Id: `${what}-${id}`,
        Name: those.length === 1 ? what : `${what} of ${textIn(part, 'Name') ?? id}`,
        Version: textIn(part, name) ?? '',
        Updateable: isUpdateable,
        RelatedItem: [{ '@odata.id': uri }],
      }
    })
  })
}
