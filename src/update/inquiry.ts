import type { DeviceStageName } from '../bmc/device-faults.ts'
import type { Found } from '../devices/flasher.ts'
import { type Message, message } from '../redfish/messages/message.ts'
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

/**
 * How far a device has come with what it was at when its part was cancelled, and goes on with, because it does not let
 * itself be stopped; `undefined`: it has let go of it, or nobody asks.
 */
export async function withdraw(
  device: DeviceWork,
  version: string,
  at: DeviceStageName,
): Promise<Found | undefined> {
  const { bmc, component, shop, work } = device
  if (!work.signal.aborted || work.lasting.aborted) return undefined
  const withdrawal = shop.flasher.withdrawal?.({ bmcId: bmc.id, component })
  const found = await withdrawal?.({ ...deviceJob(device, version, work.lasting), progress: () => {} }, at)
  if (found === undefined || (found.ok && found.value === 'nothing')) return undefined
  work.persist()
  work.allowCancel(false)
  return found
}

/** Why a stage failed that an earlier run of the service was at: what the device says, else that nobody heard its end. */
export function whyLost({ component }: DeviceWork, found: Found | undefined): readonly Message[] {
  const why = found?.ok === false && found.problem.kind === 'failed' ? found.problem.why : undefined
  if (why !== undefined || component.on === undefined) return why ?? []
  return [message('Redflash.DeviceFailed', component.uri, 'the service ended in the middle of it')]
}
