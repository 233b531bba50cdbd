import type { Bmc } from '../../bmc/bmc.ts'
import { RedfishError } from '../../redfish/errors.ts'
import { message } from '../../redfish/messages/message.ts'
import { uris } from '../../redfish/uris.ts'

/** Throws a RedfishError (503) while the service is switched off. */
export function requireEnabled({ state }: Bmc): void {
  if (!state.settings.updateServiceEnabled)
    throw new RedfishError(503, message('Base.ServiceDisabled', uris.updateService))
}
