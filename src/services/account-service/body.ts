import type { Bmc } from '../../bmc/bmc.ts'
import { RedfishError } from '../../redfish/errors.ts'
import { message } from '../../redfish/messages/message.ts'
import { uris } from '../../redfish/uris.ts'

/** AccountService v1_18: while it is disabled, users can be neither made nor changed nor removed. */
export function requireService({ state }: Bmc): void {
  if (state.settings.accountServiceEnabled) return
  throw new RedfishError(503, message('Base.ServiceDisabled', uris.accountService))
}
