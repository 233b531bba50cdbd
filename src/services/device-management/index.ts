import type { Registry } from '../../console/registry.ts'
import type { Requests } from '../../console/requests/requests.ts'
import type { Endpoint } from '../../http/mount.ts'
import { registryEndpoints } from './registry.ts'
import { requestEndpoints } from './requests.ts'

interface DeviceManagement {
  readonly requests: Requests
  readonly registry: Registry
}

/** The REST API of IBM's device management, for the devices that a console manages by MQTT. */
export function deviceManagement({ requests, registry }: DeviceManagement): Endpoint[] {
  return [...requestEndpoints(requests), ...registryEndpoints(registry)]
}
