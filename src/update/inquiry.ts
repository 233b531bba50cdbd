import type { DeviceStageName } from '../bmc/device-faults.ts'
import type { Found } from '../devices/flasher.ts'
import { deviceJob, type DeviceWork } from './workshop.ts'

/**
 * What a device says of the stage that an earlier run of the service was at; `undefined`: it cannot be asked, or nobody
 * wants to know any more.
 */
export function inquire(
  device: DeviceWork,
  version: string,
  at: DeviceStageName,
): Promise<Found> | undefined {
  const { bmc, component, shop, work } = device
  if (work.signal.aborted) return undefined
  const inquiry = shop.flasher.inquiry?.({ bmcId: bmc.id, component })
  return inquiry?.({ ...deviceJob(device, version, work.signal), progress: () => {} }, at)
}
