import { message } from '../../redfish/messages/message.ts'
import type { DeviceStage } from './stage.ts'

/** Stage 3: the device takes the bytes. */
export const transferToDevice: DeviceStage = {
  name: 'transfer',
  until: 50,
  cancellable: true,
  started: (image, target) => message('Update.TransferringToComponent', image, target),
  failed: (image, target) => message('Update.TransferFailed', image, target),
  failedStatus: 500,
  damages: false,
  run: (flasher, job) => flasher.transfer(job),
}
