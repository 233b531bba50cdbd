import { imageName } from '../../image/image-format.ts'
import { fail, succeed } from '../../lib/result.ts'
import { type Message, message, withSeverity } from '../../redfish/messages/message.ts'
import { uris } from '../../redfish/uris.ts'
import type { Decision } from '../policy.ts'
import type { ManagerStage } from './stage.ts'

/** Stage 2: the image is what it says, and somebody here can use it. */
export const verifyOnManager: ManagerStage = {
  name: 'verify on manager',
  until: 30,
  run: ({ image, decisions }) => {
    if (!image.contents.ok) {
      return fail({
        messages: [message('Update.VerificationFailed', image.fileName, uris.updateService)],
        status: 400,
      })
    }
    const messages = decisions.map((decision) => report(decision, image.fileName))
    if (decisions.some((decision) => decision.kind !== 'no-target')) {
      return succeed([...messages, message('Update.AllTargetsDetermined')])
    }
    const nobody = messages.length > 0 ? messages : [message('Update.NoTargetsDetermined', image.fileName)]
    return fail({ messages: nobody.map((one) => withSeverity(one, 'Critical')), status: 400 })
  },
}

function report(decision: Decision, fileName: string): Message {
  const image = decision.image === undefined ? fileName : imageName(decision.image)
  if (decision.kind === 'no-target')
    return withSeverity(message('Update.NoTargetsDetermined', image), 'Warning')
  const target = decision.component.uri
  switch (decision.kind) {
    case 'update':
      return message('Update.TargetDetermined', target, image)
    case 'same-version':
      return message('Update.UpdateSkippedSameVersion', target, image)
    case 'too-low':
      return message('Update.UpdateSkippedVersionTooLow', target, image)
    case 'downgrade':
      return message('Update.UpdateSkipped', target, image)
    case 'not-applicable':
      return message('Update.UpdateNotApplicable', image, target)
  }
}
