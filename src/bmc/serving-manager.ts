import { RedfishError } from '../redfish/errors.ts'
import { message } from '../redfish/messages/message.ts'
import type { Resource } from '../redfish/resource.ts'
import type { Call } from '../redfish/resource-table.ts'
import { uris } from '../redfish/uris.ts'
import { type Bmc, machineResource, type Row } from './bmc.ts'

/** A resource below the manager that serves Redfish, or one of its services. */
export type ManagerView = (bmc: Bmc, manager: string, id: string) => Resource | undefined

/** How paths below a manager begin when a row is mounted. */
export const managerPath = uris.manager(':manager')

/** A view below the manager that serves Redfish; below any other manager the machine's own data answers. */
export function servedBelow(uriOf: (manager: string, id: string) => string, view: ManagerView): Row['view'] {
  return (bmc, { manager, id = '' }) => {
    const uri = manager === undefined ? bmc.machine.manager : uris.manager(manager)
    return uri === bmc.machine.manager ? view(bmc, uri, id) : machineResource(bmc, uriOf(uri, id))
  }
}

/** The manager that a request below it is about. Throws a RedfishError (405) where the machine's own data answers. */
export function servingManager({ bmc, params }: Call<Bmc>): string {
  const { manager } = params
  const uri = manager === undefined ? bmc.machine.manager : uris.manager(manager)
  if (uri === bmc.machine.manager) return uri
  throw new RedfishError(405, message('Base.OperationNotAllowed'), { Allow: 'GET, HEAD' })
}
