import { succeed } from '../../lib/result.ts'
import { message } from '../../redfish/messages/message.ts'
import type { ManagerStage } from './stage.ts'

/** Stage 1: with a push the image came inside the request, and is whole when the task begins. */
export const transferToManager: ManagerStage = {
  name: 'transfer to manager',
  until: 20,
  run: () => succeed([message('Update.UpdateInProgress')]),
}
