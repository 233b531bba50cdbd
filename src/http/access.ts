import type { FastifyRequest } from 'fastify'
import { type Bmc, type Row, typeOfResource } from '../bmc/bmc.ts'
import { standardRequirement } from '../redfish/privileges.ts'
import type { Method, Principal, Privileges, Requirement } from '../redfish/resource-table.ts'
import { contextOf, paramsOf } from './context.ts'

/** Who may do what at a path. */
export interface Access {
  readonly requirement: (request: FastifyRequest) => Requirement
  readonly isOwn: (request: FastifyRequest, principal: Principal | undefined) => boolean
}

/** What a method on a row's resource needs: what the row says, else what the privilege registry says of its type. */
export function requirementOfRow(row: Row, bmc: Bmc, path: string, method: Method): Requirement {
  const own = row.privileges?.[method === 'HEAD' ? 'GET' : method]
  return own ?? standardRequirement(typeOfResource(bmc, path, row) ?? '', path, method)
}

/** Access to the resources of a row, and to what is below them (actions, Members): `pathOf` names the resource. */
export function accessToRow(row: Row, pathOf: (request: FastifyRequest) => string): Access {
  return {
    requirement: (request) =>
      requirementOfRow(row, contextOf(request).bmc, pathOf(request), methodOf(request.method)),
    isOwn: ownership(row.owner),
  }
}

/** What a method on a path that is no resource needs: its own privileges, of which a GET's hold for what is not named. */
export function requirementOfEndpoint(privileges: Privileges, method: Method): Requirement {
  return (method === 'HEAD' ? undefined : privileges[method]) ?? privileges.GET ?? [['Login']]
}

/** Access to a path that is no resource. */
export function accessToEndpoint(privileges: Privileges, owner?: Row['owner']): Access {
  return {
    requirement: ({ method }) => requirementOfEndpoint(privileges, methodOf(method)),
    isOwn: ownership(owner),
  }
}

/** Whether ConfigureSelf counts: for what has no owner it does, as for one's own. */
function ownership(owner: Row['owner']): Access['isOwn'] {
  return (request, principal) =>
    owner === undefined || owner(contextOf(request).bmc, paramsOf(request)) === principal?.username
}

/** Methods that nothing here knows are refused with what a GET needs: who may look may hear that. */
export function methodOf(method: string): Method {
  return method === 'POST' || method === 'PATCH' || method === 'PUT' || method === 'DELETE' ? method : 'GET'
}
