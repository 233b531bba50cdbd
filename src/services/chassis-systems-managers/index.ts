import { type Static, Type } from '../../lib/schema.ts'
import { type Bmc, type BmcAction, machineResource, type Row } from '../../bmc/bmc.ts'
import type { Resets } from '../../bmc/reset.ts'
import { allowedTypes } from '../../bmc/reset-types.ts'
import type { Devices } from '../../console/devices.ts'
import type { Clock } from '../../lib/clock.ts'
import { RedfishError } from '../../redfish/errors.ts'
import { about, message } from '../../redfish/messages/message.ts'
import { link, type Resource } from '../../redfish/resource.ts'
import type { Params } from '../../redfish/resource-table.ts'
import { uris } from '../../redfish/uris.ts'
import type { Updates } from '../../update/updates.ts'
import { biosRows } from './bios.ts'
import { answered, deviceManagerActions, deviceSystemActions } from './device-actions.ts'
import { integrityRows } from './integrity.ts'
import { networkProtocolRow } from './network-protocol.ts'
import {
  FORCE_FAILOVER,
  failoverInfoRow,
  forceFailover,
  imageMembers,
  managerPatch,
} from './software-images.ts'
import { machinePatch } from './writable.ts'

const ResetParameters = Type.Object(
  { ResetType: Type.Optional(Type.String()) },
  { additionalProperties: false },
)

export interface MachineOptions {
  readonly clock: Clock
  readonly resets: Resets
  readonly updates: Updates
  /** Of a console: their resets are their own. */
  readonly devices: Devices | undefined
}

/** The machine's own resources: all of its data as it is, systems and managers with their resets. */
export function machineRows({ clock, resets, updates, devices }: MachineOptions): Row[] {
  const resetting = { resets, devices }
  return [
    {
      path: uris.system(':id'),
      type: 'ComputerSystem',
      view: (bmc, { id = '' }) => machineResource(bmc, uris.system(id)),
      patch: machinePatch(({ id = '' }) => uris.system(id)),
      actions: {
        'ComputerSystem.Reset': resetAction('ComputerSystem.Reset', uris.system, resetting),
        ...(devices && deviceSystemActions(devices, clock)),
      },
    },
    {
      path: uris.manager(':id'),
      type: 'Manager',
      view: (bmc, { id = '' }) => managerView(bmc, uris.manager(id)),
      patch: managerPatch(clock, updates),
      actions: {
        [FORCE_FAILOVER]: forceFailover({ clock, resets, updates }),
        'Manager.Reset': resetAction('Manager.Reset', uris.manager, resetting),
        ...(devices && deviceManagerActions(devices)),
      },
    },
    failoverInfoRow,
    networkProtocolRow,
    ...biosRows,
    ...integrityRows(clock),
    {
      path: uris.ethernetInterface(uris.manager(':manager'), ':id'),
      type: 'EthernetInterface',
      view: (bmc, params) => machineResource(bmc, interfaceOf(params)),
      patch: machinePatch(interfaceOf),
    },
    {
      path: uris.chassisMember(':id'),
      type: 'Chassis',
      view: (bmc, { id = '' }) => machineResource(bmc, uris.chassisMember(id)),
      patch: machinePatch(({ id = '' }) => uris.chassisMember(id)),
    },
    {
      path: `${uris.root}/*`,
      type: 'mockup',
      view: (bmc, { '*': path = '' }) => machineResource(bmc, `${uris.root}/${path.replace(/\/$/, '')}`),
    },
  ]
}

function interfaceOf({ manager = '', id = '' }: Params): string {
  return uris.ethernetInterface(uris.manager(manager), id)
}

/** Beside what the machine's data gives it, a manager has its images; the one that serves Redfish has our logs and ports. */
function managerView(bmc: Bmc, uri: string): Resource | undefined {
  const manager = machineResource(bmc, uri)
  const isOurs = uri === bmc.machine.manager
  const own = { LogServices: link(uris.logServices(uri)), NetworkProtocol: link(uris.networkProtocol(uri)) }
  return manager && { ...manager, ...imageMembers(bmc, manager), ...(isOurs && own) }
}

/** A reset answers first and happens then; which types there are is what the resource itself allows. */
function resetAction(
  name: string,
  uriOf: (id: string) => string,
  { resets, devices }: Pick<MachineOptions, 'resets' | 'devices'>,
): BmcAction {
  return {
    parameters: ResetParameters,
    run: ({ bmc, params, body }) => {
      const uri = uriOf(params['id'] ?? '')
      const allowed = allowedTypes(bmc.machine.resources.get(uri), name)
      const { ResetType: type = allowed[0] ?? 'ForceRestart' } = body as Static<typeof ResetParameters>
      if (!allowed.includes(type)) {
        const problem = message('Base.ActionParameterValueNotInList', type, 'ResetType', name)
        throw new RedfishError(400, about(problem, '/ResetType'))
      }
      const asked = devices?.reset(bmc, uri, type)
      return asked ? answered(asked, uri) : { status: 204, afterwards: resets.promise(bmc, uri, type) }
    },
  }
}
