import { message } from '../../redfish/messages/message.ts'
import type { DeviceStage } from './stage.ts'

/** Stage 6: the device runs it; for some only a reset opens the way here. */
export const activate: DeviceStage = {
  name: 'activate',
  until: 100,
  cancellable: false,
  started: (image, target) => message('Update.ApplyingOnComponent', image, target),
  failed: (image, target) => message('Update.ActivateFailed', image, target),
  failedStatus: 500,
  damages: true,
  run: (flasher, job) => flasher.activate(job),
}
