import type { Bmc } from '../bmc/bmc.ts'
import type { Resource } from '../redfish/resource.ts'

/** What resources are, for events that show them or are filtered by their type. */
export interface Directory {
  /** The type without its version, of resources that are gone, too. */
  typeOf(bmc: Bmc, uri: string): string | undefined
  /** As a user may see it. */
  show(bmc: Bmc, uri: string, username: string | undefined): Resource | undefined
}
