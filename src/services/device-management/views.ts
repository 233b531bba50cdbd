import type { KnownDevice, KnownType } from '../../console/registry.ts'
import type { ManagedDevice } from '../../devices/mqtt/managed-device.ts'
import { clientIdOf } from '../../devices/mqtt/topics.ts'
import { timestamp } from '../../lib/clock.ts'
import type { JsonObject } from '../../redfish/resource.ts'
import { withoutSecrets } from '../../redfish/secrets.ts'
import { uris } from '../../redfish/uris.ts'

/** The organisation in client identifiers that devices are told of; they may connect by any. */
const ORG = 'redflash'

export function typeView({ typeId, registered }: KnownType): JsonObject {
  const { classId = 'Device', description, deviceInfo = {}, metadata = {} } = registered ?? {}
  return {
    id: typeId,
    classId,
    ...(description !== undefined && { description }),
    deviceInfo,
    metadata,
    ...(registered && {
      createdDateTime: timestamp(registered.createdAt),
      updatedDateTime: timestamp(registered.updatedAt),
    }),
    refs: { devices: uris.devicesOfType(typeId) },
  }
}

/** What a device says of itself counts for more than what it was registered with. */
export function deviceView({ typeId, deviceId, registered, managed }: KnownDevice): JsonObject {
  return {
    clientId: clientIdOf('device', ORG, { typeId, deviceId }),
    typeId,
    deviceId,
    deviceInfo: { ...registered?.deviceInfo, ...managed?.info },
    metadata: { ...registered?.metadata, ...(managed?.metadata as JsonObject | undefined) }, // of a message in JSON
    ...(registered && {
      registration: {
        auth: { id: registered.by, type: 'person' },
        date: timestamp(registered.createdAt),
      },
    }),
    refs: managed === undefined ? {} : { mgmt: uris.deviceManagement(typeId, deviceId) },
  }
}

export function managementView({ isDormant, lifetimeMs, supports, firmware }: ManagedDevice): JsonObject {
  return {
    dormant: isDormant,
    lifetime: lifetimeMs / 1_000,
    supports,
    firmware: { ...firmware, uri: String(withoutSecrets('', firmware.uri)) },
  }
}
