import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import type { Bmc } from '../bmc/bmc.ts'
import { commit } from '../bmc/commit.ts'
import { identified } from '../bmc/identity.ts'
import { overlaid } from '../bmc/overlay.ts'
import { uris } from '../redfish/uris.ts'

/** Where a service listens; a port of 0 is any that is free. */
interface Place {
  readonly host: string
  readonly port: number
  readonly httpsPort: number
}

/**
 * Gives a service of one BMC its own UUID, and its manager says the same: others of the same machine are other services. It
 * comes of where it listens, where that is known, and stays with what is kept.
 */
export function giveOwnUuid(bmc: Bmc, { host, port, httpsPort }: Place): void {
  const { id, machine, state } = bmc
  if (state.overlays.get(uris.root)?.['UUID'] !== undefined) return
  const isAnywhere = port === 0 || httpsPort === 0
  const seed = isAnywhere ? randomUUID() : [hostname(), host, port, httpsPort].join(' ')
  const members = [
    [uris.root, 'UUID'],
    [machine.manager, 'ServiceEntryPointUUID'],
  ] as const
  const overlays = members.flatMap(([uri, member]) => {
    const original = machine.resources.get(uri)?.[member]
    return typeof original === 'string'
      ? overlaid(bmc, uri, identified({ id, seed }, { [member]: original }))
      : []
  })
  commit(bmc, { overlays })
}
