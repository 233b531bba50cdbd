import { describeImageProblem, type ImageProblem, imageName } from '../../image/image-format.ts'
import type { Bmc } from '../../bmc/bmc.ts'
import type { ReceivedImage } from '../../image/receive.ts'
import type { Clock } from '../../lib/clock.ts'
import { fail, type Result, succeed } from '../../lib/result.ts'
import { type Message, message, withSeverity } from '../../redfish/messages/message.ts'
import { uris } from '../../redfish/uris.ts'
import type { UpdateRequest } from '../../bmc/operation.ts'
import type { Decision } from '../policy.ts'
import { judgeTrust } from '../trust.ts'
import type { StageFailure } from './stage.ts'

/** Stage 2 is done at this PercentComplete. */
export const VERIFIED = 30

/** What stage 2 looks at: an image, and what was decided from its bytes. */
interface Examined {
  readonly bmc: Bmc
  readonly image: ReceivedImage
  readonly request: UpdateRequest
  readonly decisions: readonly Decision[]
}

/** What stage 2 found out. */
export interface Verified {
  /** What was told of it. */
  readonly told: readonly Message[]
  /** Who vouches for the image. */
  readonly signer: string | undefined
}

/** Stage 2: the image is what it says, it comes from whom it should, and somebody here can use it. */
export async function verifyOnManager(
  { bmc, image, request, decisions }: Examined,
  clock: Clock,
): Promise<Result<Verified, StageFailure>> {
  const { contents, fileName, sha256 } = image
  if (request.sha256 !== undefined && request.sha256 !== sha256)
    return refuse(fileName, [message('Redflash.AnnouncedDigestMismatch', fileName, 'ImageSHA256')])
  if (!contents.ok) return refuse(fileName, [reasonOf(fileName, contents.problem)])
  const vouched = await clock.io(judgeTrust(bmc, image, contents.value, clock.now()))
  if (!vouched.ok) return refuse(fileName, vouched.problem)
  const { signer, messages } = vouched.value
  if (request.rollOut !== undefined) return succeed({ signer, told: messages })
  const told = decisions.flatMap((decision) => report(decision, fileName))
  if (decisions.some((decision) => decision.kind !== 'no-target'))
    return succeed({ signer, told: [...messages, ...told, message('Update.AllTargetsDetermined')] })
  const nobody = told.length > 0 ? told : [message('Update.NoTargetsDetermined', fileName)]
  return fail({ messages: nobody.map((one) => withSeverity(one, 'Critical')), status: 400 })
}

function refuse(fileName: string, why: readonly Message[]): ReturnType<typeof fail<StageFailure>> {
  return fail({
    messages: [message('Update.VerificationFailed', fileName, uris.updateService), ...why],
    status: 400,
  })
}

function reasonOf(fileName: string, problem: ImageProblem): Message {
  return problem.kind === 'digest-mismatch'
    ? message('Redflash.ImageDigestMismatch', fileName, problem.component)
    : message('Redflash.ImageMalformed', fileName, describeImageProblem(problem))
}

/** What is told of a decision, and where the standard's words leave it open, why. */
export function report(decision: Decision, fileName: string): readonly Message[] {
  const { why } = decision
  return [standardReport(decision, fileName), ...(why === undefined ? [] : [why])]
}

function standardReport(decision: Decision, fileName: string): Message {
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
