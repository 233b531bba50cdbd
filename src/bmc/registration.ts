import type { JsonObject } from '../redfish/resource.ts'

/** What is registered with IBM's device management: a type of devices, by its Id, or a device, by its type's and its own. */
export type Registration = RegisteredType | RegisteredDevice

interface Registered {
  readonly typeId: string
  readonly deviceInfo: JsonObject
  readonly metadata: JsonObject
  readonly createdAt: number
  readonly updatedAt: number
  /** Who registered it. */
  readonly by: string | undefined
}

export interface RegisteredType extends Registered {
  readonly kind: 'type'
  readonly classId: 'Device' | 'Gateway'
  readonly description: string | undefined
}

export interface RegisteredDevice extends Registered {
  readonly kind: 'device'
  readonly deviceId: string
  /** Of what the device says as its password; that itself is nobody's to keep. */
  readonly salt: string
  readonly digest: string
}
