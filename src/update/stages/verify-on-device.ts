import { message } from '../../redfish/messages/message.ts'
import type { DeviceStage } from './stage.ts'

/** Stage 4: the device checks what it took. */
export const verifyOnDevice: DeviceStage = {
  name: 'verify',
  until: 55,
  cancellable: true,
  started: (image, target) => message('Update.VerifyingAtComponent', image, target),
  failed: (image, target) => message('Update.VerificationFailed', image, target),
  failedStatus: 400,
  damages: false,
  run: (flasher, job) => flasher.verify(job),
}
