import type { Requests } from '../../console/requests/requests.ts'
import type { Endpoint } from '../../http/mount.ts'
import { requestEndpoints } from './requests.ts'

/** The REST API of IBM's device management, for the devices that a console manages by MQTT. */
export function deviceManagement({ requests }: { readonly requests: Requests }): Endpoint[] {
  return requestEndpoints(requests)
}
