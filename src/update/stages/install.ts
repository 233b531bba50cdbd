import { message } from '../../redfish/messages/message.ts'
import type { DeviceStage } from './stage.ts'

/** Stage 5: the device writes it where it will run from. */
export const install: DeviceStage = {
  name: 'install',
  until: 85,
  cancellable: false,
  started: (image, target) => message('Update.InstallingOnComponent', image, target),
  failed: (image, target) => message('Update.ApplyFailed', image, target),
  failedStatus: 500,
  damages: true,
  run: (flasher, job) => flasher.install(job),
}
