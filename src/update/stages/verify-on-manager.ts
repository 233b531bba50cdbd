import { imageName } from '../../image/image-format.ts'
import type { ReceivedImage } from '../../image/receive.ts'
import { fail, type Result, succeed } from '../../lib/result.ts'
import { type Message, message, withSeverity } from '../../redfish/messages/message.ts'
import { uris } from '../../redfish/uris.ts'
import type { Decision } from '../policy.ts'
import type { StageFailure } from './stage.ts'

/** Stage 2 is done at this PercentComplete. */
export const VERIFIED = 30

/** Stage 2: the image is what it says, and somebody here can use it. */
export function verifyOnManager(
  { contents, fileName }: ReceivedImage,
  decisions: readonly Decision[],
): Result<readonly Message[], StageFailure> {
  if (!contents.ok) {
    const messages = [message('Update.VerificationFailed', fileName, uris.updateService)]
    return fail({ messages, status: 400 })
  }
  const messages = decisions.map((decision) => report(decision, fileName))
  if (decisions.some((decision) => decision.kind !== 'no-target')) {
    return succeed([...messages, message('Update.AllTargetsDetermined')])
  }
  const nobody = messages.length > 0 ? messages : [message('Update.NoTargetsDetermined', fileName)]
  return fail({ messages: nobody.map((one) => withSeverity(one, 'Critical')), status: 400 })
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
