import type { DeviceFacts } from '../device.ts'
import type { ManagedDevice } from './managed-device.ts'

/** A device of IBM's has one piece of firmware. */
const FIRMWARE = 'firmware'
/** The resets of one that does what it is asked for. */
export const RESETS = ['ForceRestart', 'GracefulRestart']

/** What is known of a device, as a console shows it. */
export function factsOf({ deviceId, typeId, info, supports }: ManagedDevice): DeviceFacts {
  const canReset = supports['deviceActions'] === true
  return {
    name: deviceId,
    manufacturer: info.manufacturer,
    model: info.model ?? typeId,
    serialNumber: info.serialNumber,
    // It speaks.
    power: 'On',
    resetTypes: canReset ? RESETS : [],
    managerResetTypes: [],
    firmware: [
      {
        id: FIRMWARE,
        name: info.description ?? `Firmware of ${deviceId}`,
        version: info.fwVersion ?? '',
        softwareId: typeId,
        updateable: supports['firmwareActions'] === true,
        of: 'system',
      },
    ],
  }
}
